import { resolve } from 'node:path'
import { CONFIG_QUOTE_CHARS_MAX } from './limits.ts'
import type { Node, ScalarNode } from './node.ts'
import type { Option, Reading, Status, Type } from './option.ts'
import { Secret } from './secret.ts'
import { DURATION_SHAPE, parseDuration, parseSize, SIZE_SHAPE } from './units.ts'

/** A type of one plain value. `parse` gives undefined for what does not fit. */
export function scalar<T>(
  name: string,
  expected: string,
  parse: (value: ScalarNode['value'], source: string, reading: Reading) => T | undefined,
): Type<T> {
  const type: Type<T> = {
    name,
    expected,
    read(node, reading) {
      const value = node.kind === 'scalar' ? parse(node.value, node.source, reading) : undefined
      if (value === undefined) refuse(type, node, reading)
      return value
    },
  }
  return type
}

/** Reports that a value does not fit; the value itself is repeated, shortened, unless it may be a secret. */
export function refuse(type: Type<unknown>, node: Node, reading: Reading): undefined {
  const got = type.isSecret || node.kind !== 'scalar' ? kindOf(node) : quote(node.value)
  const hint = type.name === 'string' && isUnquoted(node) ? '; put it in quotes' : ''
  reading.problem(node.at, `expected ${type.expected}, found ${got}${hint}`)
  return undefined
}

function isUnquoted(node: Node): boolean {
  return node.kind === 'scalar' && (typeof node.value === 'number' || typeof node.value === 'boolean')
}

function kindOf(node: Node): string {
  if (node.kind === 'list') return 'a list'
  if (node.kind === 'map') return 'a map'
  return node.value === null ? 'nothing' : `a ${typeof node.value}`
}

function quote(value: ScalarNode['value']): string {
  if (value === null) return 'nothing'
  const text = typeof value === 'string' ? JSON.stringify(value) : `the ${typeof value} ${value}`
  return text.length > CONFIG_QUOTE_CHARS_MAX ? `${text.slice(0, CONFIG_QUOTE_CHARS_MAX)}…` : text
}

export const string: Type<string> = scalar('string', 'a string', (v) =>
  typeof v === 'string' ? v : undefined,
)

/** A string in which plain numbers and booleans count as written, as where Synapse applies `str()`. */
export const text: Type<string> = scalar('string', 'a string', (v, source) => {
  if (typeof v === 'string') return v
  return v === null ? undefined : source
})

export const bool: Type<boolean> = scalar('boolean', 'true or false', (v) =>
  typeof v === 'boolean' ? v : undefined,
)

const YES = ['y', 'yes', 't', 'true', 'on', '1']
const NO = ['n', 'no', 'f', 'false', 'off', '0']

/** A boolean that may also be a word in quotes, where Synapse allows it. */
export const looseBool: Type<boolean> = scalar('boolean', 'true or false', (v, source) => {
  if (typeof v === 'boolean') return v
  const word = source.toLowerCase()
  if (YES.includes(word)) return true
  return NO.includes(word) ? false : undefined
})

/** A whole number within bounds; a float without a fraction counts. */
export function int(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Type<number> {
  const bounded = max < Number.MAX_SAFE_INTEGER
  const range = bounded ? ` from ${min} to ${max}` : min > Number.MIN_SAFE_INTEGER ? `, at least ${min}` : ''
  return scalar('integer', `a whole number${range}`, (v) =>
    typeof v === 'number' && Number.isSafeInteger(v) && v >= min && v <= max ? v : undefined,
  )
}

/** A number that is not negative. */
export const number: Type<number> = scalar('number', 'a number, at least 0', (v) =>
  typeof v === 'number' && Number.isFinite(v) && v >= 0 ? v : undefined,
)

/** Milliseconds out. */
export const duration: Type<number> = scalar('duration', DURATION_SHAPE, (v) => parseDuration(v))

/** Milliseconds out; zero is refused. */
export const positiveDuration: Type<number> = scalar('duration', `${DURATION_SHAPE}, more than 0`, (v) => {
  const ms = parseDuration(v)
  return ms === 0 ? undefined : ms
})

/** Bytes out. */
export const size: Type<number> = scalar('size', SIZE_SHAPE, (v) => parseSize(v))

/** A file or folder; relative paths start at the working directory, as in Synapse. Absolute out. */
export const path: Type<string> = scalar('path', 'the path of a file or folder', (v, _source, reading) =>
  typeof v === 'string' && v !== '' ? resolve(reading.files.cwd, v) : undefined,
)

/** An absolute http or https URL, as written. */
export const url: Type<string> = scalar('URL', 'an http or https URL', (v) =>
  typeof v === 'string' && /^https?:$/.test(URL.parse(v)?.protocol ?? '') ? v : undefined,
)

/** A regular expression, as written; only that it compiles is checked. Python's named groups are allowed. */
export const regex: Type<string> = scalar('regular expression', 'a regular expression', (v) => {
  if (typeof v !== 'string') return undefined
  try {
    new RegExp(v.replaceAll('(?P<', '(?<'))
    return v
  } catch {
    return undefined
  }
})

/** A pattern in which `*` stands for any text and `?` for any character. */
export const glob: Type<string> = scalar('glob', 'a pattern with * and ?', (v) =>
  typeof v === 'string' ? v : undefined,
)

/** A TCP port. Also in quotes, as some options of Synapse allow. */
export const port: Type<number> = scalar('port', 'a port from 0 to 65535', (v, source) => {
  const n = typeof v === 'number' ? v : /^\d{1,5}$/.test(source) ? Number(source) : Number.NaN
  return Number.isInteger(n) && n >= 0 && n <= 65_535 ? n : undefined
})

/** An IP address or a CIDR range, as written. */
export const ipRange: Type<string> = scalar('IP range', 'an IP address or a CIDR range', (v) =>
  typeof v === 'string' && isIpRange(v) ? v : undefined,
)

/** A string that must not be printed. An empty one counts as none, as in Synapse. */
export const secretText: Type<Secret | null> = {
  ...scalar('secret', 'a string (a secret)', () => undefined),
  isSecret: true,
  acceptsNull: true,
  read(node, reading) {
    if (node.kind !== 'scalar') return refuse(secretText, node, reading)
    if (node.value === null || node.value === '') return null
    return typeof node.value === 'string' ? new Secret(node.value) : refuse(secretText, node, reading)
  },
}

/** A secret; with `twin`, `<key>_path` may name a file that holds it. Without a value: null. */
export function secret(status: Status, about: string, twin = true): Option<Secret | null> {
  return { type: secretText, status, fallback: null, about, twin }
}

function isIpRange(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/')
  if (rest.length > 0) return false
  const host = address.includes(':') ? `[${address}]` : address
  const isV4 =
    /^\d{1,3}(\.\d{1,3}){3}$/.test(address) && address.split('.').every((part) => Number(part) <= 255)
  if (!isV4 && !(address.includes(':') && URL.canParse(`http://${host}/`))) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isV4 ? 32 : 128))
}
