/** Login with a password or a token. https://spec.matrix.org/v1.16/client-server-api/#login */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { AccountOp, AccountRow } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import type { UsageOp } from '#/ports/store/usage.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { Credentials } from './credentials.ts'
import { countOrRefuse } from './errors.ts'
import type { Tokens } from './grants.ts'
import { badLoginToken, type LoginTokens } from './login-tokens.ts'
import type { AccountHooks, AccountLimit } from './options.ts'
import type { RecentProofs } from './recent-proofs.ts'
import type { NewSession, Sessions } from './sessions.ts'

/** A way to log in, as `GET /login` names it. */
export interface LoginFlow {
  readonly type: string
  /** Whether a client that is logged in can get a token for this one. */
  readonly get_login_token?: true
}

export class LoginService {
  readonly #store: Store
  readonly #credentials: Credentials
  readonly #sessions: Sessions
  readonly #limits: RateLimits<AccountLimit>
  readonly #enabled: boolean
  readonly #loginTokens: LoginTokens
  readonly #proofs: RecentProofs
  readonly #hooks: AccountHooks

  constructor(deps: {
    store: Store
    credentials: Credentials
    sessions: Sessions
    limits: RateLimits<AccountLimit>
    /** Whether passwords may log in. */
    enabled: boolean
    loginTokens: LoginTokens
    proofs: RecentProofs
    hooks: AccountHooks
  }) {
    this.#store = deps.store
    this.#credentials = deps.credentials
    this.#sessions = deps.sessions
    this.#limits = deps.limits
    this.#enabled = deps.enabled
    this.#loginTokens = deps.loginTokens
    this.#proofs = deps.proofs
    this.#hooks = deps.hooks
  }

  /** Types of login that this server offers. */
  get flows(): readonly LoginFlow[] {
    const token: LoginFlow = { type: 'm.login.token', get_login_token: true }
    return [
      ...(this.#enabled ? [{ type: 'm.login.password' }] : []),
      ...(this.#loginTokens.options.enabled ? [token] : []),
    ]
  }

  offers(type: string): boolean {
    return this.flows.some((flow) => flow.type === type)
  }

  /**
   * Logs in. `user` is an id or a localpart.
   * Throws M_FORBIDDEN, M_USER_DEACTIVATED, M_USER_LOCKED, M_LIMIT_EXCEEDED, M_RESOURCE_LIMIT_EXCEEDED.
   */
  async withPassword(user: string, password: string, wanted: NewSession): Promise<Tokens> {
    if (!this.#enabled) throw new MatrixError('M_UNKNOWN', 'Login with a password is not possible here.')
    const tokens = await this.#credentials.withPassword(user, password, (account, more) =>
      this.#open(account, wanted, more),
    )
    this.#proofs.note(tokens.userId, tokens.deviceId)
    return tokens
  }

  /** Logs in with a token, which is used up by it. Throws as `withPassword`. */
  async withToken(token: string, wanted: NewSession): Promise<Tokens> {
    const { userId, take } = await this.#loginTokens.presented(token)
    const tokens = await this.#sessions.exclusively(userId, async () => {
      const account = await this.#store.accounts.byUser(userId)
      if (account === undefined) throw badLoginToken()
      return this.#open(account, wanted, [take])
    })
    this.#proofs.forget(tokens.userId, tokens.deviceId)
    return tokens
  }

  async #open(
    account: AccountRow,
    wanted: NewSession,
    more: readonly (AccountOp | UsageOp)[],
  ): Promise<Tokens> {
    countOrRefuse(this.#limits, 'rc_login.account', account.user.toLowerCase())
    if (!account.deactivated) await this.#hooks.mayLogIn?.(account)
    const tokens = await this.#sessions.tryOpen(account, wanted, more)
    if (tokens === undefined) throw badLoginToken()
    return tokens
  }
}
