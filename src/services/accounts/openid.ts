/** Tokens by which other services learn who somebody is. https://spec.matrix.org/v1.16/client-server-api/#openid */
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { OPENID_MS, OPENID_TOKENS_MAX, TOKEN_BYTES } from './limits.ts'
import { digestOf } from './tokens.ts'

export class OpenidTokens {
  readonly #store: Store
  readonly #world: World

  constructor(deps: { store: Store; world: World }) {
    this.#store = deps.store
    this.#world = deps.world
  }

  /** A new token and the seconds for which it works. It opens nothing else. */
  async grant(userId: UserId): Promise<{ readonly token: string; readonly expiresInS: number }> {
    const token = `myo_${this.#world.rng.bytes(TOKEN_BYTES).toString('base64url')}`
    const expiresTs = this.#world.clock.now() + OPENID_MS
    const op = {
      op: 'openid.put',
      digest: digestOf(token),
      user: userId,
      expiresTs,
      most: OPENID_TOKENS_MAX,
    } as const
    const result = await this.#store.commit({ lane: userId, ops: [op] })
    if (!result.ok) throw new Error(`an OpenID token met the conflict ${result.conflict}`)
    return { token, expiresInS: OPENID_MS / 1000 }
  }

  /** Whose token it is; undefined when it is not known or has expired. For `/openid/userinfo` between servers. */
  async holder(token: string): Promise<UserId | undefined> {
    return (await this.#store.people.openid(digestOf(token), this.#world.clock.now())) as UserId | undefined
  }
}
