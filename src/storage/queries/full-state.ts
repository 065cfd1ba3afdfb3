/**
 * All state at a point. A room of 10,000 members has as many rows; making an object of each costs more than finding
 * it, so the database joins each column of a branch into one text, which is also what passes between threads.
 */
import type { StateEntry, StatePoint } from '#/ports/store/state.ts'
import { first, PAUSE, type Row, type Sql } from '../sql/sql.ts'
import { olderAt } from '../sql/state-codec.ts'
import { query } from './query.ts'
import { lineage, spilledAt } from './state-walk.ts'

/** Entries in texts: numbers with commas between, and names one behind the other. */
interface Columns {
  /** For each entry `lead` numbers; then the bytes of the type and of the state key, or the key's row id without names. */
  readonly numbers: string
  readonly lead: number
  /** Row ids of the events; 0 for what was taken away, -1 for what was not set yet. Absent: the first of each lead. */
  readonly events?: string
  readonly names: string
}

/** A state as it comes from the database: for each branch, the main line first, what it says of its keys. */
export type PackedState = readonly Columns[]

/** One text of several numbers of each row: each further text would cost as much as the first. */
const numbers = (...of: string[]): string => `string_agg(${of.join(" || ',' || ")}, ',') AS numbers`

/** Both sizes in one number, since each number of a row costs PostgreSQL two texts. */
const SIZES = `(octet_length(k.type) * ${2 ** 16} + octet_length(k.state_key))`
const NAMES = `string_agg(k.type || k.state_key, '') AS names`
const NAMED = 'room_state s JOIN state_keys k ON k.nid = s.state_key'
/* For a branch, the row of a key says for itself whether it held at the point already; for which the key's name and
   the event are enough. */
const SETTLED = 'WHERE s.room = ?1 AND s.branch = ?2 AND s.pos <= ?3'
/* Rows that are newer need the packed list of former events. */
const NEWER = `WHERE s.room = ?1 AND s.branch = ?2 AND s.pos > ?3 AND (s.older IS NOT NULL OR s.spilled > 0)`
/* When the branch changed last: where that was before the point, there are none. */
const LAST = `COALESCE(
  (SELECT t.upto FROM state_delta_tails t WHERE t.room = ?1 AND t.branch = ?2),
  (SELECT MAX(c.upto) FROM state_delta_chunks c WHERE c.room = ?1 AND c.branch = ?2)) AS last`
const FORMER = ['s.state_key', 'COALESCE(length(s.older), 0)', 's.spilled']
const BYTES = `string_agg(hex(s.older), '') AS bytes`

const TEXTS = {
  named: {
    settled: `SELECT ${numbers('s.event', SIZES)}, ${LAST}, ${NAMES} FROM ${NAMED} ${SETTLED}`,
    newer: `SELECT ${numbers(...FORMER, SIZES)}, ${BYTES}, ${NAMES} FROM ${NAMED} ${NEWER}`,
    /** Numbers of an entry behind its lead. */
    more: 1,
  },
  keyed: {
    settled: `SELECT ${numbers('s.event', 's.state_key')}, ${LAST} FROM room_state s ${SETTLED}`,
    newer: `SELECT ${numbers(...FORMER, 's.state_key')}, ${BYTES} FROM room_state s ${NEWER}`,
    more: 1,
  },
} as const

function* columnsAt(room: number, point: StatePoint, kind: keyof typeof TEXTS): Sql<PackedState> {
  const columns: Columns[] = []
  const { settled, newer, more } = TEXTS[kind]
  for (const { branch, pos } of (yield* lineage(point)).reverse()) {
    const now = yield* first(settled, room, branch, pos)
    if (now) columns.push({ numbers: textOf(now, 'numbers'), lead: 1, names: textOf(now, 'names') })
    const unchanged = ((now?.last as number | null | undefined) ?? 0) <= pos
    const then = unchanged ? undefined : yield* first(newer, room, branch, pos)
    if (!then) continue
    const events = yield* formerEvents(room, branch, pos, then, more)
    const lead = FORMER.length
    columns.push({ events, numbers: textOf(then, 'numbers'), lead, names: textOf(then, 'names') })
  }
  return columns
}

const textOf = (row: Row, column: string): string => (row[column] as string | null | undefined) ?? ''

/** Entries unpacked without a pause, about a millisecond's work. */
const ENTRIES_AT_ONCE = 1000

/** Who held each key at a position before its row's. `more` numbers follow the lead. */
function* formerEvents(room: number, branch: number, pos: number, row: Row, more: number): Sql<string> {
  const given = numbersOf(textOf(row, 'numbers'))
  const bytes = Buffer.from(textOf(row, 'bytes'), 'hex')
  const events: number[] = []
  let start = 0
  const each = FORMER.length + more
  for (let at = 0; at < given.length; at += each) {
    if (at > 0 && (at / each) % ENTRIES_AT_ONCE === 0) yield PAUSE
    const [key, size, spilled] = [given[at]!, given[at + 1]!, given[at + 2]!]
    const held = olderAt(bytes, pos, start, start + size)?.event
    start += size
    events.push(held ?? (spilled > 0 ? yield* spilledAt(room, branch, key, pos) : undefined) ?? -1)
  }
  return events.join(',')
}

/** Numbers with commas between; by the JSON parser, which needs no warming up to be fast. */
function numbersOf(text: string): number[] {
  return JSON.parse(`[${text}]`) as number[]
}

export const packedStateAt = query(
  'state.packedAt',
  'large',
  (room: number, point: StatePoint): Sql<PackedState> => columnsAt(room, point, 'named'),
  { snapshot: true },
)

/** Row ids of all events of the state at a point. */
export function* eventNidsAt(room: number, point: StatePoint): Sql<number[]> {
  const held = new Map<number, number>()
  for (const columns of yield* columnsAt(room, point, 'keyed')) {
    const { lead } = columns
    eachEntry(columns, TEXTS.keyed.more, (event, numbers, at) => {
      if (event >= 0) held.set(numbers[at + lead]!, event)
    })
  }
  return [...held.values()].filter((event) => event !== 0)
}

/** The entries of a packed state. */
export function unpackState(packed: PackedState): StateEntry[] {
  /* On the main line alone no key comes twice. */
  if (packed.length <= 2) {
    const entries: StateEntry[] = []
    for (const columns of packed) {
      eachNamed(columns, (entry) => {
        if (entry.event > 0) entries.push(entry)
      })
    }
    return entries
  }
  const entries = new Map<string, StateEntry>()
  for (const columns of packed) {
    eachNamed(columns, (entry) => {
      if (entry.event >= 0) entries.set(`${entry.type}\0${entry.stateKey}`, entry)
    })
  }
  return [...entries.values()].filter((entry) => entry.event !== 0)
}

function eachNamed(columns: Columns, take: (entry: StateEntry) => void): void {
  const { lead } = columns
  const names = new Names(columns.names)
  let type = ''
  let typeSize = 0
  eachEntry(columns, TEXTS.named.more, (event, numbers, at) => {
    const sizes = numbers[at + lead]!
    const size = sizes >>> 16
    /* Most entries have the same type as the one before. */
    if (size !== typeSize || !names.skip(type, size)) type = names.next(size)
    typeSize = size
    take({ type, stateKey: names.next(sizes & 0xffff), event })
  })
}

/** Calls `take` with the event of each entry, and where its numbers begin. `more` numbers follow each lead. */
function eachEntry(
  columns: Columns,
  more: number,
  take: (event: number, numbers: readonly number[], at: number) => void,
): void {
  const numbers = numbersOf(columns.numbers)
  const events = columns.events === undefined ? undefined : numbersOf(columns.events)
  const each = columns.lead + more
  for (let at = 0, entry = 0; at < numbers.length; at += each, entry++) {
    take(events ? events[entry]! : numbers[at]!, numbers, at)
  }
}

/** Cuts texts of given sizes in UTF-8 bytes. */
class Names {
  readonly #text: string
  /** Only where the text is not ASCII, for which bytes and units are the same. */
  readonly #bytes: Buffer | undefined
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#bytes = Buffer.byteLength(text) === text.length ? undefined : Buffer.from(text)
  }

  next(size: number): string {
    const start = this.#at
    this.#at += size
    return this.#bytes ? this.#bytes.toString('utf8', start, this.#at) : this.#text.slice(start, this.#at)
  }

  /** Goes over a text that is expected here; false where another one stands, or where looking would cost more. */
  skip(text: string, size: number): boolean {
    if (this.#bytes || !this.#text.startsWith(text, this.#at)) return false
    this.#at += size
    return true
  }
}
