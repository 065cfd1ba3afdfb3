/** One room of a sync answer: timeline, state, account data, summary. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { roomCounts, unreadParts } from '../../push/counts.ts'
import type { ClientEvents, ViewOptions } from '../../rooms/read/client-events.ts'
import { type RoomEventFilter, relatedOnly } from '../../rooms/read/event-filter.ts'
import type { ReadStore } from '../../rooms/read/expiry.ts'
import { formatStream, formatTopological } from '../../rooms/read/tokens.ts'
import { visibleTo } from '../../rooms/read/visibility.ts'
import { MOVED } from '../active-user.ts'
import { pickFields } from '../filter.ts'
import type { LazyMembers } from '../lazy-members.ts'
import type { StateCache } from '../state-cache.ts'
import { eventsJson, type SyncRequest } from './request.ts'
import type { Summaries } from './summary.ts'
import { type ReadNewest, readTimeline, type Timeline, withoutHidden } from './timeline.ts'

export interface SectionDeps {
  readonly store: ReadStore
  readonly clientEvents: ClientEvents
  readonly lazyMembers: LazyMembers
  readonly stateCache: StateCache
  readonly summaries: Summaries
  readonly ignored: IgnoredUsers
  /** Events of a timeline at most. */
  readonly timelineMax: number
}

/** A room as its reader stands to it. */
export interface RoomOfReader {
  readonly request: SyncRequest
  readonly room: number
  readonly roomId: string
  readonly rules: RoomVersionRules
  /** Inclusive end of what is told. */
  readonly now: number
  /** Row id of the event by which the reader left; undefined while they are in the room. */
  readonly left: number | undefined
  /** JSON texts of the room's account data. */
  readonly accountData: readonly string[]
  /** JSON texts of typing and receipts. */
  readonly ephemeral: readonly string[]
}

/** What is asked of one room. */
export interface SectionRequest extends RoomOfReader {
  /** Start of the stretch, or undefined for the whole room (new to the client, or full state asked for). */
  readonly since: number | undefined
  /** Position at which the client knew the room, also where it is told anew from the beginning. */
  readonly knownAt: number | undefined
  readonly newest: ReadNewest
  /** Whether the reader was in the room all the while, so that every event is visible. */
  readonly present: boolean
  /** Position from which on the reader is in the room; undefined when they are not. */
  readonly joinedAt: number | undefined
  /** Bits of MOVED: what may have changed since `since`. */
  readonly moved: number
  /** State is sent whole although the timeline goes on from `since`. */
  readonly fullState: boolean
}

/** The section as JSON, or undefined when there is nothing to tell. */
export async function roomSection(deps: SectionDeps, ask: SectionRequest): Promise<string | undefined> {
  const { since } = ask
  /* A receipt or a tag alone: neither timeline nor state need be looked at. */
  const still = since !== undefined && !ask.fullState && (ask.moved & MOVED.events) === 0
  /* Of a room that is told whole it is known what it takes, so that it can be read side by side. */
  const [timeline, early] = await Promise.all([
    still ? { rows: [], limited: false, membershipAt: UNKNOWN } : visibleTimeline(deps, ask),
    since === undefined && ask.left === undefined ? standing(deps, ask, true, true) : undefined,
  ])
  const [state, timelineTexts] = await Promise.all([
    still ? NO_STATE : stateEvents(deps, ask, timeline),
    since === undefined ? timelineJson(deps, ask, timeline, timeline.membershipAt) : undefined,
  ])
  const membersMoved =
    (ask.moved & MOVED.members) !== 0 || timeline.rows.some(isSummed) || state.rows.some(isSummed)
  /* A new name may move its bearer among the heroes, which alone is not worth an answer. */
  const named = (ask.moved & MOVED.names) !== 0
  const told = [timeline.rows, state.rows, state.whole, ask.accountData, ask.ephemeral]
  const read = since !== undefined && (ask.moved & MOVED.counts) !== 0
  const nothing = !read && !membersMoved && told.every((list) => list.length === 0)
  /* That the reader is out of a room must be told even when nothing of it may be shown. */
  if (nothing && since !== undefined && !ask.fullState && ask.left === undefined) return undefined
  const texts = timelineTexts ?? (await timelineJson(deps, ask, timeline, timeline.membershipAt))
  const parts = await eventParts(deps, ask, { ...timeline, texts }, state)
  /* Of a room that was left, the present counts and names are not the reader's to know. */
  if (ask.left === undefined) {
    parts.push(`"ephemeral":${eventsJson(ask.ephemeral)}`)
    const counted = since === undefined || ask.fullState || (ask.moved & (MOVED.events | MOVED.counts)) !== 0
    /* State told whole may be a ready text that nobody looked into for members; and a filter may hide them. */
    const summed =
      membersMoved || named || since === undefined || ask.fullState || ask.moved === MOVED.everything
    parts.push(...(early ?? (await standing(deps, ask, counted, summed))))
  }
  return `{${parts.join(',')}}`
}

/** How the room stands, as members of a section: what is unread, and the summary. */
async function standing(
  deps: SectionDeps,
  { request, room, now }: SectionRequest,
  counted: boolean,
  summed: boolean,
): Promise<string[]> {
  const { userId } = request
  const [counts, summary] = await Promise.all([
    counted ? roomCounts(deps.store, userId, room, now) : undefined,
    summed ? deps.summaries.of(room, userId, deps.store) : undefined,
  ])
  const parts: string[] = counts ? [...unreadParts(counts, request.filter.unreadThreads)] : []
  if (summary) parts.push(`"summary":${JSON.stringify(summary)}`)
  return parts
}

/** A room that the reader is out of without having been in it, by a refused invite or a ban: that event and no more. */
export async function outsideSection(deps: SectionDeps, ask: RoomOfReader): Promise<string> {
  const rows = ask.left === undefined ? [] : await deps.store.events.byNids([ask.left])
  const { timeline } = ask.request.filter
  const shown = timeline.passesRoom(ask.roomId) ? rows.filter((row) => timeline.passes(row)) : []
  const texts = await timelineJson(deps, ask, { rows: shown }, UNKNOWN)
  const parts = await eventParts(deps, ask, { rows: shown, limited: false, texts }, NO_STATE)
  return `{${parts.join(',')}}`
}

function viewOf(deps: SectionDeps, { request, rules }: RoomOfReader): ViewOptions {
  const federationFormat = request.filter.eventFormat === 'federation'
  return { rules, withoutRoomId: true, federationFormat, reads: deps.store }
}

/** Timeline, state and account data, as members of a section. */
async function eventParts(
  deps: SectionDeps,
  ask: RoomOfReader,
  timeline: Timeline & { readonly texts: readonly string[] },
  state: StateOfSection,
): Promise<string[]> {
  const { request, rules } = ask
  const timelineTexts = pick(timeline.texts, request)
  const changed = asEverybody(request)
    ? await deps.stateCache.texts(state.rows, rules)
    : pick(await deps.clientEvents.view(state.rows, request, viewOf(deps, ask)), request)
  const stateTexts = state.whole === '' ? changed : [state.whole, ...changed]
  const prev = prevBatch(deps.store, timeline.rows, ask.now)
  return [
    timelinePart(timelineTexts, timeline.limited, prev),
    `"${request.stateAfter ?? 'state'}":${eventsJson(stateTexts)}`,
    `"account_data":${eventsJson(ask.accountData)}`,
  ]
}

export function timelinePart(texts: readonly string[], limited: boolean, prevBatch: string): string {
  return `"timeline":{"events":[${texts.join(',')}],"limited":${limited},"prev_batch":${JSON.stringify(prevBatch)}}`
}

/** The timeline's events; those that are there as state without what held before them, which is hidden too. */
async function timelineJson(
  deps: SectionDeps,
  ask: RoomOfReader,
  { rows, asState = NONE }: Pick<Timeline, 'rows' | 'asState'>,
  membershipAt: MembershipAt,
): Promise<readonly string[]> {
  const viewer = ask.request
  const view = { ...viewOf(deps, ask), membershipAt }
  if (asState.size === 0) return deps.clientEvents.view(rows, viewer, view)
  const seen = rows.filter((row) => !asState.has(row))
  const texts = (await deps.clientEvents.view(seen, viewer, view)).values()
  const plain = (await deps.clientEvents.plain([...asState], view.rules)).values()
  return rows.map((row) => (asState.has(row) ? plain : texts).next().value!)
}

const NONE: ReadonlySet<EventRow> = new Set()

/** The events with only the fields that the filter names. */
function pick(texts: readonly string[], request: SyncRequest): readonly string[] {
  const fields = request.filter.eventFields
  if (fields === undefined) return texts
  return texts.map((text) => JSON.stringify(pickFields(JSON.parse(text) as JsonObject, fields)))
}

function isMember(row: EventRow): boolean {
  return row.type === 'm.room.member'
}

/** Whether an event may change a summary: its counts, or whether the room is named after its members. */
function isSummed({ type, stateKey }: EventRow): boolean {
  return SUMMED.has(type) && stateKey !== null
}

const SUMMED: ReadonlySet<string> = new Set(['m.room.member', 'm.room.name', 'm.room.canonical_alias'])

/** Where `/messages` goes on backwards: just before the first event, or behind all when there is none. */
export function prevBatch(store: Store, rows: readonly EventRow[], now: number): string {
  const first = rows[0]
  if (!first) return formatStream({ epoch: store.epoch, position: now })
  return formatTopological({ epoch: store.epoch, depth: first.depth, arrival: first.arrival ?? first.nid })
}

interface SeenTimeline extends Timeline {
  /** The reader's membership at an event. */
  readonly membershipAt: MembershipAt
}

type MembershipAt = NonNullable<ViewOptions['membershipAt']>

const IN_THE_ROOM: MembershipAt = () => 'join'
const UNKNOWN: MembershipAt = () => undefined

async function visibleTimeline(deps: SectionDeps, ask: SectionRequest): Promise<SeenTimeline> {
  const { request, since, now, newest } = ask
  const ignored = await deps.ignored.ignoredBy(request.userId)
  const overBefore = await deps.store.expiry?.before(ask.room)
  const wanted = request.filter.timeline
  const filter = { ...wanted, limit: Math.min(wanted.limit, deps.timelineMax) }
  const related = (rows: readonly EventRow[]) => relatedOnly(deps.store, ask.room, rows, filter.relatedBy)
  const read = await readTimeline(newest, since ?? 0, now, filter, ask.roomId, ignored, overBefore, related)
  /* A room that is new to the client has a gap before its timeline even when the room begins there. */
  const limited = read.limited || (since === undefined && request.since !== undefined)
  const [first] = read.rows
  const joinedBefore = ask.joinedAt !== undefined && (first?.arrival ?? 0) > ask.joinedAt
  if (ask.present || joinedBefore) return { rows: read.rows, limited, membershipAt: IN_THE_ROOM }
  if (!first) return { rows: [], limited, membershipAt: UNKNOWN }
  const seen = await visibleTo(deps.store, read.rows, request.userId, ask.rules)
  const visible = new Map<number, string | undefined>(
    seen.map(({ row, membership }) => [row.nid, membership]),
  )
  if (ask.left !== undefined && !visible.has(ask.left)) visible.set(ask.left, undefined)
  const shown = await withoutHidden(deps.store, read.rows, (row) => visible.has(row.nid), now)
  return { ...shown, limited, membershipAt: (row) => visible.get(row.nid) }
}

/** The state that a section tells of. */
interface StateOfSection {
  /** Ready texts with commas between, which come first. */
  readonly whole: string
  readonly rows: readonly EventRow[]
}

const NO_STATE: StateOfSection = { whole: '', rows: [] }

/** The state that the client needs besides the timeline. */
async function stateEvents(
  deps: SectionDeps,
  ask: SectionRequest,
  timeline: Timeline,
): Promise<StateOfSection> {
  const { request, since, now } = ask
  const filter = request.filter.state
  if (filter.passesNone || !filter.passesRoom(ask.roomId)) return NO_STATE
  const first = timeline.rows[0]
  const whole = since === undefined || ask.fullState
  const lazy = filter.lazyLoadMembers
  const filtered = request.stateAfter === undefined && !request.filter.timeline.passesAll
  const behind = timeline.limited || request.stateAfter !== undefined || !first || filtered
  /* Most answers: the timeline holds all that happened. */
  if (!whole && !behind && !lazy) return NO_STATE
  const end: StatePoint = { branch: 0, pos: now }
  const start = first ? ((await deps.store.state.pointBefore(first.nid)) ?? end) : end
  const until = request.stateAfter !== undefined ? end : start
  let rows: EventRow[] = []
  let text = ''
  if (whole && filter.passesAll && asEverybody(request)) {
    const part = lazy ? 'without members' : 'all'
    text = await deps.stateCache.text({ room: ask.room, rules: ask.rules, point: until, part }, deps.store)
  } else if (whole) {
    rows = await deps.store.state.eventsAt(ask.room, until, lazy ? 'm.room.member' : undefined)
  } else if (behind) rows = await gap(deps.store, ask.room, { branch: 0, pos: since }, until)
  if (whole && lazy && ask.knownAt !== undefined) {
    /* The client holds members from before, and must hear of those that are no longer what they were. */
    const changed = await gap(deps.store, ask.room, { branch: 0, pos: ask.knownAt }, until)
    rows = [...rows, ...changed.filter(isMember)]
  }
  if (filtered && first) {
    /* What the timeline's filter keeps out of it the client gets as state. */
    const shown = new Set(timeline.rows.map((row) => row.nid))
    const later = await gap(deps.store, ask.room, start, end)
    rows = [...rows, ...later.filter((row) => !shown.has(row.nid))]
  }
  if (lazy) rows = [...rows, ...(await lazyMembers(deps, ask, timeline, until, rows, whole))]
  return { whole: text, rows: filter.passesAll ? rows : rows.filter((row) => filter.passes(row)) }
}

/** Whether the reader wants events in no form of their own. */
export function asEverybody({ filter }: SyncRequest): boolean {
  return filter.eventFields === undefined && filter.eventFormat !== 'federation'
}

/** State events that hold at the end of a gap and did not at its start. */
async function gap(store: Store, room: number, from: StatePoint, until: StatePoint): Promise<EventRow[]> {
  const nids = (await store.state.difference(room, from, until))
    .map((change) => change.to)
    .filter((nid) => nid !== 0)
  const rows: EventRow[] = []
  for (let i = 0; i < nids.length; i += READ_NIDS) {
    rows.push(...(await store.events.byNids(nids.slice(i, i + READ_NIDS))))
  }
  return rows.sort((a, b) => a.nid - b.nid)
}

/** Events of one read by row id. */
const READ_NIDS = 200

/** Members of the timeline's senders, and the reader's own on a whole room, that this device was not told yet. */
async function lazyMembers(
  deps: SectionDeps,
  ask: SectionRequest,
  timeline: Timeline,
  point: StatePoint,
  have: readonly EventRow[],
  whole: boolean,
): Promise<EventRow[]> {
  const { request, room } = ask
  const wanted = new Set(timeline.rows.map((row) => row.sender))
  if (whole) wanted.add(request.userId)
  if (ask.left === undefined && (whole || have.some(isSummed) || timeline.rows.some(isSummed))) {
    const summary = await deps.summaries.of(room, request.userId, deps.store)
    for (const hero of summary['m.heroes'] ?? []) wanted.add(hero)
  }
  const told = new Set<string>()
  for (const row of have) if (isMember(row) && row.stateKey !== null) told.add(row.stateKey)
  if (request.stateAfter === undefined) {
    for (const row of timeline.rows) if (isMember(row) && row.stateKey === row.sender) told.add(row.sender)
  }
  const known = redundant(request.filter.state) ? undefined : deps.lazyMembers.of(request, room)
  if (whole) known?.clear()
  const missing = [...wanted].filter((user) => !told.has(user) && !known?.has(user))
  if (known) for (const user of [...missing, ...told]) known.set(user, ask.now)
  if (missing.length === 0) return []
  return deps.store.state.at(
    room,
    point,
    missing.map((user) => ['m.room.member', user] as const),
  )
}

function redundant(filter: RoomEventFilter): boolean {
  return filter.includeRedundantMembers
}
