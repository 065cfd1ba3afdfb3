/** Which rooms a search goes through. */
import type { MembershipRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { isObject, type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'
import { idsAt, type RoomEventFilter } from '../rooms/read/event-filter.ts'
import { PREDECESSORS_MAX, SEARCH_ROOMS_MAX, UPGRADED_ROOMS_MAX } from './limits.ts'

/** A room that the user is or was in; what they may see of it is decided for each event. */
export type SearchRoom = MembershipRow

const SEARCHED = new Set(['join', 'leave', 'ban'])

/**
 * The user's rooms that a filter lets pass, by row id: those they are in, and those they have left and not forgotten.
 * With a room that the filter names come the rooms that it replaced.
 */
export async function searchRooms(
  store: Store,
  userId: string,
  filter: RoomEventFilter,
  filterJson: JsonObject,
  onlyRoom: string | undefined,
): Promise<Map<number, SearchRoom>> {
  const all = new Map<string, SearchRoom>()
  for (const row of await store.rooms.membershipsOf(userId)) {
    if (SEARCHED.has(row.membership)) all.set(row.roomId, row)
  }
  const named = idsAt(filterJson, 'rooms', parseRoomId)
  const older = named ? await predecessors(store, named, all) : new Set<string>()
  const denied = new Set(idsAt(filterJson, 'not_rooms', parseRoomId))
  const rooms = new Map<number, SearchRoom>()
  for (const [roomId, row] of all) {
    const passes = filter.passesRoom(roomId) || (older.has(roomId) && !denied.has(roomId))
    if (passes && (onlyRoom === undefined || onlyRoom === roomId)) rooms.set(row.room, row)
  }
  if (rooms.size > SEARCH_ROOMS_MAX) {
    throw new MatrixError(
      'M_TOO_LARGE',
      `A search goes through at most ${SEARCH_ROOMS_MAX} rooms. Name some.`,
    )
  }
  return rooms
}

/** Rooms that were upgraded to one of the named rooms, step by step, as far as the user was in them. */
async function predecessors(
  store: Store,
  named: readonly string[],
  all: ReadonlyMap<string, SearchRoom>,
): Promise<Set<string>> {
  const found = new Set<string>()
  for (const roomId of named.filter((each) => all.has(each)).slice(0, UPGRADED_ROOMS_MAX)) {
    let at = all.get(roomId)
    for (let steps = 0; at && steps < PREDECESSORS_MAX; steps++) {
      const before = await predecessorOf(store, at.room)
      if (before === undefined || found.has(before)) break
      at = all.get(before)
      if (at) found.add(before)
    }
  }
  return found
}

async function predecessorOf(store: Store, room: number): Promise<string | undefined> {
  const [create] = await store.state.current(room, [['m.room.create', '']])
  if (!create) return undefined
  const { content } = JSON.parse(create.json) as { content?: JsonValue }
  const predecessor = isObject(content) ? member(content, 'predecessor') : undefined
  const roomId = isObject(predecessor) ? member(predecessor, 'room_id') : undefined
  return typeof roomId === 'string' ? roomId : undefined
}
