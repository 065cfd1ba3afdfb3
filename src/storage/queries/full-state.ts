/**
 * All state at a point. A room of 10,000 members has as many rows; making an object of each costs more than finding
 * it, so the database joins the rows of a branch into one text, which is also what passes between threads.
 */
import type { StateEntry, StatePoint } from '#/ports/store/state.ts'
import { first, type Sql } from '../sql/sql.ts'
import { olderAt } from '../sql/state-codec.ts'
import { query } from './query.ts'
import { lineage, spilledAt } from './state-walk.ts'

/** One branch's part of a state. */
interface Layer {
  readonly pos: number
  /** Of each row `key event pos `, and with names `length of type, length of state key ` and both. */
  readonly text: string
  /** Key and event in turn, for keys whose row is newer than `pos` and which an older event held. */
  readonly older: Float64Array
}

/** A state as it comes from the database, the main line first. */
export type PackedState = readonly Layer[]

const NUMBERS = `s.state_key || ' ' || s.event || ' ' || s.pos || ' '`
const NAMED = `SELECT string_agg(${NUMBERS} || length(k.type) || ' ' || length(k.state_key) || ' ' || k.type || k.state_key, '')
  AS packed FROM room_state s JOIN state_keys k ON k.nid = s.state_key WHERE s.room = ?1 AND s.branch = ?2`
const UNNAMED = `SELECT string_agg(${NUMBERS}, '') AS packed FROM room_state s WHERE s.room = ?1 AND s.branch = ?2`

function* layersAt(room: number, point: StatePoint, text: string): Sql<PackedState> {
  const layers: Layer[] = []
  for (const { branch, pos } of (yield* lineage(point)).reverse()) {
    const row = yield* first(text, room, branch)
    const older = yield* olderAll(room, branch, pos)
    layers.push({ pos, text: (row?.packed as string | null | undefined) ?? '', older })
  }
  return layers
}

/* As with names, ten thousand values of bytes are dear and one text is not. */
const HISTORIES = `SELECT string_agg(state_key || ' ' || COALESCE(length(older), 0) || ' ' || spilled || ' ', '') AS heads,
  string_agg(hex(older), '') AS bytes
  FROM room_state WHERE room = ?1 AND branch = ?2 AND pos > ?3 AND (older IS NOT NULL OR spilled > 0)`

/** Who held, at a position, the keys that have changed since. */
function* olderAll(room: number, branch: number, pos: number): Sql<Float64Array> {
  const row = yield* first(HISTORIES, room, branch, pos)
  const reader = new PackedReader((row?.heads as string | null | undefined) ?? '')
  const bytes = Buffer.from((row?.bytes as string | null | undefined) ?? '', 'hex')
  const found: number[] = []
  let at = 0
  while (!reader.done) {
    const key = reader.number()
    const length = reader.number()
    const spilled = reader.number()
    const held = olderAt(bytes.subarray(at, at + length), pos)?.event
    at += length
    const event = held ?? (spilled > 0 ? yield* spilledAt(room, branch, key, pos) : undefined)
    if (event !== undefined) found.push(key, event)
  }
  return Float64Array.from(found)
}

export const packedStateAt = query(
  'state.packedAt',
  'large',
  (room: number, point: StatePoint): Sql<PackedState> => layersAt(room, point, NAMED),
  { snapshot: true },
)

/** Row ids of all events of the state at a point. */
export function* eventNidsAt(room: number, point: StatePoint): Sql<number[]> {
  const held = new Map<number, number>()
  for (const layer of yield* layersAt(room, point, UNNAMED)) {
    const older = olderOf(layer)
    const reader = new PackedReader(layer.text)
    while (!reader.done) {
      const key = reader.number()
      const event = reader.number()
      const now = reader.number() <= layer.pos ? event : older.get(key)
      if (now !== undefined) held.set(key, now)
    }
  }
  return [...held.values()].filter((event) => event !== 0)
}

/** The entries of a packed state. */
export function unpackState(layers: PackedState): StateEntry[] {
  const [line] = layers
  if (line && layers.length === 1) return [...entriesOf(line)].map(([, entry]) => entry).filter(isHeld)
  const entries = new Map<number, StateEntry>()
  for (const layer of layers) for (const [key, entry] of entriesOf(layer)) entries.set(key, entry)
  return [...entries.values()].filter(isHeld)
}

const isHeld = (entry: StateEntry): boolean => entry.event !== 0

/** Entries by key that a branch had by its position; event 0 for what was taken away. */
function* entriesOf(layer: Layer): Generator<[number, StateEntry]> {
  const older = olderOf(layer)
  const reader = new PackedReader(layer.text)
  while (!reader.done) {
    const key = reader.number()
    const held = reader.number()
    const event = reader.number() <= layer.pos ? held : older.get(key)
    const typeLength = reader.number()
    const keyLength = reader.number()
    const type = reader.type(typeLength)
    const stateKey = reader.text(keyLength)
    if (event !== undefined) yield [key, { type, stateKey, event }]
  }
}

function olderOf({ older }: Layer): Map<number, number> {
  const events = new Map<number, number>()
  for (let i = 0; i < older.length; i += 2) events.set(older[i]!, older[i + 1]!)
  return events
}

/** Reads numbers that end in a space, and texts of a length in code points. */
class PackedReader {
  readonly #text: string
  /** Whether every code point of the text is one unit, as it is without emoji and the like. */
  readonly #plain: boolean
  #at = 0
  #lastType = ''

  constructor(text: string) {
    this.#text = text
    this.#plain = !/[\ud800-\udfff]/.test(text)
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  number(): number {
    let value = 0
    for (;;) {
      const digit = this.#text.charCodeAt(this.#at++) - 48
      if (digit < 0) return value
      value = value * 10 + digit
    }
  }

  /* Most entries have the same type as the one before. */
  type(length: number): string {
    const last = this.#lastType
    if (this.#plain && last.length === length && this.#text.startsWith(last, this.#at)) {
      this.#at += length
      return last
    }
    this.#lastType = this.text(length)
    return this.#lastType
  }

  text(length: number): string {
    const start = this.#at
    if (this.#plain) this.#at += length
    else for (let i = 0; i < length; i++) this.#at += this.#text.codePointAt(this.#at)! > 0xffff ? 2 : 1
    return this.#text.slice(start, this.#at)
  }
}
