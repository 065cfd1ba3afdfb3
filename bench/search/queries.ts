/**
 * Searches in an index of a million messages: all in one room, or spread over many rooms of one user. Beside it the
 * same in SQLite's FTS5, fed with the same terms, with --fts5. No events are written: this is the index alone.
 * node bench/search/queries.ts [--messages 1000000] [--rooms 1] [--fts5]
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseArgs } from 'node:util'
import { termsOfText } from '#/protocol/search/terms.ts'
import { search } from '#/storage/migrations/0008-search.ts'
import { searchFind } from '#/storage/queries/search.ts'
import { schemaText } from '#/storage/sql/dialect.ts'
import { addPosting, type Postings, packPostings } from '#/storage/sql/search-codec.ts'
import { Connection } from '#/storage/sqlite/connection.ts'
import { readOn } from '#/storage/sqlite/read-on.ts'
import { numbers, rankOf, wordOf } from './words.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    rooms: { type: 'string', default: '1' },
    fts5: { type: 'boolean', default: false },
  },
})
const MESSAGES = Number(values.messages)
const ROOMS = Number(values.rooms)
const WORDS = 12
const VOCABULARY = 60_000
const SEGMENT_MESSAGES = 4096
/** Positions that one message takes. */
const STEP = 3
const SEARCHES_EACH = 50

const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'))
const path = join(folder, 'search.db')
const next = numbers(1)
const terms = Array.from({ length: VOCABULARY }, (_, rank) => termsOfText(wordOf(rank))[0]!)
const message = (): number[] => Array.from({ length: WORDS }, () => terms[rankOf(next, VOCABULARY)]!)

/** CPU of this process in milliseconds: it survives a busy machine, times do not. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function report(what: string, times: number[]): void {
  times.sort((a, b) => a - b)
  const at = (q: number): string => times[Math.floor(times.length * q)]!.toFixed(2)
  console.log(`${what}: CPU p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(0.9999)} ms`)
}

/** Ranks of the words of some searches. */
const SEARCHES: readonly (readonly [string, () => number[]])[] = [
  ['a frequent word', () => [Math.floor(next() * 20)]],
  ['a common word', () => [200 + Math.floor(next() * 1000)]],
  ['a rare word', () => [20_000 + Math.floor(next() * 40_000)]],
  ['two common words', () => [200 + Math.floor(next() * 1000), 200 + Math.floor(next() * 1000)]],
  ['four common words', () => Array.from({ length: 4 }, () => 100 + Math.floor(next() * 1000))],
  ['a word that nobody wrote', () => [-1]],
]

function ours(): void {
  const connection = new Connection({ path })
  connection.prepareForWriting()
  for (const text of search.statements) connection.db.exec(schemaText('sqlite', text))
  const segment = connection.db.prepare('INSERT INTO search_segments VALUES (?, ?, ?, ?, ?)')
  const page = connection.db.prepare('INSERT INTO search_pages VALUES (?, ?, ?, ?)')
  const begun = process.cpuUsage()
  let nid = 0
  const perRoom = Math.floor(MESSAGES / ROOMS)
  for (let room = 1; room <= ROOMS; room++) {
    connection.db.exec('BEGIN')
    for (let done = 0; done < perRoom; done += SEGMENT_MESSAGES) {
      const postings: Postings = new Map()
      for (let i = 0; i < Math.min(SEGMENT_MESSAGES, perRoom - done); i++) {
        nid += STEP
        for (const term of new Set(message())) addPosting(postings, term, nid)
      }
      const packed = packPostings(postings)!
      segment.run(room, packed.upto, packed.since, packed.postings, packed.parts)
      for (const [part, data] of packed.pages.entries()) if (data) page.run(room, packed.upto, part, data)
    }
    connection.db.exec('COMMIT')
  }
  const used = process.cpuUsage(begun)
  connection.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  console.log(
    `${MESSAGES} messages in ${ROOMS} rooms: ${(statSync(path).size / MESSAGES).toFixed(1)} bytes, ` +
      `${((used.user + used.system) / MESSAGES).toFixed(1)} us of CPU per message to make the segments`,
  )
  const rooms = Array.from({ length: ROOMS }, (_, i) => i + 1)
  for (const [what, ranks] of SEARCHES) {
    const times: number[] = []
    let found = 0
    for (let i = 0; i < SEARCHES_EACH; i++) {
      const wanted = ranks().map((rank) => (rank < 0 ? 7 : terms[rank]!))
      const begin = cpuMs()
      const args = { rooms, terms: wanted, before: Number.MAX_SAFE_INTEGER, limit: 1000 }
      found += readOn(connection, searchFind, [args]).candidates.length
      times.push(cpuMs() - begin)
    }
    report(`${what} (${found / SEARCHES_EACH} found)`, times)
  }
  connection.close()
}

function fts5(): void {
  const db = new DatabaseSync(join(folder, 'fts5.db'))
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE VIRTUAL TABLE f USING fts5(t, content='', contentless_delete=1, detail=none)`)
  const insert = db.prepare('INSERT INTO f (rowid, t) VALUES (?, ?)')
  const count = Math.min(MESSAGES, 200_000)
  let nid = 0
  const begun = process.cpuUsage()
  for (let done = 0; done < count; done += 1000) {
    db.exec('BEGIN')
    for (let i = 0; i < 1000; i++) {
      nid += STEP
      insert.run(nid, `r1 ${message().join(' ')}`)
    }
    db.exec('COMMIT')
  }
  const used = process.cpuUsage(begun)
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  const bytes = statSync(join(folder, 'fts5.db')).size / count
  console.log(
    `FTS5, ${count} messages: ${bytes.toFixed(1)} bytes, ${((used.user + used.system) / count).toFixed(1)} us in groups of 1000`,
  )
  for (const size of [1, 10]) {
    const begin = process.cpuUsage()
    for (let done = 0; done < 1000; done++) {
      db.exec('BEGIN')
      for (let i = 0; i < size; i++) {
        nid += STEP
        insert.run(nid, `r1 ${message().join(' ')}`)
      }
      db.exec('COMMIT')
    }
    const more = process.cpuUsage(begin)
    console.log(
      `FTS5, groups of ${size}: ${((more.user + more.system) / 1000 / size).toFixed(1)} us of CPU per message, commit included`,
    )
  }
  const query = db.prepare('SELECT rowid FROM f WHERE f MATCH ? ORDER BY rowid DESC LIMIT 1000')
  for (const [what, ranks] of SEARCHES) {
    const times: number[] = []
    for (let i = 0; i < SEARCHES_EACH; i++) {
      const wanted = ranks().map((rank) => (rank < 0 ? 7 : terms[rank]!))
      const begin = cpuMs()
      query.all(`r1 ${wanted.join(' ')}`)
      times.push(cpuMs() - begin)
    }
    report(`FTS5, ${what}`, times)
  }
  db.close()
}

if (values.fts5) fts5()
else ours()
rmSync(folder, { recursive: true })
