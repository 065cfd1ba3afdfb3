/**
 * The `Authorization: X-Matrix ...` header of requests between servers, per RFC 9110 section 11.4.
 * https://spec.matrix.org/v1.19/server-server-api/#request-authentication
 */

import { type Result, refuse } from '../errors.ts'
import { type KeyId, parseKeyId } from '../ids/key-id.ts'
import { parseServerName, type ServerName } from '../ids/server-name.ts'
import { X_MATRIX_HEADER_CHARS_MAX, X_MATRIX_HEADERS_MAX, X_MATRIX_PARAMETERS_MAX } from './limits.ts'

/** What a header says; nothing of it is verified. */
export interface XMatrix {
  readonly origin: ServerName
  /** Absent from servers older than v1.3; must equal our own name when present. */
  readonly destination: ServerName | undefined
  readonly key: KeyId
  readonly signature: string
}

const SCHEME = 'x-matrix'

/**
 * Reads all Authorization headers of a request. Other schemes are passed over; one broken X-Matrix header
 * refuses the request, and so does the absence of any.
 */
export function parseXMatrixHeaders(headers: readonly string[]): Result<readonly XMatrix[]> {
  if (headers.length > X_MATRIX_HEADERS_MAX)
    return refuse('x_matrix.headers', 'too many Authorization headers')
  const found: XMatrix[] = []
  for (const header of headers) {
    if (!hasScheme(header)) continue
    const parsed = parseXMatrix(header)
    if (!parsed.ok) return parsed
    found.push(parsed.value)
  }
  if (found.length === 0) return refuse('x_matrix.missing', 'no X-Matrix Authorization header')
  return { ok: true, value: found }
}

/** Reads one header value, scheme included. */
export function parseXMatrix(header: string): Result<XMatrix> {
  if (header.length > X_MATRIX_HEADER_CHARS_MAX) return refuse('x_matrix.length', 'the header is too long')
  if (!hasScheme(header)) return refuse('x_matrix.scheme', 'the scheme is not X-Matrix')
  const parameters = parseParameters(header, SCHEME.length)
  if (!parameters.ok) return parameters
  const { value } = parameters
  const origin = parseServerName(value.get('origin') ?? '')
  if (origin === undefined) return refuse('x_matrix.origin', 'origin is missing or no server name')
  const key = parseKeyId(value.get('key') ?? '')
  if (key === undefined) return refuse('x_matrix.key', 'key is missing or no key id')
  // The list of parameters says `signature`, every example and every server says `sig`.
  const signature = value.get('sig') ?? value.get('signature') ?? ''
  if (signature === '') return refuse('x_matrix.sig', 'sig is missing or empty')
  const named = value.get('destination')
  const destination = named === undefined ? undefined : parseServerName(named)
  if (named !== undefined && destination === undefined) {
    return refuse('x_matrix.destination', 'destination is no server name')
  }
  return { ok: true, value: { origin, destination, key, signature } }
}

/** Writes a header value. Throws on a character that would need a backslash, which no valid name has. */
export function buildXMatrix(parts: {
  origin: ServerName
  destination: ServerName
  key: KeyId
  signature: string
}): string {
  const { origin, destination, key, signature } = parts
  for (const text of [origin, destination, key, signature]) {
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at)
      if (code <= 0x20 || code >= 0x7f || code === 0x22 || code === 0x5c) {
        throw new RangeError('an X-Matrix value must be printable ASCII without quotes and backslashes')
      }
    }
  }
  return `X-Matrix origin="${origin}",destination="${destination}",key="${key}",sig="${signature}"`
}

function hasScheme(header: string): boolean {
  const next = header[SCHEME.length]
  const named = header.slice(0, SCHEME.length).toLowerCase() === SCHEME
  return named && (next === undefined || next === ' ' || next === '\t')
}

/** `name=value` pairs between commas; blanks around commas and `=`, and empty list elements, are allowed. */
function parseParameters(text: string, from: number): Result<ReadonlyMap<string, string>> {
  const parameters = new Map<string, string>()
  let at = from
  for (let expected = true; ; ) {
    at = skipBlanks(text, at)
    if (at === text.length) return { ok: true, value: parameters }
    if (text[at] === ',') {
      expected = true
      at += 1
      continue
    }
    if (!expected) return refuse('x_matrix.comma', `a comma is missing at character ${at}`)
    const name = readName(text, at)
    const equals = skipBlanks(text, at + name.length)
    if (name === '' || text[equals] !== '=') {
      return refuse('x_matrix.name', `name=value is missing at character ${at}`)
    }
    const read = readValue(text, skipBlanks(text, equals + 1))
    if (read === undefined) return refuse('x_matrix.value', `the value of ${name} is malformed`)
    const key = name.toLowerCase()
    if (parameters.has(key)) return refuse('x_matrix.duplicate', `${key} is given twice`)
    if (parameters.size >= X_MATRIX_PARAMETERS_MAX)
      return refuse('x_matrix.parameters', 'too many parameters')
    parameters.set(key, read.value)
    at = read.end
    expected = false
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\t') at += 1
  return at
}

function readName(text: string, from: number): string {
  let at = from
  while (at < text.length && isTokenCharacter(text.charCodeAt(at))) at += 1
  return text.slice(from, at)
}

function readValue(text: string, from: number): { value: string; end: number } | undefined {
  if (text[from] === '"') return readQuoted(text, from + 1)
  let at = from
  // Colons stand in unquoted values of older servers, and base64 may bring `/` and `=`.
  while (at < text.length && isBareCharacter(text.charCodeAt(at))) at += 1
  return at === from ? undefined : { value: text.slice(from, at), end: at }
}

/** Reads up to the closing quote; a backslash gives the character after it. */
function readQuoted(text: string, from: number): { value: string; end: number } | undefined {
  let value = ''
  for (let at = from; at < text.length; at += 1) {
    const character = text[at] as string
    if (character === '"') return { value, end: at + 1 }
    if (character === '\\') {
      at += 1
      if (at === text.length) return undefined
    }
    const code = text.charCodeAt(at)
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return undefined
    value += text[at]
  }
  return undefined
}

function isBareCharacter(code: number): boolean {
  return isTokenCharacter(code) || code === 0x3a || code === 0x2f || code === 0x3d
}

/** `tchar` of RFC 9110 section 5.6.2. */
function isTokenCharacter(code: number): boolean {
  const letter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a
  const digit = code >= 0x30 && code <= 0x39
  return letter || digit || TOKEN_SIGNS.has(code)
}

const TOKEN_SIGNS = new Set([..."!#$%&'*+-.^_`|~"].map((sign) => sign.charCodeAt(0)))
