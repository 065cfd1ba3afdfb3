/** One room of a sync answer: timeline, state, account data, summary. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import type { ClientEvents } from '../../rooms/read/client-events.ts'
import type { RoomEventFilter } from '../../rooms/read/event-filter.ts'
import { formatTopological } from '../../rooms/read/tokens.ts'
import { visibleTo } from '../../rooms/read/visibility.ts'
import { pickFields } from '../filter.ts'
import type { LazyMembers } from '../lazy-members.ts'
import { eventsJson, type SyncRequest } from './request.ts'
import { summaryOf } from './summary.ts'
import { type ReadNewest, readTimeline, type Timeline } from './timeline.ts'

export interface SectionDeps {
  readonly store: Store
  readonly clientEvents: ClientEvents
  readonly lazyMembers: LazyMembers
}

/** What is asked of one room. */
export interface SectionRequest {
  readonly request: SyncRequest
  readonly room: number
  readonly rules: RoomVersionRules
  /** Start of the stretch, or undefined for the whole room (new to the client, or full state asked for). */
  readonly since: number | undefined
  /** Inclusive end of the stretch. */
  readonly now: number
  readonly newest: ReadNewest
  /** Whether the reader was in the room all the while, so that every event is visible. */
  readonly present: boolean
  /** JSON texts of the room's account data. */
  readonly accountData: readonly string[]
  /** State is sent whole although the timeline goes on from `since`. */
  readonly fullState: boolean
}

/** The section as JSON, or undefined when there is nothing to tell. */
export async function roomSection(deps: SectionDeps, ask: SectionRequest): Promise<string | undefined> {
  const { request, room, since, now } = ask
  const timeline = await visibleTimeline(deps, ask)
  const state = await stateEvents(deps, ask, timeline)
  const membersMoved = timeline.rows.some(isMember) || state.some(isMember)
  const nothing = timeline.rows.length === 0 && state.length === 0 && ask.accountData.length === 0
  if (nothing && since !== undefined && !ask.fullState) return undefined
  const view = {
    rules: ask.rules,
    withoutRoomId: true,
    federationFormat: request.filter.eventFormat === 'federation',
  }
  const viewer = { userId: request.userId, deviceId: request.deviceId }
  const membershipAt = ask.present ? () => 'join' : undefined
  const timelineView = membershipAt ? { ...view, membershipAt } : view
  const timelineTexts = pick(await deps.clientEvents.view(timeline.rows, viewer, timelineView), request)
  const stateTexts = pick(await deps.clientEvents.view(state, viewer, view), request)
  const parts = [`"timeline":{"events":[${timelineTexts.join(',')}],"limited":${timeline.limited}`]
  parts[0] += `,"prev_batch":${JSON.stringify(prevBatch(deps.store, timeline.rows, now))}}`
  parts.push(`"${request.useStateAfter ? 'state_after' : 'state'}":${eventsJson(stateTexts)}`)
  parts.push(`"account_data":${eventsJson(ask.accountData)}`, '"ephemeral":{"events":[]}')
  if (membersMoved || since === undefined) {
    parts.push(`"summary":${JSON.stringify(await summaryOf(deps.store, room, request.userId))}`)
  }
  return `{${parts.join(',')}}`
}

/** The events with only the fields that the filter names. */
function pick(texts: readonly string[], request: SyncRequest): readonly string[] {
  const fields = request.filter.eventFields
  if (fields === undefined) return texts
  return texts.map((text) => JSON.stringify(pickFields(JSON.parse(text) as JsonObject, fields)))
}

function isMember(row: EventRow): boolean {
  return row.type === 'm.room.member'
}

/** Where `/messages` goes on backwards: just before the first event, or behind all when there is none. */
function prevBatch(store: Store, rows: readonly EventRow[], now: number): string {
  const first = rows[0]
  if (!first) return `s${store.epoch}_${now}`
  return formatTopological({ epoch: store.epoch, depth: first.depth, arrival: first.arrival ?? first.nid })
}

async function visibleTimeline(deps: SectionDeps, ask: SectionRequest): Promise<Timeline> {
  const { request, since, now, newest } = ask
  const read = await readTimeline(newest, since ?? 0, now, request.filter.timeline)
  /* A room that is new to the client has a gap before its timeline even when the room begins there. */
  const limited = read.limited || (since === undefined && request.since !== undefined)
  if (ask.present || read.rows.length === 0) return { rows: read.rows, limited }
  const seen = await visibleTo(deps.store, read.rows, request.userId, ask.rules)
  return { rows: seen.map((entry) => entry.row), limited }
}

/** The state that the client needs besides the timeline. */
async function stateEvents(deps: SectionDeps, ask: SectionRequest, timeline: Timeline): Promise<EventRow[]> {
  const { request, since, now } = ask
  const filter = request.filter.state
  if (filter.passesNone) return []
  const first = timeline.rows[0]
  const end: StatePoint = { branch: 0, pos: now }
  const start = first ? ((await deps.store.state.pointBefore(first.nid)) ?? end) : end
  const until = request.useStateAfter ? end : start
  const whole = since === undefined || ask.fullState
  const lazy = filter.lazyLoadMembers
  let rows: EventRow[]
  if (whole) rows = await deps.store.state.eventsAt(ask.room, until, lazy ? 'm.room.member' : undefined)
  else if (timeline.limited || request.useStateAfter) rows = await gap(deps.store, ask.room, since, until)
  else rows = []
  if (lazy) rows = [...rows, ...(await lazyMembers(deps, ask, timeline, until, rows, whole))]
  return filter.passesAll ? rows : rows.filter((row) => filter.passes(row))
}

/** State events that hold at the end of a gap and did not at its start. */
async function gap(store: Store, room: number, since: number, until: StatePoint): Promise<EventRow[]> {
  const from: StatePoint = { branch: 0, pos: since }
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
  if (whole) {
    wanted.add(request.userId)
    const summary = await summaryOf(deps.store, room, request.userId)
    for (const hero of summary['m.heroes'] ?? []) wanted.add(hero)
  }
  const told = new Set<string>()
  for (const row of have) if (isMember(row) && row.stateKey !== null) told.add(row.stateKey)
  if (!request.useStateAfter) {
    for (const row of timeline.rows) if (isMember(row) && row.stateKey === row.sender) told.add(row.sender)
  }
  const known = redundant(request.filter.state)
    ? undefined
    : deps.lazyMembers.of(request.deviceId, request.userId, room)
  if (whole) known?.clear()
  const missing = [...wanted].filter((user) => !told.has(user) && !known?.has(user))
  if (known) for (const user of [...missing, ...told]) known.add(user)
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
