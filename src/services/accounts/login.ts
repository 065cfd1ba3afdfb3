/** Login with a password. https://spec.matrix.org/v1.16/client-server-api/#login */
import type { RateLimits } from '#/base/rate-limit.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { Credentials } from './credentials.ts'
import { countOrRefuse } from './errors.ts'
import type { Tokens } from './grants.ts'
import type { AccountLimit } from './options.ts'
import type { NewSession, Sessions } from './sessions.ts'

export class LoginService {
  readonly #credentials: Credentials
  readonly #sessions: Sessions
  readonly #limits: RateLimits<AccountLimit>
  readonly #enabled: boolean

  constructor(deps: {
    credentials: Credentials
    sessions: Sessions
    limits: RateLimits<AccountLimit>
    /** Whether passwords may log in. */
    enabled: boolean
  }) {
    this.#credentials = deps.credentials
    this.#sessions = deps.sessions
    this.#limits = deps.limits
    this.#enabled = deps.enabled
  }

  /** Types of login that this server offers. */
  get flows(): readonly string[] {
    return this.#enabled ? ['m.login.password'] : []
  }

  /**
   * Logs in. `user` is an id or a localpart.
   * Throws M_FORBIDDEN, M_USER_DEACTIVATED, M_USER_LOCKED, M_LIMIT_EXCEEDED.
   */
  async withPassword(user: string, password: string, wanted: NewSession): Promise<Tokens> {
    if (!this.#enabled) throw new MatrixError('M_UNKNOWN', 'Login with a password is not possible here.')
    return this.#credentials.withPassword(user, password, async (account, more) => {
      countOrRefuse(this.#limits, 'rc_login.account', account.user.toLowerCase())
      return this.#sessions.open(account, wanted, more)
    })
  }
}
