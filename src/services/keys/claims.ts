/** Claiming one-time keys. https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim */
import type { ClaimedKey, ClaimWish } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { CLAIMED_DEVICES_MAX, CLAIMED_DEVICES_PER_PLAN } from './limits.ts'

/** All claims of this process use one lane, so that two of them never wait for each other's locks. */
const LANE = 'keys.claim'

export class KeyClaims {
  readonly #store: Store

  constructor(deps: { store: Store }) {
    this.#store = deps.store
  }

  /**
   * Takes a key for each device of this server, which nobody else gets; devices without any are left out. For clients
   * and for other servers. Throws M_TOO_LARGE.
   * @returns the member `one_time_keys` of the answer as JSON text
   */
  async claim(wishes: readonly ClaimWish[]): Promise<string> {
    if (wishes.length > CLAIMED_DEVICES_MAX) {
      throw new MatrixError('M_TOO_LARGE', `At most ${CLAIMED_DEVICES_MAX} devices can be named at once.`)
    }
    const users = new Map<string, string[]>()
    for (let at = 0; at < wishes.length; at += CLAIMED_DEVICES_PER_PLAN) {
      const some = wishes.slice(at, at + CLAIMED_DEVICES_PER_PLAN)
      const result = await this.#store.commit({ lane: LANE, ops: [{ op: 'keys.claim', wishes: some }] })
      if (!result.ok) throw new Error(`a claim met the conflict ${result.conflict}`)
      for (const { user, device, algorithm, keyId, json } of result.results[0] as ClaimedKey[]) {
        const text = `${JSON.stringify(device)}:{${JSON.stringify(`${algorithm}:${keyId}`)}:${json}}`
        const texts = users.get(user)
        if (texts) texts.push(text)
        else users.set(user, [text])
      }
    }
    const parts = [...users].map(([user, texts]) => `${JSON.stringify(user)}:{${texts.join(',')}}`)
    return `{${parts.join(',')}}`
  }
}
