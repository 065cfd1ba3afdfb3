/** Where failures become answers. https://spec.matrix.org/v1.16/client-server-api/#standard-error-response */
import { MatrixError } from '#/protocol/errors.ts'
import { RETRY_AFTER_MS_MAX } from './limits.ts'
import { JSON_HEADERS, json, Reply } from './reply.ts'
import type { Route } from './route.ts'

/** The answer to a refusal; `statuses` are the route's own. */
export function renderMatrixError(error: MatrixError, statuses: Route['statuses']): Reply {
  const status = statuses?.[error.errcode] ?? error.status
  const body = { errcode: error.errcode, error: error.message, ...error.extra }
  const wait = error.extra['retry_after_ms']
  if (typeof wait !== 'number') return json(status, body)
  return json(status, body, { 'Retry-After': String(Math.ceil(wait / 1000)) })
}

/** A bug, seen from outside. The id leads the operator to the stack in the log. */
export function renderBug(requestId: string): Reply {
  return json(500, { errcode: 'M_UNKNOWN', error: `Internal server error (request ${requestId}).` })
}

/** `waitMs` as `RateLimits.take` gives it. */
export function tooManyRequests(waitMs: number): MatrixError<'M_LIMIT_EXCEEDED'> {
  const retryAfterMs = Math.min(Math.max(Math.ceil(waitMs), 1), RETRY_AFTER_MS_MAX)
  return new MatrixError('M_LIMIT_EXCEEDED', 'Too many requests. Please wait a little.', {
    retry_after_ms: retryAfterMs,
  })
}

/** https://spec.matrix.org/v1.16/client-server-api/#api-standards */
export const UNKNOWN_PATH: Reply = json(404, { errcode: 'M_UNRECOGNIZED', error: 'Unrecognized request.' })

/** A path that exists, with a method it does not have. */
export function wrongMethod(allowed: Iterable<string>): Reply {
  return json(
    405,
    { errcode: 'M_UNRECOGNIZED', error: 'This endpoint does not have that method.' },
    { Allow: [...allowed, 'OPTIONS'].join(', ') },
  )
}

/** A compressed body: refused, because its size is not known before it is inflated (adv-43). */
export const COMPRESSED_BODY: Reply = json(415, {
  errcode: 'M_UNKNOWN',
  error: 'Compressed request bodies are not supported.',
})

/** Nobody reads this: the client has gone. The status is nginx's. */
export const CLIENT_GONE: Reply = new Reply(499, JSON_HEADERS, undefined)
