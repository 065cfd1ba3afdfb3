/**
 * Canonical JSON: the shortest UTF-8 encoding with keys sorted by code point.
 * https://spec.matrix.org/v1.16/appendices/#canonical-json
 */
import { JSON_DEPTH_MAX } from '../limits.ts'
import { canonicalNumber } from './number.ts'
import { type JsonObject, type JsonValue, NumberToken } from './value.ts'

/** Slack over the reader's limit, because envelopes wrap values that were read at the limit. */
const DEPTH_MAX = JSON_DEPTH_MAX + 16

/** A value that has no canonical form: lone surrogate, number out of range, `undefined`, too deep. */
export class NotCanonical extends RangeError {}

/**
 * The canonical text of a value. Tokens of old room versions are written as other servers write them.
 * @throws NotCanonical when there is none; values from `readJson` have one, except tokens beyond a double.
 */
export function canonicalJson(value: JsonValue): string {
  const ordered = order(value, 0)
  const text = ordered === undefined ? write(value, 0) : JSON.stringify(ordered)
  // JSON.stringify escapes half a surrogate pair as \udXXX; an escaped backslash before "ud" looks alike.
  if (text.includes('\\ud')) refuseLoneSurrogates(value, 0)
  return text
}

/** Orders two keys by code point. UTF-16 order differs where a surrogate meets a unit from U+E000 on. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    const bothHigh = x >= 0xd800 && y >= 0xd800
    return bothHigh ? rotated(x) - rotated(y) : x - y
  }
  return a.length - b.length
}

/** Moves surrogates above the rest of the basic plane. */
function rotated(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000
}

/**
 * The value itself when enumeration order is canonical everywhere, else a copy in order, so that one native
 * `JSON.stringify` writes it. Undefined when that cannot be: integer-like keys enumerate before all others in
 * numeric order, and tokens are not numbers.
 */
function order(value: JsonValue, depth: number): JsonValue | undefined {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
  }
  if (value instanceof NumberToken || depth > DEPTH_MAX) return undefined
  if (Array.isArray(value)) return orderArray(value, depth)
  return orderObject(value as JsonObject, depth)
}

function orderArray(array: readonly JsonValue[], depth: number): JsonValue | undefined {
  let copy: JsonValue[] | undefined
  for (let i = 0; i < array.length; i++) {
    const child = array[i]!
    const ordered = order(child, depth + 1)
    if (ordered === undefined) return undefined
    if (ordered !== child && copy === undefined) copy = array.slice(0, i)
    copy?.push(ordered)
  }
  return copy ?? array
}

/** Each child is visited once: a second visit per level would double the work with every level of nesting. */
function orderObject(object: JsonObject, depth: number): JsonValue | undefined {
  const keys = Object.keys(object)
  let copy: Record<string, JsonValue> | undefined
  if (!isSorted(keys)) {
    sortKeys(keys)
    copy = {}
  }
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    const child = object[key]!
    const ordered = order(child, depth + 1)
    if (ordered === undefined) return undefined
    if (ordered !== child && copy === undefined) {
      copy = {}
      for (let j = 0; j < i; j++) {
        if (!keepsPlace(keys[j]!)) return undefined
        copy[keys[j]!] = object[keys[j]!]!
      }
    }
    if (copy !== undefined) {
      if (!keepsPlace(key)) return undefined
      copy[key] = ordered
    }
  }
  return copy ?? object
}

/** Whether assignment puts the key at the end of an object: not for integer-like keys and `__proto__`. */
function keepsPlace(key: string): boolean {
  const first = key.charCodeAt(0)
  return !(first >= 0x30 && first <= 0x39) && key !== '__proto__'
}

function isSorted(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if (compareCodePoints(keys[i - 1]!, keys[i]!) > 0) return false
  return true
}

/** The native sort compares UTF-16 units, which is the same for all but a few keys, and is far faster. */
function sortKeys(keys: string[]): void {
  keys.sort()
  if (!isSorted(keys)) keys.sort(compareCodePoints)
}

/** The plain way: any keys, tokens, and the place where values without a canonical form are refused. */
function write(value: JsonValue, depth: number): string {
  if (depth > DEPTH_MAX) throw new NotCanonical('nested too deeply')
  if (value instanceof NumberToken) {
    const text = canonicalNumber(value)
    if (text === undefined) throw new NotCanonical(`number out of range`)
    return text
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new NotCanonical(`number ${value}`)
  if (value === undefined) throw new NotCanonical('undefined is not a JSON value')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => write(item, depth + 1)).join(',')}]`
  const object = value as JsonObject
  const keys = Object.keys(object)
  sortKeys(keys)
  return `{${keys.map((key) => `${JSON.stringify(key)}:${write(object[key]!, depth + 1)}`).join(',')}}`
}

function refuseLoneSurrogates(value: JsonValue, depth: number): void {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new NotCanonical('lone surrogate')
  } else if (typeof value === 'object' && value !== null && !(value instanceof NumberToken)) {
    for (const key of Object.keys(value)) {
      if (!key.isWellFormed()) throw new NotCanonical('lone surrogate')
      refuseLoneSurrogates((value as JsonObject)[key]!, depth + 1)
    }
  }
}

/** The rule (`json.float`, ...) that one of the numbers in a value breaks, or undefined. Iterative. */
export function findLooseNumber(value: JsonValue): string | undefined {
  const stack: JsonValue[] = [value]
  for (;;) {
    const next = stack.pop()
    if (next === undefined) return undefined
    if (next instanceof NumberToken) {
      if (!next.isInteger()) return 'json.float'
      return next.toNumber() === 0 ? 'json.negative_zero' : 'json.range'
    }
    if (typeof next !== 'object' || next === null) continue
    for (const child of Array.isArray(next) ? next : Object.values(next)) {
      if (typeof child === 'object' && child !== null) stack.push(child as JsonValue)
    }
  }
}
