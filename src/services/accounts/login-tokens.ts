/** Tokens that open one session: `m.login.token`. https://spec.matrix.org/v1.16/client-server-api/#token-based-user-login */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { UsageOp } from '#/ports/store/usage.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { countOrRefuse } from './errors.ts'
import { LOGIN_TOKEN_CHARS_MAX, LOGIN_TOKENS_MAX, TOKEN_BYTES } from './limits.ts'
import type { AccountLimit, LoginTokenOptions } from './options.ts'
import { digestOf } from './tokens.ts'

export interface LoginToken {
  readonly token: string
  readonly expiresInMs: number
}

/** Whose token it is, and the guard that uses it up in the plan of the login. */
export interface PresentedToken {
  readonly userId: string
  readonly take: UsageOp
}

export class LoginTokens {
  readonly #store: Store
  readonly #world: World
  readonly #limits: RateLimits<AccountLimit>
  readonly #options: LoginTokenOptions

  constructor(deps: {
    store: Store
    world: World
    limits: RateLimits<AccountLimit>
    options: LoginTokenOptions
  }) {
    this.#store = deps.store
    this.#world = deps.world
    this.#limits = deps.limits
    this.#options = deps.options
  }

  /** `login_via_existing_session`. */
  get options(): LoginTokenOptions {
    return this.#options
  }

  /** A token for another client of somebody who is logged in. Throws M_LIMIT_EXCEEDED. */
  async forExistingSession(userId: UserId): Promise<LoginToken> {
    countOrRefuse(this.#limits, 'login_token', userId)
    return this.issue(userId, this.#options.lifetimeMs)
  }

  /** A token of a user that works once within `lifetimeMs`. Whoever calls has made sure who asks. */
  async issue(userId: UserId, lifetimeMs: number): Promise<LoginToken> {
    const { clock, rng } = this.#world
    const token = `myl_${rng.bytes(TOKEN_BYTES).toString('base64url')}`
    const op = {
      op: 'login_token.put',
      digest: digestOf(token),
      user: userId,
      expiresTs: clock.now() + lifetimeMs,
      most: LOGIN_TOKENS_MAX,
    } as const
    const result = await this.#store.commit({ lane: userId, ops: [op] })
    if (!result.ok) throw new Error(`a login token met the conflict ${result.conflict}`)
    return { token, expiresInMs: lifetimeMs }
  }

  /** Looks at a token that somebody brings. Throws M_FORBIDDEN for one that is unknown, used or expired. */
  async presented(token: string): Promise<PresentedToken> {
    if (token.length > LOGIN_TOKEN_CHARS_MAX) throw badLoginToken()
    const digest = digestOf(token)
    const now = this.#world.clock.now()
    const row = await this.#store.usage.loginToken(digest)
    if (row === undefined || row.expiresTs <= now) throw badLoginToken()
    return { userId: row.user, take: { op: 'login_token.take', digest, now } }
  }
}

/** One sentence for all that may be wrong with it. */
export function badLoginToken(): MatrixError<'M_FORBIDDEN'> {
  return new MatrixError('M_FORBIDDEN', 'This login token is not valid, or was used already.')
}
