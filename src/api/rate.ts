/** Rate limits that a handler counts itself, because only it knows the key. */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Requester } from '#/http/requester.ts'
import { MatrixError } from '#/protocol/errors.ts'

/** Counts one action; throws M_LIMIT_EXCEEDED with the time to wait. Exempt requesters are not counted. */
export function count(limits: RateLimits<LimitName>, who: Requester, name: LimitName, key: string): void {
  if (who.rateLimit === 'exempt') return
  const wait = limits.take(name, key)
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
