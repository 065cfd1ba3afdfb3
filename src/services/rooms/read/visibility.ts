/** Which events of a room a user may see: the protocol's rule, with the state at the events from the store. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import type { StateKeyPair, StateLookup } from '#/protocol/event/pdu.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import { canUserSee, membershipAround, visibilityAround } from '#/protocol/visibility/history-visibility.ts'
import { pduOfRow } from '../stored-event.ts'
import { lastTimeJoined } from './stay.ts'

export interface Seen {
  readonly row: EventRow
  /** The reader's membership when the event was sent, or after it for the reader's own member event. */
  readonly membership: string
}

/** Rows that are visible to `userId`, in order. `rows` are of one room, oldest or newest first. */
export async function visibleTo(
  store: Store,
  rows: readonly EventRow[],
  userId: string,
  rules: RoomVersionRules,
): Promise<Seen[]> {
  const room = rows[0]?.room
  if (room === undefined) return []
  const own = await store.rooms.membership(room, userId)
  const lastJoined = own ? await lastTimeJoined(store, own) : 0
  const states = await statesBefore(store, room, rows, userId, rules)
  const seen: Seen[] = []
  for (const [index, row] of rows.entries()) {
    const before = states[index]!
    const pdu = pduOfRow(row, rules)
    const membership = membershipAround(pdu, userId, before)
    const facts = { visibility: visibilityAround(pdu, before), membership, joinedLater: row.nid < lastJoined }
    if (canUserSee(facts)) seen.push({ row, membership: membership.after })
  }
  return seen
}

/** Whether a user may see one event. */
export async function canSee(
  store: Store,
  row: EventRow,
  userId: string,
  rules: RoomVersionRules,
): Promise<Seen | undefined> {
  return (await visibleTo(store, [row], userId, rules))[0]
}

/**
 * The state before each row, as lookups of the two keys that matter. Where both keys are the same before the oldest
 * and after the newest row, they are the same for all between, and one question answers for the whole page.
 */
async function statesBefore(
  store: Store,
  room: number,
  rows: readonly EventRow[],
  userId: string,
  rules: RoomVersionRules,
): Promise<StateLookup[]> {
  const keys: StateKeyPair[] = [
    ['m.room.history_visibility', ''],
    ['m.room.member', userId],
  ]
  const at = async (point: StatePoint): Promise<EventRow[]> => store.state.at(room, point, keys)
  const points: StatePoint[] = []
  for (const row of rows)
    points.push((await store.state.pointBefore(row.nid)) ?? { branch: 0, pos: row.nid - 1 })
  const mainLine = points.every((point) => point.branch === 0)
  if (mainLine && rows.length > 1) {
    const low = Math.min(...points.map((point) => point.pos))
    const high = Math.max(...rows.map((row) => row.nid))
    const first = await at({ branch: 0, pos: low })
    const last = await at({ branch: 0, pos: high })
    if (sameEvents(first, last)) return rows.map(() => lookupOf(first, rules))
  }
  const lookups: StateLookup[] = []
  for (const point of points) lookups.push(lookupOf(await at(point), rules))
  return lookups
}

function sameEvents(a: readonly EventRow[], b: readonly EventRow[]): boolean {
  return a.length === b.length && a.every((row, index) => row.nid === b[index]?.nid)
}

function lookupOf(rows: readonly EventRow[], rules: RoomVersionRules): StateLookup {
  const events = rows.map((row) => pduOfRow(row, rules))
  return (type, stateKey) => events.find((event) => event.type === type && event.stateKey === stateKey)
}
