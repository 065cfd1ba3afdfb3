/** Registration tokens. https://spec.matrix.org/v1.16/client-server-api/#token-authenticated-registration */
import type { Clock } from '#/base/world.ts'
import type { RegistrationTokenRow } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import { REGISTRATION_TOKEN_CHARS_MAX } from './limits.ts'

export class RegistrationTokens {
  readonly #store: Store
  readonly #clock: Clock
  readonly #any: (now: number) => Promise<boolean>

  constructor(deps: { store: Store; clock: Clock; any: (now: number) => Promise<boolean> }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#any = deps.any
  }

  /** Whether some token would let somebody register now. */
  some(): Promise<boolean> {
    return this.#any(this.#clock.now())
  }

  /** A token that is neither expired nor used up now. */
  async valid(token: string): Promise<RegistrationTokenRow | undefined> {
    if (token === '' || token.length > REGISTRATION_TOKEN_CHARS_MAX) return undefined
    const row = await this.#store.accounts.registrationToken(token)
    if (!row) return undefined
    if (row.expiresTs !== null && row.expiresTs <= this.#clock.now()) return undefined
    return row.usesAllowed === null || row.completed < row.usesAllowed ? row : undefined
  }
}
