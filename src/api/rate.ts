/** Rate limits that a handler counts itself, because only it knows the key. */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Requester } from '#/http/requester.ts'
import { MatrixError } from '#/protocol/errors.ts'

/**
 * Counts one action; throws M_LIMIT_EXCEEDED with the time to wait. Exempt requesters are not counted. With `peek` it
 * only asks whether there is room for one more.
 */
export function count(
  limits: RateLimits<LimitName>,
  who: Requester,
  name: LimitName,
  key: string,
  peek = false,
): void {
  if (who.rateLimit === 'exempt') return
  /* An account's own rate is for messages. */
  const rate = name === 'rc_message' && typeof who.rateLimit === 'object' ? who.rateLimit : undefined
  const wait = limits.take(name, key, { peek, ...(rate && { rate }) })
  if (wait > 0) {
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many requests. Please try again later.', {
      retry_after_ms: Math.ceil(wait),
    })
  }
}

/** Counts one action where it is allowed; else the action is to be left out without an error. */
export function isAllowed(
  limits: RateLimits<LimitName>,
  who: Requester,
  name: LimitName,
  key: string,
): boolean {
  return who.rateLimit === 'exempt' || limits.take(name, key) === 0
}
