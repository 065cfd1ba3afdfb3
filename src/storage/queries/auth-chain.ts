/** Walking auth chains over row ids. docs/decisions/0004-auth-chains.md */
import { StoreError } from '#/base/store-error.ts'
import { lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { unpackUints } from '../sql/varint.ts'
import { query } from './query.ts'

/** Rounds after which a chain counts as long; the chains of ordinary rooms end before. */
const LONG_ROUNDS = 8
/** Row ids read in one go below the lowest event of a long chain. */
const AHEAD_MIN = 128
const AHEAD_MAX = 4096
/** Reading so many rows costs about as much as asking once more. */
const ROWS_PER_ROUND = 64
/** Lists that are kept in memory; beyond it they are forgotten and read again. */
const KEPT_MAX = 50_000

class Walk {
  readonly seen = new Set<number>()
  readonly #todo: number[] = []
  /** Auth lists that were read ahead. */
  readonly #ahead = new Map<number, Uint8Array>()
  /** How often a list that was read ahead was needed, since the last reading. */
  hits = 0

  get done(): boolean {
    return this.#todo.length === 0
  }

  add(auth: Uint8Array): void {
    for (const nid of unpackUints(auth)) {
      if (this.seen.has(nid)) continue
      this.seen.add(nid)
      this.#todo.push(nid)
    }
  }

  keep(row: Row): void {
    const nid = row.nid as number
    if (this.#ahead.size >= KEPT_MAX) this.#ahead.clear()
    if (!this.#ahead.has(nid)) this.#ahead.set(nid, row.auth as Uint8Array)
  }

  /** Goes on as far as is known; gives the events that must be read, at most `limit` and some more are walked. */
  unknown(limit: number): number[] {
    const missing: number[] = []
    while (this.#todo.length > 0 && this.seen.size <= limit) {
      const nid = this.#todo.pop()!
      const auth = this.#ahead.get(nid)
      if (auth) {
        this.hits++
        this.add(auth)
      } else missing.push(nid)
    }
    return missing
  }
}

/**
 * Row ids of all events that can be reached over auth events. A chain of thousands of events, each naming the one
 * before, would take as many rounds; after the first few the rows below the chain's end are read in blocks, since
 * events that build on each other lie near each other, and the blocks grow for as long as that is true.
 */
export const authChain = query(
  'events.authChain',
  'large',
  function* (eventIds: readonly string[], limit: number): Sql<number[]> {
    const walk = new Walk()
    const rooms = new Set<number>()
    for (const list of lists(eventIds)) {
      const rows = yield* run(
        `SELECT room, auth FROM events WHERE event_id IN (${placeholders(1, list.length)})`,
        ...list,
      )
      for (const row of rows) {
        rooms.add(row.room as number)
        walk.add(row.auth as Uint8Array)
      }
    }
    let width = 0
    for (let rounds = 0; !walk.done && walk.seen.size <= limit; rounds++) {
      const missing = walk.unknown(limit)
      if (missing.length === 0) break
      for (const list of lists(missing)) {
        const among = placeholders(1, list.length)
        const rows = yield* run(`SELECT nid, auth FROM events WHERE nid IN (${among})`, ...list)
        const auths = new Map(rows.map((row) => [row.nid as number, row.auth as Uint8Array]))
        for (const auth of auths.values()) walk.add(auth)
      }
      if (rounds < LONG_ROUNDS || rooms.size !== 1) continue
      width = nextWidth(width, walk.hits)
      walk.hits = 0
      const lowest = missing.reduce((a, b) => Math.min(a, b))
      const rows = yield* run(
        'SELECT nid, auth FROM events WHERE nid >= ?1 AND nid < ?2 AND room = ?3 AND state_key IS NOT NULL',
        lowest - width,
        lowest,
        rooms.values().next().value!,
      )
      for (const row of rows) walk.keep(row)
    }
    if (walk.seen.size > limit) throw new StoreError('limit', `an auth chain is longer than ${limit} events`)
    return [...walk.seen]
  },
  { snapshot: true },
)

/** Twice as many rows when reading ahead spared enough rounds, else half as many. */
function nextWidth(width: number, hits: number): number {
  if (width === 0) return AHEAD_MIN
  if (hits * ROWS_PER_ROUND >= width) return Math.min(AHEAD_MAX, width * 2)
  return Math.max(ROWS_PER_ROUND, width / 2)
}
