/** Request bodies: size, UTF-8, JSON. */
import { MatrixError } from '#/protocol/errors.ts'
import { decodeUtf8, readJson } from '#/protocol/json/reader.ts'
import { isObject, type JsonObject, type JsonValue } from '#/protocol/json/value.ts'
import type { BodySource, DispatchRequest } from './request.ts'

const NOTHING = new Uint8Array(0)

/** The refusal of a body that is too long; adapters throw it while they read. */
export function tooLarge(limit: number): MatrixError<'M_TOO_LARGE'> {
  return new MatrixError('M_TOO_LARGE', `The request body is larger than ${limit} bytes.`)
}

/** The whole body. Throws M_TOO_LARGE. */
export async function readBody(body: DispatchRequest['body'], limit: number): Promise<Uint8Array> {
  if (body === undefined) return NOTHING
  if (!(body instanceof Uint8Array)) return body.read(limit)
  if (body.byteLength > limit) throw tooLarge(limit)
  return body
}

/** The body in pieces. */
export function streamBody(body: DispatchRequest['body'], limit: number): AsyncIterable<Uint8Array> {
  if (body !== undefined && !(body instanceof Uint8Array)) return (body as BodySource).stream(limit)
  if (body !== undefined && body.byteLength > limit) throw tooLarge(limit)
  return (async function* () {
    if (body !== undefined && body.byteLength > 0) yield body
  })()
}

const NUMBER_RULES: ReadonlySet<string> = new Set(['json.float', 'json.negative_zero', 'json.range'])

/**
 * How numbers are read: 'strict' refuses what canonical JSON refuses; 'plain' makes doubles of them, for
 * content that is ours to interpret; 'lenient' keeps their characters, for signatures of servers.
 */
export type NumberReading = 'strict' | 'plain' | 'lenient'

/**
 * Parses a body. Duplicate keys, lone surrogates and deep nesting are refused in every mode (adv-41).
 * @throws M_NOT_JSON for text that is not JSON, M_BAD_JSON for JSON that is refused.
 */
export function parseJson(bytes: Uint8Array, numbers: NumberReading): JsonValue {
  const text = decodeUtf8(bytes)
  if (text === undefined) throw new MatrixError('M_NOT_JSON', 'The request body is not UTF-8.')
  const read = readJson(text, numbers === 'lenient' ? 'lenient' : 'strict')
  if (read.ok) return read.value
  if (read.rule === 'json.syntax') {
    throw new MatrixError(
      'M_NOT_JSON',
      bytes.byteLength === 0 ? 'The request body is empty.' : 'The request body is not JSON.',
    )
  }
  if (numbers === 'plain' && NUMBER_RULES.has(read.rule)) {
    const lenient = readJson(text, 'lenient')
    if (lenient.ok) return JSON.parse(text) as JsonValue
  }
  throw new MatrixError('M_BAD_JSON', `The JSON of the request body is refused: ${read.why} (${read.rule}).`)
}

/** As `parseJson`, for bodies that must be an object. */
export function parseJsonObject(bytes: Uint8Array, numbers: NumberReading): JsonObject {
  return requireObject(parseJson(bytes, numbers))
}

/** The value of a body that must be an object. Throws M_BAD_JSON for another one. */
export function requireObject(value: JsonValue | undefined): JsonObject {
  if (!isObject(value)) throw new MatrixError('M_BAD_JSON', 'The request body must be a JSON object.')
  return value
}
