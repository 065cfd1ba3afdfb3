/** Registration tokens. https://spec.matrix.org/v1.16/client-server-api/#token-authenticated-registration */
import type { Clock } from '#/base/world.ts'
import type { RegistrationTokenRow } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import { REGISTRATION_TOKEN_CHARS_MAX } from './limits.ts'

export class RegistrationTokens {
  readonly #store: Store
  readonly #clock: Clock
  readonly #closed: boolean

  /** `closed`: only the token of the first start counts. */
  constructor(deps: { store: Store; clock: Clock; closed: boolean }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#closed = deps.closed
  }

  /** Whether there is no account yet, and a token of an administrator that would make the first. */
  async firstWaits(): Promise<boolean> {
    const { accounts } = this.#store
    return !(await accounts.any()) && (await accounts.unusedAdminToken()) !== undefined
  }

  /** A token that is neither expired nor used up now. */
  async valid(token: string): Promise<RegistrationTokenRow | undefined> {
    if (token === '' || token.length > REGISTRATION_TOKEN_CHARS_MAX) return undefined
    const row = await this.#store.accounts.registrationToken(token)
    if (!row || (this.#closed && !row.admin)) return undefined
    /* Whoever reads old logs must not become an administrator. */
    if (row.admin && (await this.#store.accounts.any())) return undefined
    if (row.expiresTs !== null && row.expiresTs <= this.#clock.now()) return undefined
    return row.usesAllowed === null || row.completed < row.usesAllowed ? row : undefined
  }
}
