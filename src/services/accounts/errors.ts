/** Refusals that several parts of the accounts services share. */
import type { RateLimits } from '#/base/rate-limit.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { AccountLimit } from './options.ts'

/** One sentence for an unknown user and a wrong password, so that nobody can tell which it was. */
export function wrongPassword(): MatrixError<'M_FORBIDDEN'> {
  return new MatrixError('M_FORBIDDEN', 'Wrong user name or password.')
}

/** Throws M_LIMIT_EXCEEDED when `key` is over the limit; with `peek` without counting. */
export function countOrRefuse(
  limits: RateLimits<AccountLimit>,
  name: AccountLimit,
  key: string,
  peek = false,
): void {
  const wait = limits.take(name, key, { peek })
  if (wait > 0) {
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many requests. Please try again later.', {
      retry_after_ms: Math.ceil(wait),
    })
  }
}
