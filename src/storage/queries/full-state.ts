/**
 * All state at a point. A room of 10,000 members has as many rows; making an object of each costs more than finding
 * it, so the database joins each column of a branch into one text, which is also what passes between threads.
 */
import type { StateEntry, StatePoint } from '#/ports/store/state.ts'
import { first, type Row, type Sql } from '../sql/sql.ts'
import { olderAt } from '../sql/state-codec.ts'
import { query } from './query.ts'
import { lineage, spilledAt } from './state-walk.ts'

/** Entries as columns: numbers with spaces between, names one behind the other. */
interface Columns {
  /** Row ids; 0 for what was taken away, -1 for what was not set yet. */
  readonly events: string
  /** Bytes of each type and of each state key. Empty where names were not asked for. */
  readonly typeSizes: string
  readonly keySizes: string
  readonly names: string
}

/** A state as it comes from the database: for each branch, the main line first, what it says of its keys. */
export type PackedState = readonly Columns[]

const joined = (number: string): string => `string_agg(CAST(${number} AS TEXT), ' ')`

const NAMES = `${joined('octet_length(k.type)')} AS type_sizes, ${joined('octet_length(k.state_key)')} AS key_sizes,
  string_agg(k.type || k.state_key, '') AS names`
const NAMED = 'room_state s JOIN state_keys k ON k.nid = s.state_key'
/* For a branch, the row of a key says for itself whether it held at the point already; for which the key's name and
   the event are enough. */
const SETTLED = 'WHERE s.room = ?1 AND s.branch = ?2 AND s.pos <= ?3'
/* Rows that are newer need the packed list of former events. */
const NEWER = `WHERE s.room = ?1 AND s.branch = ?2 AND s.pos > ?3 AND (s.older IS NOT NULL OR s.spilled > 0)`
const FORMER = `${joined('s.state_key')} AS keys, ${joined('COALESCE(length(s.older), 0)')} AS sizes,
  ${joined('s.spilled')} AS spilled, string_agg(hex(s.older), '') AS bytes`

const TEXTS = {
  named: {
    settled: `SELECT ${joined('s.event')} AS events, ${NAMES} FROM ${NAMED} ${SETTLED}`,
    newer: `SELECT ${FORMER}, ${NAMES} FROM ${NAMED} ${NEWER}`,
  },
  keyed: {
    settled: `SELECT ${joined('s.event')} AS events, ${joined('s.state_key')} AS names FROM room_state s ${SETTLED}`,
    newer: `SELECT ${FORMER}, ${joined('s.state_key')} AS names FROM room_state s ${NEWER}`,
  },
} as const

function* columnsAt(room: number, point: StatePoint, kind: keyof typeof TEXTS): Sql<PackedState> {
  const columns: Columns[] = []
  for (const { branch, pos } of (yield* lineage(point)).reverse()) {
    const settled = yield* first(TEXTS[kind].settled, room, branch, pos)
    if (settled) columns.push(columnsOf(settled, textOf(settled, 'events')))
    const newer = yield* first(TEXTS[kind].newer, room, branch, pos)
    if (newer) columns.push(columnsOf(newer, yield* formerEvents(room, branch, pos, newer)))
  }
  return columns
}

const textOf = (row: Row, column: string): string => (row[column] as string | null | undefined) ?? ''

function columnsOf(row: Row, events: string): Columns {
  return {
    events,
    typeSizes: textOf(row, 'type_sizes'),
    keySizes: textOf(row, 'key_sizes'),
    names: textOf(row, 'names'),
  }
}

/** Who held each key at a position before its row's. */
function* formerEvents(room: number, branch: number, pos: number, row: Row): Sql<string> {
  const keys = new Numbers(textOf(row, 'keys'))
  const sizes = new Numbers(textOf(row, 'sizes'))
  const spilled = new Numbers(textOf(row, 'spilled'))
  const bytes = Buffer.from(textOf(row, 'bytes'), 'hex')
  let events = ''
  let at = 0
  while (!keys.done) {
    const key = keys.next()
    const end = at + sizes.next()
    const spills = spilled.next() > 0
    const held = olderAt(bytes.subarray(at, end), pos)?.event
    at = end
    const event = held ?? (spills ? yield* spilledAt(room, branch, key, pos) : undefined)
    events += `${event ?? -1} `
  }
  return events
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
    const events = new Numbers(columns.events)
    const keys = new Numbers(columns.names)
    while (!events.done) {
      const event = events.next()
      const key = keys.next()
      if (event >= 0) held.set(key, event)
    }
  }
  return [...held.values()].filter((event) => event !== 0)
}

/** The entries of a packed state. */
export function unpackState(packed: PackedState): StateEntry[] {
  /* On the main line alone no key comes twice. */
  const [settled, newer] = packed
  if (packed.length <= 2) {
    const entries: StateEntry[] = []
    for (const columns of [settled, newer]) {
      if (columns) for (const entry of entriesOf(columns)) if (entry.event > 0) entries.push(entry)
    }
    return entries
  }
  const entries = new Map<string, StateEntry>()
  for (const columns of packed) {
    for (const entry of entriesOf(columns)) {
      if (entry.event >= 0) entries.set(`${entry.type}\0${entry.stateKey}`, entry)
    }
  }
  return [...entries.values()].filter((entry) => entry.event !== 0)
}

function* entriesOf(columns: Columns): Generator<StateEntry> {
  const events = new Numbers(columns.events)
  const typeSizes = new Numbers(columns.typeSizes)
  const keySizes = new Numbers(columns.keySizes)
  const names = new Names(columns.names)
  let type = ''
  let typeSize = 0
  while (!events.done) {
    const event = events.next()
    const size = typeSizes.next()
    /* Most entries have the same type as the one before. */
    if (size !== typeSize || !names.skip(type, size)) type = names.next(size)
    typeSize = size
    yield { type, stateKey: names.next(keySizes.next()), event }
  }
}

/** Reads integers with spaces between. */
class Numbers {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  next(): number {
    const negative = this.#text.charCodeAt(this.#at) === 0x2d
    if (negative) this.#at++
    let value = 0
    for (;;) {
      const digit = this.#text.charCodeAt(this.#at++) - 0x30
      if (!(digit >= 0)) return negative ? -value : value
      value = value * 10 + digit
    }
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
