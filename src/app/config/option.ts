import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { reasonOf } from '#/base/system-error.ts'
import type { FileReader } from './files.ts'
import { nearestName } from './nearest.ts'
import { childKey, isNull, type MapNode, type Node, nodeOf, type Plain } from './node.ts'
import type { Notice, Place } from './problems.ts'

/** What the readers of values report to. */
export interface Reading {
  readonly files: FileReader
  problem(at: Place, text: string): void
  notice(kind: Notice['kind'], at: Place, text: string): void
  /** An option that is set, differs from its default, and does nothing yet. */
  notYet(at: Place, weakens: boolean): void
  /** A key that no option has, with its nearest name when there is one. */
  unknown(at: Place, nearest: string | undefined): void
}

/** How a value is written and read. `T` is what the server gets. */
export interface Type<T> {
  /** Short name for the documentation: `duration`, `list of string`. */
  readonly name: string
  /** What a message says was expected: `a whole number from 0 to 65535`. */
  readonly expected: string
  /** The options inside, when this is a map with fixed keys (or a list of such maps). */
  readonly fields?: Fields
  readonly acceptsNull?: boolean
  readonly isSecret?: boolean
  /** The value, or undefined after a problem was reported. */
  read(node: Node, reading: Reading): T | undefined
}

/**
 * supported: does what Synapse does. accepted: read and checked, changes nothing here, and why. later: not yet;
 * `weakens` when leaving it out makes the server more open than the file says, `quiet` when setting it alone would
 * change nothing in Synapse either, so that it is not worth a word at start.
 */
export type Status =
  | { readonly state: 'supported' }
  | { readonly state: 'accepted'; readonly why: string }
  | { readonly state: 'later'; readonly weakens: boolean; readonly quiet?: boolean }

export const supported: Status = { state: 'supported' }
export const later: Status = { state: 'later', weakens: false }
export const laterGuard: Status = { state: 'later', weakens: true }
export const laterQuiet: Status = { state: 'later', weakens: false, quiet: true }
export function accepted(why: string): Status {
  return { state: 'accepted', why }
}

/** One row of the table of options. */
export interface Option<T> {
  readonly type: Type<T>
  readonly status: Status
  /** The default as an operator would write it; undefined when the option must be given. */
  readonly fallback: Plain | undefined
  /** The meaning, in one line. */
  readonly about: string
  /** The default in words, when it depends on something else. */
  readonly shown?: string
  /** Whether `<key>_path` may name a file that holds the value. */
  readonly twin?: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: a table row of any value type
export type Fields = { readonly [key: string]: Option<any> }

type Camel<S extends string> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S

/** The typed values of a set of options, by camelCase name. */
export type Values<F extends Fields> = {
  readonly [K in keyof F & string as Camel<K>]: F[K] extends Option<infer T> ? T : never
}

/** An option with a default, written as in YAML. */
export function option<T>(
  type: Type<T>,
  status: Status,
  fallback: Plain,
  about: string,
  shown?: string,
): Option<T> {
  return { type, status, fallback, about, ...(shown === undefined ? {} : { shown }) }
}

/** An option without which its map makes no sense. */
export function required<T>(type: Type<T>, status: Status, about: string): Option<T> {
  return { type, status, fallback: undefined, about }
}

/** The camelCase name of a key: `rc_3pid_validation` is `rc3pidValidation`. */
export function camel(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase())
}

const DEFAULT_PLACE: Place = { file: '(default)', line: 0, key: '' }

/** The value of an option that is not given. */
function defaultOf<T>(row: Option<T>, files: FileReader): T {
  if (row.fallback === undefined) throw new Error('a required option has no default')
  const value = row.type.read(nodeOf(row.fallback, DEFAULT_PLACE), { ...DEFAULT_READING, files })
  if (value === undefined)
    throw new Error(`the default ${JSON.stringify(row.fallback)} does not fit its type`)
  return value
}

const DEFAULT_READING: Omit<Reading, 'files'> = {
  problem(_at, text) {
    throw new Error(`a default does not fit its type: ${text}`)
  },
  notice() {},
  notYet() {},
  unknown() {},
}

/**
 * Reads the options `fields` of a map. Reading goes on after a problem, with the default, so that all problems are
 * found in one run.
 * @param strict whether keys that no option has are reported; the top level reports its own.
 */
export function readFields<F extends Fields>(
  fields: F,
  map: MapNode,
  reading: Reading,
  strict = true,
): Values<F> {
  const values: Record<string, unknown> = {}
  for (const [key, row] of Object.entries(fields)) values[camel(key)] = readOption(key, row, map, reading)
  if (strict) reportUnknown(fields, map, reading)
  return values as Values<F>
}

/** Every key that may stand beside the options of `fields`, `_path` twins included. */
export function keysOf(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([key, row]) => (row.twin ? [key, `${key}_path`] : [key]))
}

function reportUnknown(fields: Fields, map: MapNode, reading: Reading): void {
  const known = keysOf(fields)
  for (const [key, node] of map.entries) {
    if (!known.includes(key)) reading.unknown(node.at, nearestName(key, known))
  }
}

function readOption(key: string, row: Option<unknown>, map: MapNode, reading: Reading): unknown {
  const node = row.twin ? throughTwin(key, row, map, reading) : map.entries.get(key)
  if (node === undefined) return missing(key, row, map, reading)
  if (isNull(node) && !row.type.acceptsNull) {
    if (row.fallback !== undefined && !row.type.fields) {
      reading.notice('ignored', node.at, 'has no value and counts as not given')
    }
    return missing(key, row, map, reading)
  }
  const value = row.type.read(node, quietInside(row, reading))
  if (value === undefined) return row.fallback === undefined ? undefined : defaultOf(row, reading.files)
  report(row, node, value, reading)
  return value
}

function missing(key: string, row: Option<unknown>, map: MapNode, reading: Reading): unknown {
  if (row.fallback !== undefined) return defaultOf(row, reading.files)
  reading.problem({ ...map.at, key: childKey(map.at.key, key) }, `missing; expected ${row.type.expected}`)
  return undefined
}

/** What is inside an option that does nothing as a whole is not reported piece by piece. */
function quietInside(row: Option<unknown>, reading: Reading): Reading {
  if (row.status.state === 'supported') return reading
  const notice: Reading['notice'] = (kind, at, text) => {
    if (kind !== 'no-effect') reading.notice(kind, at, text)
  }
  return { ...bound(reading), notice, notYet() {} }
}

function bound(reading: Reading): Reading {
  return {
    files: reading.files,
    problem: (at, text) => reading.problem(at, text),
    notice: (kind, at, text) => reading.notice(kind, at, text),
    notYet: (at, weakens) => reading.notYet(at, weakens),
    unknown: (at, nearest) => reading.unknown(at, nearest),
  }
}

function report(row: Option<unknown>, node: Node, value: unknown, reading: Reading): void {
  const { status } = row
  if (status.state === 'supported') return
  if (row.fallback !== undefined && isDeepStrictEqual(value, defaultOf(row, reading.files))) return
  if (status.state === 'accepted') reading.notice('no-effect', node.at, `has no effect: ${status.why}`)
  else if (!status.quiet) reading.notYet(node.at, status.weakens)
}

/** The node of an option or of the file that `<key>_path` names. Both at once is a problem, as in Synapse. */
function throughTwin(key: string, row: Option<unknown>, map: MapNode, reading: Reading): Node | undefined {
  const inline = map.entries.get(key)
  const twin = map.entries.get(`${key}_path`)
  if (twin === undefined || isNull(twin)) return inline
  if (inline !== undefined && !isNull(inline)) {
    reading.problem(twin.at, `expected either ${key} or ${key}_path, both are given`)
    return inline
  }
  if (twin.kind !== 'scalar' || typeof twin.value !== 'string') {
    reading.problem(twin.at, 'expected the path of a file')
    return undefined
  }
  const text = readTwin(twin.value, twin.at, row, reading)
  return text === undefined ? undefined : { kind: 'scalar', at: twin.at, value: text, source: text }
}

function readTwin(path: string, at: Place, row: Option<unknown>, reading: Reading): string | undefined {
  try {
    return reading.files.readText(resolve(reading.files.cwd, path)).trim()
  } catch (error) {
    reading.problem(at, `expected a readable file that holds ${row.type.expected}: ${reasonOf(error)}`)
    return undefined
  }
}
