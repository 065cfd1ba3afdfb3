/** Checks of passwords, with the limit on failed attempts and the replacement of old hashes. */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { AccountOp, AccountRow } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import { deactivatedAccount } from '#/protocol/errors.ts'
import { countOrRefuse, wrongPassword } from './errors.ts'
import { LOGIN_TRIES } from './limits.ts'
import type { AccountLimit } from './options.ts'
import type { Sessions } from './sessions.ts'
import type { Usernames } from './usernames.ts'

export class Credentials {
  readonly #store: Store
  readonly #passwords: Passwords
  readonly #sessions: Sessions
  readonly #usernames: Usernames
  readonly #limits: RateLimits<AccountLimit>

  constructor(deps: {
    store: Store
    passwords: Passwords
    sessions: Sessions
    usernames: Usernames
    limits: RateLimits<AccountLimit>
  }) {
    this.#store = deps.store
    this.#passwords = deps.passwords
    this.#sessions = deps.sessions
    this.#usernames = deps.usernames
    this.#limits = deps.limits
  }

  /** The account that a client means by an id or a localpart; capital letters matter only between two that differ in them. */
  async account(user: string): Promise<AccountRow | undefined> {
    const userId = this.#usernames.ours(user)
    if (userId === undefined) return undefined
    return (await this.#store.accounts.byUser(userId)) ?? (await this.#store.accounts.byUserFolded(userId))
  }

  /**
   * Checks the password of `user` and runs `task` with the account as it is then, while nothing else changes it;
   * `more` belongs into its plan (a new hash for an old one).
   * Throws M_FORBIDDEN for a wrong password and an unknown user alike, M_USER_DEACTIVATED, M_LIMIT_EXCEEDED.
   */
  async withPassword<T>(
    user: string,
    password: string,
    task: (account: AccountRow, more: readonly AccountOp[]) => Promise<T>,
  ): Promise<T> {
    const key = (this.#usernames.ours(user) ?? user).toLowerCase()
    for (let tries = 0; tries < LOGIN_TRIES; tries++) {
      const account = await this.account(user)
      const right = await this.#attempt(key, password, account)
      if (account?.deactivated) throw deactivatedAccount()
      if (!account || !right) throw wrongPassword()
      const more = await this.#renewed(account, password)
      const done = await this.#sessions.exclusively(account.user, async () => {
        const now = await this.#store.accounts.byUser(account.user)
        /* Another password or another hash of it: what was checked is no longer true. */
        if (now?.passwordHash !== account.passwordHash) return undefined
        return { value: await task(now, more) }
      })
      if (done) return done.value
    }
    throw wrongPassword()
  }

  /**
   * Whether `password` is the account's own, for a confirmation. Counts failures by themselves, as Synapse does, so
   * that nobody can lock a user out of the login. Throws M_LIMIT_EXCEEDED.
   */
  async confirms(userId: string, password: string): Promise<boolean> {
    return this.#attempt(`uia ${userId}`, password, await this.#store.accounts.byUser(userId))
  }

  /**
   * One attempt, counted before it is made and given back when it was none, so that many at once do not slip through
   * a limit that none of them has reached yet.
   */
  async #attempt(key: string, password: string, account: AccountRow | undefined): Promise<boolean> {
    countOrRefuse(this.#limits, 'rc_login.failed_attempts', key)
    let failed = false
    try {
      const right = await this.#passwords.verify(password, account?.passwordHash)
      failed = !right
      return right
    } finally {
      if (!failed) this.#limits.record('rc_login.failed_attempts', key, -1)
    }
  }

  async #renewed(account: AccountRow, password: string): Promise<AccountOp[]> {
    if (account.passwordHash === null || !this.#passwords.outdated(account.passwordHash)) return []
    const passwordHash = await this.#passwords.hash(password)
    return [{ op: 'account.password', user: account.user, passwordHash }]
  }
}
