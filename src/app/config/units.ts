const SECOND = 1000
const DAY = 24 * 60 * 60 * SECOND

const DURATION_UNITS: Readonly<Record<string, number>> = {
  s: SECOND,
  m: 60 * SECOND,
  h: 60 * 60 * SECOND,
  d: DAY,
  w: 7 * DAY,
  y: 365 * DAY,
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
}

/** What a duration looks like, for messages and documentation. */
export const DURATION_SHAPE =
  'a duration: whole milliseconds, or a whole number followed by s, m, h, d, w or y'

/** What a size looks like, for messages and documentation. */
export const SIZE_SHAPE = 'a size: whole bytes, or a whole number followed by K, M, G or T (powers of 1024)'

/**
 * Reads a duration as Synapse does: a number is milliseconds, a string may end in s, m, h, d, w or y (365 days).
 * @returns milliseconds, or undefined when the value is no duration. Negative durations are refused.
 */
export function parseDuration(value: unknown): number | undefined {
  return withUnit(value, DURATION_UNITS, 1)
}

/**
 * Reads a size as Synapse does: a number is bytes, a string may end in K, M, G or T. `KiB`, `MiB`, `GiB` and `TiB`,
 * as Synapse's documentation prints some defaults, mean the same.
 * @returns bytes, or undefined when the value is no size.
 */
export function parseSize(value: unknown): number | undefined {
  const text = typeof value === 'string' && /[KMGT]iB$/.test(value) ? value.slice(0, -2) : value
  return withUnit(text, SIZE_UNITS, 1)
}

function withUnit(
  value: unknown,
  units: Readonly<Record<string, number>>,
  plain: number,
): number | undefined {
  if (typeof value === 'number') return checked(value)
  if (typeof value !== 'string') return undefined
  const unit = units[value.slice(-1)]
  const digits = (unit === undefined ? value : value.slice(0, -1)).trim()
  if (!/^\d{1,16}$/.test(digits)) return undefined
  return checked(Number(digits) * (unit ?? plain))
}

function checked(n: number): number | undefined {
  return Number.isSafeInteger(n) && n >= 0 ? n : undefined
}

/** A duration in its largest whole unit, such as `5m`, for reports. */
export function formatDuration(ms: number): string {
  return withLargest(ms, Object.entries(DURATION_UNITS), 'ms')
}

/** A size in its largest whole unit, such as `50M`, for reports. */
export function formatSize(bytes: number): string {
  return withLargest(bytes, Object.entries(SIZE_UNITS), '')
}

function withLargest(n: number, units: [string, number][], plain: string): string {
  const fits = units.findLast(([, size]) => n > 0 && n % size === 0)
  return fits ? `${n / fits[1]}${fits[0]}` : `${n}${plain}`
}
