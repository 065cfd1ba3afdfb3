import { type JsonValue, NumberToken } from '../json/value.ts'
import { JSON_NUMBER_CHARS_MAX } from '../limits.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'

/**
 * A power level: a safe integer, a bigint beyond, `Infinity` for a creator of v12, or `NaN` for a value that is no
 * level in its version. Every comparison with NaN is false, so ask `atLeast` and `above`, never their negation by
 * `<`: what cannot be read then grants nothing.
 */
export type Level = number | bigint

/** No level at all. */
export const JUNK: Level = Number.NaN

export function isJunk(level: Level): boolean {
  return Number.isNaN(level)
}

/** Whether `a` is greater than or equal to `b`; false when either is junk. */
export function atLeast(a: Level, b: Level): boolean {
  return a >= b
}

/** Whether `a` is greater than `b`; false when either is junk. */
export function above(a: Level, b: Level): boolean {
  return a > b
}

/**
 * Reads a level as a version does: integers always; strings up to v9; floats, truncated, up to v5.
 * https://spec.matrix.org/v1.16/rooms/v1/#mroompower_levels-events-accept-values-as-floats
 */
export function parseLevel(rules: RoomVersionRules, value: JsonValue): Level {
  if (typeof value === 'number') return value
  if (value instanceof NumberToken) return rules.auth.floatPowerLevels ? tokenLevel(value) : JUNK
  return typeof value === 'string' && !rules.auth.integerPowerLevels ? stringLevel(value) : JUNK
}

function tokenLevel(token: NumberToken): Level {
  const double = token.toNumber()
  if (!Number.isFinite(double)) return JUNK
  return normal(BigInt(token.isInteger() ? token.token : Math.trunc(double)))
}

/** Optional white space, an optional sign, digits. */
function stringLevel(text: string): Level {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  const sign = text[start]
  if (sign === '+' || sign === '-') start++
  if (start === end || end - start > JSON_NUMBER_CHARS_MAX) return JUNK
  for (let i = start; i < end; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x30 || c > 0x39) return JUNK
  }
  const magnitude = BigInt(text.slice(start, end))
  return normal(sign === '-' ? -magnitude : magnitude)
}

function normal(value: bigint): Level {
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

/** Space, tab, line feed, vertical tab, form feed, carriage return. */
function isSpace(c: number): boolean {
  return c === 0x20 || (c >= 0x09 && c <= 0x0d)
}
