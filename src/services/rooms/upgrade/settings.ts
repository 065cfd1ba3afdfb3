/** What a user has set for a room that was replaced, set for the one in its place. */
import type { Op } from '#/ports/store/plan.ts'
import type { RoomRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { predecessorOf, stringOf } from '#/protocol/event/content.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { readJson } from '#/protocol/json/reader.ts'
import { isArray, isObject, type JsonObject, type JsonValue } from '#/protocol/json/value.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import { pduOfRow } from '../stored-event.ts'

/** Room account data that is copied. */
const ROOM_TYPES = ['m.tag'] as const

/** Copies the push rules of a user about one room to another. */
export type CopyRules = (user: UserId, from: string, to: string) => Promise<void>

/**
 * Copies tags, push rules and the mark of a direct chat from the room that `roomId` replaces, where both rooms say so and the
 * user was in the old one. What is set for the new room already stays. Doing it twice changes nothing.
 */
export async function carrySettings(
  store: Store,
  copyRules: CopyRules,
  user: UserId,
  roomId: string,
): Promise<void> {
  const room = await store.rooms.byId(roomId)
  const old = room && (await replacedBy(store, room))
  if (!room || !old || !(await store.rooms.membership(old.nid, user))) return
  const ops: Op[] = []
  for (const type of ROOM_TYPES) {
    const was = await store.accountData.get(user, old.nid, type)
    const is = await store.accountData.get(user, room.nid, type)
    if (was && !is) ops.push({ op: 'account_data.put', user, room: room.nid, type, content: was.content })
  }
  const direct = await store.accountData.get(user, 0, 'm.direct')
  const changed = direct && withDirect(direct.content, old.roomId, room.roomId)
  if (changed) {
    const content = JSON.stringify(changed)
    ops.push({ op: 'account_data.put', user, room: 0, type: 'm.direct', content })
  }
  if (ops.length > 0) await store.commit({ lane: user, ops })
  await copyRules(user, old.roomId, room.roomId)
}

/** The room that a room was made for, if that one agrees. */
async function replacedBy(store: Store, room: RoomRow): Promise<RoomRow | undefined> {
  const create = await stateOf(store, room, 'm.room.create')
  const named = create && predecessorOf(create)
  const old = named && (await store.rooms.byId(named.roomId))
  const tombstone = old && (await stateOf(store, old, 'm.room.tombstone'))
  const agrees = tombstone && stringOf(tombstone.content, 'replacement_room') === room.roomId
  return agrees ? old : undefined
}

async function stateOf(store: Store, room: RoomRow, type: string) {
  const rules = rulesOf(room.version)
  const [row] = rules ? await store.state.current(room.nid, [[type, '']]) : []
  return row && rules && pduOfRow(row, rules)
}

/** m.direct with the new room beside the old one; undefined when nothing changes. */
function withDirect(text: string, oldId: string, newId: string): JsonObject | undefined {
  const json = readJson(text, 'lenient')
  if (!json.ok || !isObject(json.value)) return undefined
  const out: Record<string, JsonValue> = {}
  let changed = false
  for (const [user, rooms] of Object.entries(json.value)) {
    const add = isArray(rooms) && rooms.includes(oldId) && !rooms.includes(newId)
    out[user] = add ? [...rooms, newId] : (rooms as JsonValue)
    changed ||= add
  }
  return changed ? out : undefined
}
