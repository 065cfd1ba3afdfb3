/** Whether a user may read a room, and as what. One place for all endpoints (adv-54, adv-55). */
import type { EventRow } from '#/ports/store/events.ts'
import type { MembershipRow, RoomRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { type RoomVersionRules, rulesOf } from '#/protocol/room-version/rules.ts'
import { readHistoryVisibility } from '#/protocol/visibility/history-visibility.ts'
import { pduOfRow } from '../stored-event.ts'
import { lastTimeJoined } from './stay.ts'

export interface RoomAccess {
  readonly room: RoomRow
  readonly rules: RoomVersionRules
  /** The reader's membership; undefined for a peek into a world-readable room. */
  readonly membership: MembershipRow | undefined
  /**
   * Position up to which the state of the room may be shown: of a room that was left, the state at leaving;
   * undefined for the current state.
   */
  readonly stateUpto: number | undefined
}

/**
 * Access to a room's state and history. Throws M_FORBIDDEN in the same words for a room that is not there and for
 * one that the user may not see.
 */
export async function accessRoom(store: Store, roomId: string, userId: string): Promise<RoomAccess> {
  const room = await store.rooms.byId(roomId)
  const rules = room && rulesOf(room.version)
  if (!room || !rules) throw noAccess()
  const membership = await store.rooms.membership(room.nid, userId)
  if (membership?.membership === 'join') return { room, rules, membership, stateUpto: undefined }
  const [visibility] = await store.state.current(room.nid, [['m.room.history_visibility', '']])
  if (isWorldReadable(visibility, rules)) {
    return { room, rules, membership, stateUpto: undefined }
  }
  const gone = membership?.membership === 'leave' || membership?.membership === 'ban'
  if (membership && gone && !membership.forgotten) {
    const left = await lastTimeJoined(store, membership)
    if (left > 0) return { room, rules, membership, stateUpto: left }
  }
  throw noAccess()
}

/**
 * The rules of a room for somebody who asks for single events, each of which has its own visibility; undefined when
 * the reader took the room out of their sight, or this release does not know its version.
 */
export async function rulesForEvents(
  store: Store,
  room: RoomRow,
  userId: string,
): Promise<RoomVersionRules | undefined> {
  const membership = await store.rooms.membership(room.nid, userId)
  if (!membership?.forgotten) return rulesOf(room.version)
  const [visibility] = await store.state.current(room.nid, [['m.room.history_visibility', '']])
  const rules = rulesOf(room.version)
  return rules && isWorldReadable(visibility, rules) ? rules : undefined
}

function isWorldReadable(visibility: EventRow | undefined, rules: RoomVersionRules): boolean {
  return visibility !== undefined && readHistoryVisibility(pduOfRow(visibility, rules)) === 'world_readable'
}

function noAccess(): MatrixError {
  return new MatrixError('M_FORBIDDEN', 'You are not in this room.')
}
