/** Whether somebody wants to be invited. https://spec.matrix.org/v1.18/client-server-api/#invite-permission */
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { INVITE_PERMISSION, INVITE_RULES, InviteFilter } from '#/protocol/invites/invite-filter.ts'
import { INVITE_GLOBS_MAX } from '#/protocol/invites/limits.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import type { IgnoredUsers } from './ignored-users.ts'

export class InviteGuard {
  readonly #store: Store
  readonly #ignored: IgnoredUsers
  readonly #adminsOnly: boolean
  readonly #withRules: boolean

  /** `adminsOnly`: `block_non_admin_invites`. `withRules`: users say whom they want to be invited by (MSC4155). */
  constructor(deps: { store: Store; ignored: IgnoredUsers; adminsOnly: boolean; withRules: boolean }) {
    this.#store = deps.store
    this.#ignored = deps.ignored
    this.#adminsOnly = deps.adminsOnly
    this.#withRules = deps.withRules
  }

  /** Throws M_FORBIDDEN where only administrators may invite, M_INVITE_BLOCKED where the invited one wants none. */
  async check(sender: UserId, target: UserId): Promise<void> {
    if (this.#adminsOnly && !(await this.#store.accounts.byUser(sender))?.admin) {
      throw new MatrixError('M_FORBIDDEN', 'Only administrators may invite on this server.')
    }
    if ((await this.filterOf(target)).answer(sender) === 'block') {
      throw new MatrixError('M_INVITE_BLOCKED', 'This user does not want to be invited.')
    }
  }

  /** Whether a user is not to see an invite by `sender`, because they ignore them or do not want it. */
  async hides(user: string, sender: string): Promise<boolean> {
    if ((await this.#ignored.ignoredBy(user)).has(sender)) return true
    return (await this.filterOf(user)).answer(sender) !== 'allow'
  }

  /** Which invites a user wants. */
  async filterOf(user: string): Promise<InviteFilter> {
    const permission = await this.#content(user, INVITE_PERMISSION)
    return new InviteFilter(permission, this.#withRules ? await this.#content(user, INVITE_RULES) : undefined)
  }

  /** Whether global account data of a type says which invites a user wants. */
  concerns(type: string): boolean {
    return type === INVITE_PERMISSION || (this.#withRules && type === INVITE_RULES)
  }

  /** Throws M_BAD_JSON for rules with more patterns than are tried for an invite. */
  checkRules(type: string, content: JsonObject): void {
    if (!this.#withRules || type !== INVITE_RULES) return
    if (new InviteFilter(undefined, content).globs > INVITE_GLOBS_MAX) {
      throw new MatrixError('M_BAD_JSON', `At most ${INVITE_GLOBS_MAX} of these patterns may have wildcards.`)
    }
  }

  async #content(user: string, type: string): Promise<JsonValue | undefined> {
    const row = await this.#store.accountData.get(user, 0, type)
    return row && (JSON.parse(row.content) as JsonValue)
  }
}
