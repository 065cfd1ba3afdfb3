/** Keeping the index of messages with the events. docs/decisions/0013-search.md */
import type { SearchOp } from '#/ports/store/search.ts'
import { isObject, type JsonValue } from '#/protocol/json/value.ts'
import { searchKeyOf, searchTextOf } from '#/protocol/search/searchable.ts'
import { termsOfText } from '#/protocol/search/terms.ts'
import {
  SEARCH_FILL_EVENTS,
  SEARCH_MERGE_SEGMENTS,
  SEARCH_SEGMENT_POSTINGS,
  SEARCH_SMALL_POSTINGS,
  SEARCH_TAIL_EVENTS,
} from '../limits.ts'
import {
  addPosting,
  type Postings,
  packPage,
  packPostings,
  packTerms,
  partOf,
  unpackPage,
  unpackTerms,
} from '../sql/search-codec.ts'
import { first, lists, placeholders, run, type Sql } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'

type OpOf<K extends SearchOp['op']> = Extract<SearchOp, { op: K }>

/** What of an event decides whether and how it is indexed. */
interface Indexed {
  readonly type: string
  readonly stateKey: string | null
  readonly json: string
}

/** Instead of a count: nothing of the room is indexed any more. */
const ENCRYPTED = -1

const ENCRYPTION = `SELECT s.event FROM state_keys k CROSS JOIN room_state s
  WHERE k.type = 'm.room.encryption' AND k.state_key = '' AND s.room = ?1 AND s.branch = 0
    AND s.state_key = k.nid AND s.event <> 0`

/** The terms of an event; undefined when it is not of a kind that is searched. */
function termsOf({ type, stateKey, json }: Indexed): number[] | undefined {
  const key = searchKeyOf(type, stateKey)
  if (!key) return undefined
  const content = contentOf(json)
  const text = isObject(content) ? searchTextOf(key, content) : undefined
  return text === undefined ? [] : termsOfText(text)
}

/** Content of a stored event; undefined of a damaged one, which `myelin verify` reports and which nobody finds. */
function contentOf(json: string): JsonValue | undefined {
  try {
    const event = JSON.parse(json) as JsonValue
    return isObject(event) ? event['content'] : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function* isActive(ctx: PlanContext): Sql<boolean> {
  if (ctx.interned.searchActive !== undefined) return ctx.interned.searchActive
  const row = yield* first('SELECT active FROM search_state WHERE id = 1')
  const active = row?.active === 1
  ctx.interned.searchActive = active
  return active
}

/** Events in the tail of a room, or ENCRYPTED. */
function* tailOf(ctx: PlanContext, room: number): Sql<number> {
  const known = ctx.interned.searchTails.get(room)
  if (known !== undefined) return known
  const encryption = yield* first(ENCRYPTION, room)
  if (encryption) return ENCRYPTED
  const row = yield* first('SELECT COUNT(*) AS n FROM search_tail WHERE room = ?1', room)
  return row?.n as number
}

/** Indexes an event that was just inserted and is shown in its room's timeline. */
export function* indexEvent(ctx: PlanContext, room: number, nid: number, event: Indexed): Sql<void> {
  if (event.type === 'm.room.encryption' && event.stateKey === '') {
    ctx.interned.searchTails.set(room, ENCRYPTED)
    return
  }
  if (!searchKeyOf(event.type, event.stateKey) || !(yield* isActive(ctx))) return
  const waiting = yield* tailOf(ctx, room)
  ctx.interned.searchTails.set(room, waiting)
  const terms = waiting === ENCRYPTED ? [] : (termsOf(event) ?? [])
  if (terms.length === 0) return
  ctx.tell('INSERT INTO search_tail (room, event, terms) VALUES (?1, ?2, ?3)', room, nid, packTerms(terms))
  if (waiting + 1 >= SEARCH_TAIL_EVENTS) yield* packTail(ctx, room)
  ctx.interned.searchTails.set(room, waiting + 1 >= SEARCH_TAIL_EVENTS ? 0 : waiting + 1)
}

/** Makes the tail of a room a segment. */
function* packTail(ctx: PlanContext, room: number): Sql<void> {
  const rows = yield* run('SELECT event, terms FROM search_tail WHERE room = ?1', room)
  yield* run('DELETE FROM search_tail WHERE room = ?1', room)
  const postings: Postings = new Map()
  for (const row of rows) {
    for (const term of unpackTerms(row.terms as Uint8Array)) addPosting(postings, term, row.event as number)
  }
  yield* addSegment(ctx, room, postings)
}

function* addSegment(ctx: PlanContext, room: number, postings: Postings): Sql<void> {
  yield* writeSegment(room, postings)
  const { searchMergeIn } = ctx.interned
  let left = (searchMergeIn.get(room) ?? 0) - 1
  while (left <= 0) left = yield* mergeNewest(room)
  searchMergeIn.set(room, left)
}

function* writeSegment(room: number, postings: Postings): Sql<void> {
  const packed = packPostings(postings)
  if (!packed) return
  const { since, upto, parts, pages } = packed
  yield* run(
    'INSERT INTO search_segments (room, upto, since, postings, parts) VALUES (?1, ?2, ?3, ?4, ?5)',
    room,
    upto,
    since,
    packed.postings,
    parts,
  )
  for (const [part, data] of pages.entries()) {
    if (data) yield* writePage(room, upto, part, data)
  }
}

function writePage(room: number, upto: number, part: number, data: Uint8Array): Sql<unknown> {
  return run(
    `INSERT INTO search_pages (room, upto, part, data) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (room, upto, part) DO UPDATE SET data = excluded.data`,
    room,
    upto,
    part,
    data,
  )
}

interface Segment {
  readonly upto: number
  readonly since: number
  readonly postings: number
  readonly parts: number
}

function sizeClass(postings: number): number {
  if (postings < SEARCH_SMALL_POSTINGS) return 0
  return postings < SEARCH_SMALL_POSTINGS * SEARCH_MERGE_SEGMENTS ? 1 : 2
}

/**
 * Merges the newest segments of a room when enough of one size stand next to each other. Gives how many more there
 * must be before there is anything to merge; 0 when it has merged some.
 */
function* mergeNewest(room: number): Sql<number> {
  const segments = (yield* run(
    'SELECT upto, since, postings, parts FROM search_segments WHERE room = ?1 ORDER BY upto DESC LIMIT ?2',
    room,
    2 * SEARCH_MERGE_SEGMENTS,
  )) as unknown as Segment[]
  const size = sizeClass(segments[0]?.postings ?? SEARCH_SEGMENT_POSTINGS)
  const end = segments.findIndex((segment) => sizeClass(segment.postings) !== size)
  const same = end < 0 ? segments : segments.slice(0, end)
  if (size === 2) return SEARCH_MERGE_SEGMENTS
  if (same.length < SEARCH_MERGE_SEGMENTS) return SEARCH_MERGE_SEGMENTS - same.length
  const chosen: Segment[] = []
  let total = 0
  for (const segment of same.reverse()) {
    if (total + segment.postings > SEARCH_SEGMENT_POSTINGS) break
    chosen.push(segment)
    total += segment.postings
  }
  if (chosen.length < 2) return 1
  yield* merge(room, chosen)
  return 0
}

function* merge(room: number, segments: readonly Segment[]): Sql<void> {
  const postings: Postings = new Map()
  for (const { upto, since } of segments) {
    const rows = yield* run('SELECT data FROM search_pages WHERE room = ?1 AND upto = ?2', room, upto)
    for (const row of rows) unpackPage(row.data as Uint8Array, since, postings)
    yield* run('DELETE FROM search_pages WHERE room = ?1 AND upto = ?2', room, upto)
    yield* run('DELETE FROM search_segments WHERE room = ?1 AND upto = ?2', room, upto)
  }
  yield* writeSegment(room, postings)
}

/** Takes an event out of the index; `event` is what it was when it was indexed. */
export function unindexEvent(room: number, nid: number, event: Indexed): Sql<void> {
  return unindexEvents(room, new Map([[nid, event]]))
}

/** The same for many events of a room, by row id: each page of the index is written once. */
export function* unindexEvents(room: number, events: ReadonlyMap<number, Indexed>): Sql<void> {
  const going = new Map<number, readonly number[]>()
  for (const [nid, event] of events) {
    const terms = termsOf(event)
    if (terms && terms.length > 0) going.set(nid, terms)
  }
  for (const list of lists([...going.keys()])) {
    const waiting = yield* run(
      `DELETE FROM search_tail WHERE room = ?1 AND event IN (${placeholders(2, list.length)}) RETURNING event`,
      room,
      ...list,
    )
    for (const row of waiting) going.delete(row.event as number)
  }
  if (going.size === 0) return
  const segments = (yield* run(
    'SELECT upto, since, postings, parts FROM search_segments WHERE room = ?1 AND upto >= ?2 AND since <= ?3',
    room,
    Math.min(...going.keys()),
    Math.max(...going.keys()),
  )) as unknown as Segment[]
  for (const segment of segments) yield* removeFrom(room, segment, going)
}

/** `going` are events with their terms. */
function* removeFrom(
  room: number,
  { upto, since, parts }: Segment,
  going: ReadonlyMap<number, readonly number[]>,
): Sql<void> {
  for (const [part, leaving] of byPart(going, { upto, since, parts })) {
    const row = yield* first(
      'SELECT data FROM search_pages WHERE room = ?1 AND upto = ?2 AND part = ?3',
      room,
      upto,
      part,
    )
    if (!row) continue
    const postings: Postings = new Map()
    unpackPage(row.data as Uint8Array, since, postings)
    let removed = false
    for (const [term, nids] of leaving) {
      const held = postings.get(term)
      const rest = held?.filter((nid) => !nids.has(nid))
      if (!held || !rest || rest.length === held.length) continue
      removed = true
      if (rest.length > 0) postings.set(term, rest)
      else postings.delete(term)
    }
    if (removed) yield* writePage(room, upto, part, packPage([...postings.keys()], postings, since))
  }
}

/** Events of a segment by part of it and by term. */
function byPart(
  going: ReadonlyMap<number, readonly number[]>,
  { upto, since, parts }: Pick<Segment, 'upto' | 'since' | 'parts'>,
): Map<number, Map<number, Set<number>>> {
  const found = new Map<number, Map<number, Set<number>>>()
  for (const [nid, terms] of going) {
    if (nid < since || nid > upto) continue
    for (const term of terms) {
      const part = partOf(term, parts)
      const leaving = found.get(part) ?? new Map<number, Set<number>>()
      found.set(part, leaving)
      leaving.set(term, (leaving.get(term) ?? new Set()).add(nid))
    }
  }
  return found
}

/** Rows of the index that belong to a room. */
export const SEARCH_ROOM_TABLES = [
  'DELETE FROM search_tail WHERE room = ?1',
  'DELETE FROM search_pages WHERE room = ?1',
  'DELETE FROM search_segments WHERE room = ?1',
] as const

function* deleteRoomRows(ctx: PlanContext, room: number): Sql<void> {
  for (const text of SEARCH_ROOM_TABLES) yield* run(text, room)
  ctx.interned.searchTails.delete(room)
  ctx.interned.searchMergeIn.delete(room)
}

/** Turns the index on or off; what was indexed stays until `search.clear` or filling takes it out. */
export function* enableSearch(ctx: PlanContext, op: OpOf<'search.enable'>): Sql<void> {
  const row = yield* first('SELECT active FROM search_state WHERE id = 1')
  if ((row?.active === 1) === op.on) return
  if (op.on) yield* beginFilling()
  else yield* run('UPDATE search_state SET active = 0, filling = 0 WHERE id = 1')
  ctx.interned.searchActive = op.on
}

export function* restartSearch(): Sql<void> {
  const row = yield* first('SELECT active FROM search_state WHERE id = 1')
  if (row?.active === 1) yield* beginFilling()
}

function* beginFilling(): Sql<void> {
  const row = yield* first('SELECT MAX(nid) AS last FROM rooms')
  const last = (row?.last as number | null) ?? 0
  yield* run(
    `INSERT INTO search_state (id, active, filling, last, room, after, bound) VALUES (1, 1, ?1, ?2, 0, 0, 0)
     ON CONFLICT (id) DO UPDATE SET active = 1, filling = excluded.filling, last = excluded.last, room = 0,
       after = 0, bound = 0`,
    last > 0 ? 1 : 0,
    last,
  )
}

/** Below every arrival. */
const FIRST_ARRIVAL = -Number.MAX_SAFE_INTEGER

/** Indexes the next events of a room; with room 0, ends the filling. */
export function* fillSearch(ctx: PlanContext, op: OpOf<'search.fill'>): Sql<void> {
  const { room } = op
  const state = yield* first('SELECT filling, room, after, bound FROM search_state WHERE id = 1')
  if (state?.filling !== 1) return
  if (room === 0) {
    yield* run('UPDATE search_state SET filling = 0 WHERE id = 1')
    return
  }
  let after = state.after as number
  let bound = state.bound as number
  if (state.room !== room) {
    yield* deleteRoomRows(ctx, room)
    const newest = yield* first(
      'SELECT MAX(arrival) AS bound FROM events WHERE room = ?1 AND arrival IS NOT NULL',
      room,
    )
    after = FIRST_ARRIVAL
    bound = (newest?.bound as number | null) ?? FIRST_ARRIVAL
  }
  const upto = yield* indexPage(ctx, room, after, bound)
  yield* run('UPDATE search_state SET room = ?1, after = ?2, bound = ?3 WHERE id = 1', room, upto, bound)
}

/** Makes a segment of the next events; gives the arrival up to which the room is done. */
function* indexPage(ctx: PlanContext, room: number, after: number, bound: number): Sql<number> {
  const encryption = yield* first(ENCRYPTION, room)
  const rows = yield* run(
    `SELECT nid, arrival, type, state_key, redacted_by, json FROM events
     WHERE room = ?1 AND arrival > ?2 AND arrival <= ?3 ORDER BY arrival LIMIT ?4`,
    room,
    after,
    bound,
    SEARCH_FILL_EVENTS,
  )
  const postings: Postings = new Map()
  const end = (encryption?.event as number | undefined) ?? Number.MAX_SAFE_INTEGER
  for (const row of rows) {
    const nid = row.nid as number
    if (row.redacted_by !== null || nid > end) continue
    const event = {
      type: row.type as string,
      stateKey: row.state_key as string | null,
      json: row.json as string,
    }
    for (const term of termsOf(event) ?? []) addPosting(postings, term, nid)
  }
  yield* addSegment(ctx, room, postings)
  return rows.length < SEARCH_FILL_EVENTS ? bound : (rows.at(-1)!.arrival as number)
}

/** Takes one room out of an index that is off. */
export function* clearSearch(ctx: PlanContext): Sql<boolean> {
  if (yield* isActive(ctx)) return false
  const row =
    (yield* first('SELECT room FROM search_tail LIMIT 1')) ??
    (yield* first('SELECT room FROM search_pages LIMIT 1')) ??
    (yield* first('SELECT room FROM search_segments LIMIT 1'))
  if (!row) return false
  yield* deleteRoomRows(ctx, row.room as number)
  return true
}
