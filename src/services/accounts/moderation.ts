/** Locking and suspending accounts. https://spec.matrix.org/v1.18/client-server-api/#server-administration */
import type { AccountRow } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import type { Sessions } from './sessions.ts'

export type Restriction = 'locked' | 'suspended'

export class Moderation {
  readonly #store: Store
  readonly #serverName: ServerName
  readonly #sessions: Sessions

  constructor(deps: { store: Store; serverName: ServerName; sessions: Sessions }) {
    this.#store = deps.store
    this.#serverName = deps.serverName
    this.#sessions = deps.sessions
  }

  /**
   * Whether an account is restricted so. The caller has made sure that an administrator asks.
   * Throws M_INVALID_PARAM for users of other servers, M_NOT_FOUND, M_FORBIDDEN for other administrators.
   */
  async get(admin: UserId, target: UserId, which: Restriction): Promise<boolean> {
    return (await this.#account(admin, target))[which]
  }

  /** Restricts an account or frees it. Throws as `get`, and M_FORBIDDEN for one's own account. */
  async set(admin: UserId, target: UserId, which: Restriction, on: boolean): Promise<void> {
    if (admin === target) throw new MatrixError('M_FORBIDDEN', 'You cannot do this to your own account.')
    await this.#sessions.exclusively(target, async () => {
      await this.#account(admin, target)
      const op = { op: 'account.flags', user: target, [which]: on } as const
      const result = await this.#store.commit({ lane: target, ops: [op] })
      if (!result.ok) throw new Error(`a change of an account met the conflict ${result.conflict}`)
      this.#sessions.forgetUser(target)
    })
  }

  async #account(admin: UserId, target: UserId): Promise<AccountRow> {
    if (serverOf(target) !== this.#serverName) {
      throw new MatrixError('M_INVALID_PARAM', 'This user is not of this server.')
    }
    const account = await this.#store.accounts.byUser(target)
    if (!account || account.deactivated) throw new MatrixError('M_NOT_FOUND', 'There is no such user.')
    if (account.admin && target !== admin) {
      throw new MatrixError('M_FORBIDDEN', 'This user is an administrator too.')
    }
    return account
  }
}
