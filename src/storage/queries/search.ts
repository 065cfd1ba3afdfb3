/** Reading the index of messages. docs/decisions/0013-search.md */
import type { SearchCandidate, SearchFound, SearchQuery, SearchStatus } from '#/ports/store/search.ts'
import { SEARCH_PAGES_MAX } from '../limits.ts'
import { findInPage, partOf, unpackTerms } from '../sql/search-codec.ts'
import { first, lists, placeholders, run, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

export const searchStatus = query('search.status', 'small', function* (): Sql<SearchStatus> {
  const state = yield* first(
    'SELECT active, filling, last, room, after, bound FROM search_state WHERE id = 1',
  )
  const active = state?.active === 1
  if (state?.filling !== 1) return { active, filling: false, next: 0 }
  if (state.room !== 0 && (state.after as number) < (state.bound as number)) {
    return { active, filling: true, next: state.room as number }
  }
  const row = yield* first(
    'SELECT MIN(nid) AS next FROM rooms WHERE nid > ?1 AND nid <= ?2',
    state.room!,
    state.last!,
  )
  return { active, filling: true, next: (row?.next as number | null) ?? 0 }
})

export const searchMissing = query('search.missing', 'small', function* (rooms: readonly number[]): Sql<
  number[]
> {
  const state = yield* first('SELECT filling, last, room, after, bound FROM search_state WHERE id = 1')
  if (state?.filling !== 1) return []
  const { last, room, after, bound } = state as Record<string, number>
  return rooms.filter((each) => each <= last! && (each > room! || (each === room && after! < bound!)))
})

interface Segment {
  readonly room: number
  readonly upto: number
  readonly since: number
  readonly parts: number
}

/** Segments whose pages are read by the first question; then twice as many each time, while nothing is found. */
const SEGMENTS_FIRST = 16

/**
 * Segments are read from the newest on. What a segment gives is certain to be newer than what is still to come when
 * its row id is above the newest row ids of all segments that were not read.
 */
export const searchFind = query(
  'search.find',
  'large',
  function* (asked: SearchQuery): Sql<SearchFound> {
    const { limit, before } = asked
    const found = yield* findInTails(asked)
    const segments = yield* segmentsOf(asked)
    let at = 0
    let pages = 0
    for (let size = SEGMENTS_FIRST; at < segments.length; size *= 2) {
      const room = Math.max(1, Math.floor((SEARCH_PAGES_MAX - pages) / asked.terms.length))
      const chosen = segments.slice(at, at + Math.min(size, room))
      at += chosen.length
      for (const { parts } of chosen) pages += Math.min(parts, asked.terms.length)
      for (const candidate of yield* findInSegments(asked, chosen)) found.push(candidate)
      const floor = segments[at]?.upto ?? 0
      const certain = found.filter(({ event }) => event > floor).length
      if (certain > limit || pages >= SEARCH_PAGES_MAX) break
    }
    const floor = segments[at]?.upto
    const newest = distinct(found.filter(({ event }) => event < before && event > (floor ?? 0)))
    if (newest.length > limit) {
      const candidates = newest.slice(0, limit)
      return { candidates, next: candidates.at(-1)!.event }
    }
    return floor === undefined ? { candidates: newest } : { candidates: newest, next: floor + 1 }
  },
  { snapshot: true },
)

function distinct(candidates: readonly SearchCandidate[]): SearchCandidate[] {
  const sorted = candidates.toSorted((a, b) => b.event - a.event)
  return sorted.filter(({ event }, i) => event !== sorted[i - 1]?.event)
}

function* findInTails({ rooms, terms, before }: SearchQuery): Sql<SearchCandidate[]> {
  const found: SearchCandidate[] = []
  for (const list of lists(rooms)) {
    const rows = yield* run(
      `SELECT room, event, terms FROM search_tail
       WHERE room IN (${placeholders(2, list.length)}) AND event < ?1`,
      before,
      ...list,
    )
    for (const row of rows) {
      const has = new Set(unpackTerms(row.terms as Uint8Array))
      if (terms.every((term) => has.has(term))) {
        found.push({ event: row.event as number, room: row.room as number })
      }
    }
  }
  return found
}

function* segmentsOf({ rooms, before }: SearchQuery): Sql<Segment[]> {
  const segments: Segment[] = []
  for (const list of lists([...new Set(rooms)])) {
    const rows = yield* run(
      `SELECT room, upto, since, parts FROM search_segments
       WHERE room IN (${placeholders(2, list.length)}) AND since < ?1`,
      before,
      ...list,
    )
    for (const row of rows) segments.push(row as unknown as Segment)
  }
  return segments.sort((a, b) => b.upto - a.upto)
}

type PageKey = readonly [room: number, upto: number, part: number]

/** `(?1, ?2, ?3), …` for a VALUES list of numbers. */
function keyList(count: number): string {
  const rows: string[] = []
  for (let i = 0; i < count; i++) {
    const at = 3 * i
    rows.push(`(CAST(?${at + 1} AS BIGINT), CAST(?${at + 2} AS BIGINT), CAST(?${at + 3} AS BIGINT))`)
  }
  return rows.join(', ')
}

function* findInSegments({ terms }: SearchQuery, segments: readonly Segment[]): Sql<SearchCandidate[]> {
  const keys: PageKey[] = []
  for (const { room, upto, parts } of segments) {
    for (const part of new Set(terms.map((term) => partOf(term, parts)))) keys.push([room, upto, part])
  }
  const pages = new Map<string, Uint8Array>()
  for (const list of lists(keys)) {
    const rows = yield* run(
      `SELECT p.room, p.upto, p.part, p.data FROM (VALUES ${keyList(list.length)}) AS v
       CROSS JOIN search_pages p WHERE p.room = v.column1 AND p.upto = v.column2 AND p.part = v.column3`,
      ...list.flat(),
    )
    for (const row of rows) pages.set(`${row.room} ${row.upto} ${row.part}`, row.data as Uint8Array)
  }
  const found: SearchCandidate[] = []
  for (const { room, upto, since, parts } of segments) {
    const lists: number[][] = []
    for (const term of terms) {
      const page = pages.get(`${room} ${upto} ${partOf(term, parts)}`)
      const events = page ? findInPage(page, since, term) : []
      lists.push(events)
      if (events.length === 0) break
    }
    for (const event of common(lists)) found.push({ event, room })
  }
  return found
}

/** Members of all lists. */
function common(all: readonly (readonly number[])[]): number[] {
  const [shortest = [], ...others] = all.toSorted((a, b) => a.length - b.length)
  if (shortest.length === 0) return []
  const sets = others.map((list) => new Set(list))
  return shortest.filter((event) => sets.every((set) => set.has(event)))
}
