/**
 * The JSON reader for bodies that hold events. Against `JSON.parse` it keeps number tokens that a double would
 * change, and refuses duplicate keys, lone surrogates and deep nesting. Iterative, linear in the text.
 *
 * Ordinary texts take a fast way that is provably equal: one scan of the characters counts members, notices
 * fractions, exponents, escapes and depth; `JSON.parse` builds the value; one walk counts keys (a duplicate makes
 * the counts differ) and looks for integers that are not safe. Whatever is noticed goes to `readExactly`.
 */
import { type Result, refuse } from '../errors.ts'
import { JSON_DEPTH_MAX, JSON_TEXT_CHARS_MAX } from '../limits.ts'
import { readExactly } from './exact-reader.ts'
import { type JsonValue, NumberToken } from './value.ts'

/** `strict` refuses every number that canonical JSON refuses; `lenient` gives a `NumberToken` for it. */
export type NumberMode = 'strict' | 'lenient'

/**
 * Reads one JSON text.
 * @returns the value, or a rule: `json.syntax`, `json.duplicate_key`, `json.lone_surrogate`, `json.depth`,
 * `json.size`, `json.number_length`, and in strict mode `json.float`, `json.negative_zero`, `json.range`.
 */
export function readJson(text: string, numbers: NumberMode): Result<JsonValue> {
  if (text.length > JSON_TEXT_CHARS_MAX) return refuse('json.size', `${text.length} characters`)
  const members = countMembers(text)
  if (members < 0) return readExactly(text, numbers)
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    return readExactly(text, numbers)
  }
  keysSeen = 0
  if (!isPlain(value) || keysSeen !== members) return readExactly(text, numbers)
  return { ok: true, value }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads UTF-8 bytes; rule `json.utf8` for bytes that are not UTF-8. A byte order mark is a syntax error. */
export function readJsonBytes(bytes: Uint8Array, numbers: NumberMode): Result<JsonValue> {
  const text = decodeUtf8(bytes)
  return text === undefined ? refuse('json.utf8', 'not valid UTF-8') : readJson(text, numbers)
}

/** The text of UTF-8 bytes, or undefined if they are none. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** Number of colons outside strings, or -1 when the text needs the exact reader. */
function countMembers(text: string): number {
  const end = text.length
  let members = 0
  let depth = 0
  let surrogates = false
  for (let i = 0; i < end; i++) {
    const c = text.charCodeAt(i)
    if (c === 0x22) {
      let d = text.charCodeAt(++i)
      while (d !== 0x22 && i < end) {
        if (d === 0x5c) {
          i++
          // \ud800 and its like may be half of a pair.
          if (text.charCodeAt(i) === 0x75) return -1
        } else if (d >= 0xd800 && d <= 0xdfff) surrogates = true
        d = text.charCodeAt(++i)
      }
    } else if (c === 0x3a) members++
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > JSON_DEPTH_MAX) return -1
    } else if (c === 0x7d || c === 0x5d) depth--
    else if (c === 0x2e || c === 0x45) return -1
    else if (c === 0x65) {
      const before = text.charCodeAt(i - 1)
      if (before >= 0x30 && before <= 0x39) return -1
    }
  }
  // Asked once for the whole text, not at each surrogate.
  return surrogates && !text.isWellFormed() ? -1 : members
}

/** Set by `isPlain`; a module variable because a tuple for every node would double the time. */
let keysSeen = 0

/** Counts the keys of a value into `keysSeen`; false at the first number that is not a plain safe integer. */
function isPlain(value: JsonValue): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || value === null || value instanceof NumberToken) return true
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isPlain(value[i] as JsonValue)) return false
    return true
  }
  const object = value as { [key: string]: JsonValue }
  const keys = Object.keys(object)
  keysSeen += keys.length
  for (let i = 0; i < keys.length; i++) if (!isPlain(object[keys[i]!]!)) return false
  return true
}
