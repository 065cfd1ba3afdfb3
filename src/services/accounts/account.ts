/** Changing the password and deactivating an account. */
import type { World } from '#/base/world.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { AccountHooks, PasswordPolicy } from './options.ts'
import { checkPassword } from './password-policy.ts'
import type { Sessions } from './sessions.ts'

export class AccountService {
  readonly #store: Store
  readonly #world: World
  readonly #passwords: Passwords
  readonly #policy: PasswordPolicy | undefined
  readonly #sessions: Sessions
  readonly #hooks: AccountHooks

  constructor(deps: {
    store: Store
    world: World
    passwords: Passwords
    policy: PasswordPolicy | undefined
    sessions: Sessions
    hooks: AccountHooks
  }) {
    this.#store = deps.store
    this.#world = deps.world
    this.#passwords = deps.passwords
    this.#policy = deps.policy
    this.#sessions = deps.sessions
    this.#hooks = deps.hooks
  }

  /** Throws M_WEAK_PASSWORD. */
  checkPassword(password: string): void {
    checkPassword(this.#policy, password)
  }

  /**
   * Sets a new password. With `endOthers` all devices but `keepDevice` end.
   * https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3accountpassword
   */
  async setPassword(
    userId: UserId,
    password: string,
    endOthers: boolean,
    keepDevice: string | undefined,
  ): Promise<void> {
    this.checkPassword(password)
    const passwordHash = await this.#passwords.hash(password)
    await this.#sessions.exclusively(userId, async () => {
      const keep = keepDevice === undefined ? {} : { keep: keepDevice }
      const ops: Op[] = [{ op: 'account.password', user: userId, passwordHash }]
      if (endOthers) ops.push({ op: 'device.delete', user: userId, ...keep })
      await this.#commit(userId, ops)
    })
  }

  /**
   * Ends an account for ever: no login, no session, no device, no profile, no account data; its name is never given
   * out again (adv-72). The rooms are left by the hooks. With `erase` what the user has sent is shown redacted to
   * whoever was not in the room then.
   * https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3accountdeactivate
   */
  async deactivate(userId: UserId, erase = false): Promise<void> {
    await this.#sessions.exclusively(userId, async () => {
      const now = this.#world.clock.now()
      const ops: Op[] = [
        { op: 'account.flags', user: userId, deactivated: true, admin: false },
        { op: 'account.password', user: userId, passwordHash: null },
        { op: 'device.delete', user: userId },
        { op: 'token.clear', user: userId },
        { op: 'profile.put', user: userId, fields: '{}' },
        { op: 'account_data.clear', user: userId },
        { op: 'receipt.clear', user: userId },
        ...(erase ? [{ op: 'erasure.put', user: userId } as const] : []),
        ...(this.#hooks.deactivationOps?.(userId, now) ?? []),
      ]
      await this.#commit(userId, ops)
    })
    this.#hooks.onDeactivated?.(userId)
  }

  async #commit(userId: UserId, ops: readonly Op[]): Promise<void> {
    const result = await this.#store.commit({ lane: userId, ops })
    if (!result.ok) throw new Error(`a change of an account met the conflict ${result.conflict}`)
    this.#sessions.forgetUser(userId)
  }
}
