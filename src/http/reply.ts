/**
 * Answers that are more than "200 and this JSON". A handler returns a plain object for that, a `Reply`
 * otherwise.
 */

/** Bytes of an answer. The chunks of an array are joined; an iterable is streamed and must end by itself. */
export type ReplyBody =
  | string
  | Uint8Array
  | readonly (string | Uint8Array)[]
  | AsyncIterable<Uint8Array>
  | undefined

export type ReplyHeaders = Readonly<Record<string, string>>

const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS',
  'Access-Control-Allow-Headers': 'X-Requested-With, Content-Type, Authorization, Date',
  'Access-Control-Expose-Headers': 'Retry-After, ETag',
}

/**
 * Headers of every answer, errors included.
 * https://spec.matrix.org/v1.16/client-server-api/#web-browser-clients
 */
export const BASE_HEADERS: ReplyHeaders = Object.freeze({ ...CORS })

/** Headers of JSON answers. One frozen object, so that adapters can prepare it once. */
export const JSON_HEADERS: ReplyHeaders = Object.freeze({
  'Content-Type': 'application/json',
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  ...CORS,
})

/** A finished answer. */
export class Reply {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly body: ReplyBody
  constructor(status: number, headers: ReplyHeaders, body: ReplyBody) {
    this.status = status
    this.headers = headers
    this.body = body
  }
}

/** JSON with a status or headers of its own. */
export function json(status: number, value: unknown, headers?: ReplyHeaders): Reply {
  return new Reply(
    status,
    headers === undefined ? JSON_HEADERS : { ...JSON_HEADERS, ...headers },
    JSON.stringify(value),
  )
}

/** JSON text that is ready: stored bytes, or pieces that together are one JSON value. */
export function jsonText(body: ReplyBody, status = 200): Reply {
  return new Reply(status, JSON_HEADERS, body)
}

/** Any other content. CORS headers are added. */
export function content(status: number, type: string, body: ReplyBody, headers?: ReplyHeaders): Reply {
  return new Reply(status, { 'Content-Type': type, ...BASE_HEADERS, ...headers }, body)
}

/** A redirect; `location` must be made by us or checked, never echoed. */
export function redirect(location: string, status: 302 | 303 | 307 | 308 = 302): Reply {
  return new Reply(status, { Location: location, ...BASE_HEADERS }, undefined)
}
