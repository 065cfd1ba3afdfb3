/** Postings: for each term the row ids of the events that have it, packed by ranges of terms. */
import { TERM_BITS } from '#/protocol/search/terms.ts'
import { SEARCH_PAGE_POSTINGS, SEARCH_PARTS_MAX } from '../limits.ts'
import { ByteReader, ByteWriter, uintLength } from './varint.ts'

/** Row ids of events by term. */
export type Postings = Map<number, number[]>

export interface PackedPostings {
  readonly since: number
  readonly upto: number
  readonly postings: number
  /** Number of ranges, a power of two. */
  readonly parts: number
  /** One per range; empty ones are undefined. */
  readonly pages: readonly (Uint8Array | undefined)[]
}

/** The range that a term belongs to. */
export function partOf(term: number, parts: number): number {
  return Math.floor((term * parts) / 2 ** TERM_BITS)
}

export function addPosting(into: Postings, term: number, event: number): void {
  const events = into.get(term)
  if (events) events.push(event)
  else into.set(term, [event])
}

/** Packs postings; undefined when there are none. */
export function packPostings(postings: Postings): PackedPostings | undefined {
  let total = 0
  let since = Number.POSITIVE_INFINITY
  let upto = 0
  for (const events of postings.values()) {
    events.sort((a, b) => a - b)
    total += events.length
    since = Math.min(since, events[0] ?? since)
    upto = Math.max(upto, events.at(-1) ?? upto)
  }
  if (total === 0) return undefined
  let parts = 1
  while (parts < SEARCH_PARTS_MAX && total > parts * SEARCH_PAGE_POSTINGS) parts *= 2
  const pages: (Uint8Array | undefined)[] = new Array(parts).fill(undefined)
  const ranges: number[][] = Array.from({ length: parts }, () => [])
  for (const term of [...postings.keys()].sort((a, b) => a - b)) ranges[partOf(term, parts)]!.push(term)
  for (const [part, terms] of ranges.entries()) {
    if (terms.length > 0) pages[part] = packPage(terms, postings, since)
  }
  return { since, upto, postings: total, parts, pages }
}

/** One page: of each term its distance from the one before, the length of what follows, and the events' distances. */
export function packPage(terms: readonly number[], postings: Postings, since: number): Uint8Array {
  const writer = new ByteWriter()
  let lastTerm = 0
  for (const term of terms) {
    const distances: number[] = []
    let length = 0
    let last = since
    for (const event of postings.get(term)!) {
      distances.push(event - last)
      length += uintLength(event - last)
      last = event
    }
    writer.uint(term - lastTerm).uint(length)
    for (const distance of distances) writer.uint(distance)
    lastTerm = term
  }
  return writer.bytes()
}

/** Adds all postings of a page to `into`. */
export function unpackPage(data: Uint8Array, since: number, into: Postings): void {
  const reader = new ByteReader(data)
  let term = 0
  while (!reader.done) {
    term += reader.uint()
    const end = reader.uint() + reader.at
    let last = since
    while (reader.at < end) {
      last += reader.uint()
      addPosting(into, term, last)
    }
  }
}

/** The events of one term on a page. Postings of other terms are skipped unread. */
export function findInPage(data: Uint8Array, since: number, wanted: number): number[] {
  const reader = new ByteReader(data)
  const events: number[] = []
  let term = 0
  while (!reader.done) {
    term += reader.uint()
    const length = reader.uint()
    if (term > wanted) break
    const end = reader.at + length
    if (term < wanted) {
      reader.skip(length)
      continue
    }
    let last = since
    while (reader.at < end) {
      last += reader.uint()
      events.push(last)
    }
    break
  }
  return events
}

/** Terms of one event, ascending. */
export function packTerms(terms: readonly number[]): Uint8Array {
  const writer = new ByteWriter()
  let last = 0
  for (const term of terms) {
    writer.uint(term - last)
    last = term
  }
  return writer.bytes()
}

export function unpackTerms(data: Uint8Array): number[] {
  const reader = new ByteReader(data)
  const terms: number[] = []
  let last = 0
  while (!reader.done) {
    last += reader.uint()
    terms.push(last)
  }
  return terms
}
