/** The JSON object that the signature of a request between servers covers. */

import type { ServerName } from '../ids/server-name.ts'
import type { JsonObject, JsonValue } from '../json/value.ts'

/** A request as the signature sees it. */
export interface SignedRequest {
  /** Upper case, for example `PUT`. */
  readonly method: string
  /** Path and query exactly as on the request line, percent-encoding untouched. */
  readonly uri: string
  readonly origin: ServerName
  /** The name before any delegation. */
  readonly destination: ServerName
  /** The parsed body; undefined if the request has none. */
  readonly content: JsonValue | undefined
}

/**
 * The object to sign or to verify, without signatures. A request without a body has no `content` key at all.
 * https://spec.matrix.org/v1.19/server-server-api/#request-authentication
 */
export function requestJson(request: SignedRequest): JsonObject {
  const { method, uri, origin, destination, content } = request
  return content === undefined
    ? { method, uri, origin, destination }
    : { method, uri, origin, destination, content }
}
