/** Whether somebody wants to be invited. https://spec.matrix.org/v1.18/client-server-api/#invite-permission */
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { isObject, type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'
import type { IgnoredUsers } from './ignored-users.ts'

export class InviteGuard {
  readonly #store: Store
  readonly #ignored: IgnoredUsers
  readonly #adminsOnly: boolean

  /** `adminsOnly`: `block_non_admin_invites`. */
  constructor(deps: { store: Store; ignored: IgnoredUsers; adminsOnly: boolean }) {
    this.#store = deps.store
    this.#ignored = deps.ignored
    this.#adminsOnly = deps.adminsOnly
  }

  /** Throws M_FORBIDDEN where only administrators may invite, M_INVITE_BLOCKED where the invited one wants none. */
  async check(sender: UserId, target: UserId): Promise<void> {
    if (this.#adminsOnly && !(await this.#store.accounts.byUser(sender))?.admin) {
      throw new MatrixError('M_FORBIDDEN', 'Only administrators may invite on this server.')
    }
    if (await this.#blocksAll(target)) {
      throw new MatrixError('M_INVITE_BLOCKED', 'This user does not want to be invited.')
    }
  }

  /** Whether a user is not to see an invite by `sender`, because they ignore them or want no invites at all. */
  async hides(user: string, sender: string): Promise<boolean> {
    if ((await this.#ignored.ignoredBy(user)).has(sender)) return true
    return this.#blocksAll(user)
  }

  async #blocksAll(user: string): Promise<boolean> {
    const row = await this.#store.accountData.get(user, 0, 'm.invite_permission_config')
    const config = row && (JSON.parse(row.content) as JsonValue)
    return isObject(config) && blocksInvites(config)
  }
}

/** Whether an `m.invite_permission_config` says that no invites are wanted. */
export function blocksInvites(config: JsonObject): boolean {
  return member(config, 'default_action') === 'block'
}
