/** Which events of a room a user may see: the protocol's rule, with the state at the events from the store. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StateTurn } from '#/ports/store/many.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import type { StateKeyPair, StateLookup } from '#/protocol/event/pdu.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import {
  type Around,
  canUserSee,
  type HistoryVisibility,
  membershipAround,
  readHistoryVisibility,
  readMembership,
  type VisibleMembership,
  visibilityAround,
} from '#/protocol/visibility/history-visibility.ts'
import { pduOfRow } from '../stored-event.ts'
import { type ReadStore, withoutOver } from './expiry.ts'
import { lastTimeJoined } from './stay.ts'

/** Events of one read. */
const ROWS_PER_READ = 200

export interface Seen {
  readonly row: EventRow
  /** The reader's membership when the event was sent, or after it for the reader's own member event. */
  readonly membership: string
}

/** Rows that are visible to `userId`, in order. `given` are of one room, oldest or newest first. */
export async function visibleTo(
  store: ReadStore,
  given: readonly EventRow[],
  userId: string,
  rules: RoomVersionRules,
): Promise<Seen[]> {
  const rows = await withoutOver(store, given)
  const room = rows[0]?.room
  if (room === undefined) return []
  const [lastJoined, states] = await Promise.all([
    lastJoinedTo(store, room, userId),
    statesBefore(store, room, rows, userId, rules),
  ])
  const seen: Seen[] = []
  const still = new Map<StateLookup, FactsAround>()
  for (const [index, row] of rows.entries()) {
    const before = states[index]!
    const facts = factsAround(row, userId, before, rules, still)
    const joinedLater = row.nid < lastJoined
    if (canUserSee({ ...facts, joinedLater })) seen.push({ row, membership: facts.membership.after })
  }
  return seen
}

async function lastJoinedTo(store: Store, room: number, userId: string): Promise<number> {
  const own = await store.rooms.membership(room, userId)
  return own ? lastTimeJoined(store, own) : 0
}

interface FactsAround {
  readonly visibility: Around<HistoryVisibility>
  readonly membership: Around<VisibleMembership>
}

/** What holds around an event. Most change nothing and need not be parsed: `still` remembers what holds at a state. */
function factsAround(
  row: EventRow,
  userId: string,
  before: StateLookup,
  rules: RoomVersionRules,
  still: Map<StateLookup, FactsAround>,
): FactsAround {
  const moves =
    (row.type === 'm.room.member' && row.stateKey === userId) || row.type === 'm.room.history_visibility'
  if (moves) {
    const pdu = pduOfRow(row, rules)
    return { visibility: visibilityAround(pdu, before), membership: membershipAround(pdu, userId, before) }
  }
  const known = still.get(before)
  if (known) return known
  const visibility = readHistoryVisibility(before('m.room.history_visibility', ''))
  const membership = readMembership(before('m.room.member', userId))
  const facts = {
    visibility: { before: visibility, after: visibility },
    membership: { before: membership, after: membership },
  }
  still.set(before, facts)
  return facts
}

/** Whether a user may see one event. */
export async function canSee(
  store: ReadStore,
  row: EventRow,
  userId: string,
  rules: RoomVersionRules,
): Promise<Seen | undefined> {
  return (await visibleTo(store, [row], userId, rules))[0]
}

/**
 * What a user may see of some events (row ids) of one room: a function that gives the user's membership at an event,
 * or undefined for one that is hidden. Where nothing that matters changed between them, the events are not read.
 */
export async function membershipsAt(
  store: ReadStore,
  room: number,
  nids: readonly number[],
  userId: string,
  rules: RoomVersionRules,
): Promise<(nid: number) => string | undefined> {
  if (nids.length === 0) return () => undefined
  const low = nids.reduce((a, b) => Math.min(a, b))
  const high = nids.reduce((a, b) => Math.max(a, b))
  const keys = keysFor(userId)
  const first = await store.state.at(room, { branch: 0, pos: low - 1 }, keys)
  const last = await store.state.at(room, { branch: 0, pos: high }, keys)
  const mayBeOver = (await store.expiry?.before(room)) !== undefined
  if (!mayBeOver && sameEvents(first, last) && !(await store.state.anyBranched(nids))) {
    const own = await store.rooms.membership(room, userId)
    const lastJoined = own ? await lastTimeJoined(store, own) : 0
    const state = lookupOf(first, rules)
    const visibility = readHistoryVisibility(state('m.room.history_visibility', ''))
    const membership = readMembership(state('m.room.member', userId))
    const always = { before: visibility, after: visibility }
    const seen = (nid: number): boolean =>
      canUserSee({
        visibility: always,
        membership: { before: membership, after: membership },
        joinedLater: nid < lastJoined,
      })
    return (nid) => (seen(nid) ? membership : undefined)
  }
  const rows: EventRow[] = []
  for (let i = 0; i < nids.length; i += ROWS_PER_READ) {
    rows.push(...(await store.events.byNids(nids.slice(i, i + ROWS_PER_READ))))
  }
  const visible = await visibleTo(store, rows, userId, rules)
  const byNid = new Map(visible.map((seen) => [seen.row.nid, seen.membership]))
  return (nid) => byNid.get(nid)
}

/**
 * The nearest event that ends a stretch which is hidden from a user: behind `from`, or before it with `dir` b. Nothing
 * but their membership and the room's visibility hides and shows, so the events between need not be read. Undefined
 * where there is none, or where both changed too often to look through.
 */
export async function endOfHidden(
  store: ReadStore,
  from: EventRow,
  dir: 'f' | 'b',
  userId: string,
  rules: RoomVersionRules,
): Promise<EventRow | undefined> {
  const stretch = dir === 'f' ? { from: from.nid, to: store.position() } : { from: 0, to: from.nid }
  const turns = (await store.state.turns({ room: from.room, ...stretch, keys: keysFor(userId) })) ?? []
  const rows = turns
    .flatMap(({ event }) => event ?? [])
    .filter(({ ts }) => (dir === 'f' ? ts >= from.ts : ts <= from.ts))
  rows.sort((a, b) => (dir === 'f' ? a.nid - b.nid : b.nid - a.nid))
  return (await visibleTo(store, rows, userId, rules))[0]?.row
}

/**
 * The state before each row, as lookups of the two keys that matter; the same one for rows between which neither
 * changed. On the main line one question answers for the whole page.
 */
async function statesBefore(
  store: Store,
  room: number,
  rows: readonly EventRow[],
  userId: string,
  rules: RoomVersionRules,
): Promise<StateLookup[]> {
  const keys = keysFor(userId)
  const at = async (point: StatePoint): Promise<EventRow[]> => store.state.at(room, point, keys)
  const points = await store.state.pointsBefore(rows.map((row) => row.nid))
  const mainLine = points.every((point) => point.branch === 0)
  if (mainLine && rows.length > 1) {
    const from = points.reduce((low, { pos }) => Math.min(low, pos), Number.MAX_SAFE_INTEGER)
    const to = points.reduce((high, { pos }) => Math.max(high, pos), 0)
    const turns = await store.state.turns({ room, from, to, keys })
    if (turns) return lookupsOver(turns, points, rules)
  }
  /* Most neighbours have the same state, whose events need be parsed once. */
  const known = new Map<string, StateLookup>()
  const lookups: StateLookup[] = []
  for (const point of points) {
    const held = await at(point)
    const name = held.map((row) => row.nid).join()
    const lookup = known.get(name) ?? lookupOf(held, rules)
    known.set(name, lookup)
    lookups.push(lookup)
  }
  return lookups
}

/** Lookups at points of the main line, from those who took the keys in turn, for each key the oldest first. */
function lookupsOver(
  turns: readonly StateTurn[],
  points: readonly StatePoint[],
  rules: RoomVersionRules,
): StateLookup[] {
  const known = new Map<string, StateLookup>()
  return points.map(({ pos }) => {
    const held = new Map<string, EventRow>()
    for (const turn of turns) {
      if (turn.pos > pos) continue
      const key = `${turn.type}\0${turn.stateKey}`
      if (turn.event) held.set(key, turn.event)
      else held.delete(key)
    }
    const rows = [...held.values()]
    const name = rows.map((row) => row.nid).join(' ')
    const lookup = known.get(name) ?? lookupOf(rows, rules)
    known.set(name, lookup)
    return lookup
  })
}

function keysFor(userId: string): StateKeyPair[] {
  return [
    ['m.room.history_visibility', ''],
    ['m.room.member', userId],
  ]
}

function sameEvents(a: readonly EventRow[], b: readonly EventRow[]): boolean {
  return a.length === b.length && a.every((row, index) => row.nid === b[index]?.nid)
}

function lookupOf(rows: readonly EventRow[], rules: RoomVersionRules): StateLookup {
  const events = rows.map((row) => pduOfRow(row, rules))
  return (type, stateKey) => events.find((event) => event.type === type && event.stateKey === stateKey)
}
