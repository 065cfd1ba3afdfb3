/** The index of messages: its pages can be read, and lead to events of the room that still have a text. */
import { TERM_BITS } from '#/protocol/search/terms.ts'
import { type Postings, partOf, unpackPage, unpackTerms } from '../sql/search-codec.ts'
import { lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { walk } from './pages.ts'
import type { Findings } from './report.ts'
import { STAYING } from './staying.ts'

export function* verifySearch(findings: Findings): Sql<void> {
  yield* verifyTails(findings)
  yield* verifySegments(findings)
  yield* verifyPages(findings)
}

function* verifyTails(findings: Findings): Sql<void> {
  const tails = {
    table: 'search_tail',
    text: `SELECT t.room, t.event, t.terms, e.nid, e.redacted_by FROM search_tail t
      LEFT JOIN events e ON e.nid = t.event AND e.room = t.room
      LEFT JOIN rooms r ON r.nid = t.room WHERE ${STAYING} {after}`,
    key: [
      ['t.room', 'room'],
      ['t.event', 'event'],
    ] as const,
  }
  yield* walk(findings, tails, (rows) => {
    for (const row of rows) {
      const name = `${row.room} ${row.event}`
      if (row.nid === null) findings.add('search.event', name, 'a waiting event that is not in the room')
      else if (row.redacted_by !== null) findings.add('search.redacted', name, 'a redacted event waits')
      if (!areTerms(row.terms as Uint8Array)) findings.add('search.terms', name, 'the terms cannot be read')
    }
    return undefined
  })
}

function areTerms(data: Uint8Array): boolean {
  try {
    const terms = unpackTerms(data)
    return terms.length > 0 && terms.every((term) => term < 2 ** TERM_BITS)
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

function* verifySegments(findings: Findings): Sql<void> {
  const segments = {
    table: 'search_segments',
    text: `SELECT s.room, s.upto, s.since, s.postings, s.parts FROM search_segments s
      LEFT JOIN rooms r ON r.nid = s.room WHERE ${STAYING} {after}`,
    key: [
      ['s.room', 'room'],
      ['s.upto', 'upto'],
    ] as const,
  }
  yield* walk(findings, segments, function* (rows) {
    for (const row of rows) yield* checkSegment(findings, row)
  })
}

function* checkSegment(findings: Findings, segment: Row): Sql<void> {
  const { room, upto, since, postings: most, parts } = segment as Record<string, number>
  const name = `${room} ${upto}`
  const pages = yield* run('SELECT part, data FROM search_pages WHERE room = ?1 AND upto = ?2', room!, upto!)
  const events = new Set<number>()
  let count = 0
  for (const page of pages) {
    const postings: Postings = new Map()
    try {
      unpackPage(page.data as Uint8Array, since!, postings)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      findings.add('search.page', `${name} ${page.part}`, 'the page cannot be read')
      continue
    }
    for (const [term, list] of postings) {
      count += list.length
      for (const event of list) events.add(event)
      if (partOf(term, parts!) !== page.part) {
        findings.add('search.page', `${name} ${page.part}`, `term ${term} belongs to another page`)
      }
    }
  }
  if (count > most!) findings.add('search.segment', name, `${count} postings; it says ${most}`)
  yield* checkEvents(findings, name, segment, events)
}

/** A redaction leaves fewer events than there were, and none that are redacted. */
function* checkEvents(
  findings: Findings,
  name: string,
  { room, since, upto }: Row,
  events: ReadonlySet<number>,
): Sql<void> {
  const there = new Map<number, boolean>()
  for (const list of lists([...events])) {
    const among = placeholders(2, list.length)
    const rows = yield* run(
      `SELECT nid, redacted_by FROM events WHERE room = ?1 AND nid IN (${among})`,
      room!,
      ...list,
    )
    for (const row of rows) there.set(row.nid as number, row.redacted_by !== null)
  }
  for (const event of events) {
    const redacted = there.get(event)
    const within = event >= (since as number) && event <= (upto as number)
    if (redacted === undefined || !within) findings.add('search.event', name, `${event} is not of it`)
    else if (redacted) findings.add('search.redacted', name, `${event} is redacted`)
  }
}

function* verifyPages(findings: Findings): Sql<void> {
  const pages = {
    table: 'search_pages',
    text: `SELECT p.room, p.upto, p.part FROM search_pages p WHERE NOT EXISTS
      (SELECT 1 FROM search_segments s WHERE s.room = p.room AND s.upto = p.upto AND s.parts > p.part) {after}`,
    key: [
      ['p.room', 'room'],
      ['p.upto', 'upto'],
      ['p.part', 'part'],
    ] as const,
  }
  yield* walk(findings, pages, (rows) => {
    for (const { room, upto, part } of rows) {
      findings.add('search.page', `${room} ${upto} ${part}`, 'a page of no segment')
    }
    return undefined
  })
}
