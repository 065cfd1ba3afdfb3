/** Asking for keys. https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery */
import type { QueriedKeys, WantedKeys } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { QUERIED_USERS_AT_ONCE, QUERIED_USERS_MAX, QUERY_CHARS_MAX } from './limits.ts'

/** Devices wanted by user; an empty list for all. */
export type WantedDevices = ReadonlyMap<string, readonly string[]>

/** Members of an answer as JSON texts of objects by user id. */
export interface KeysAnswer {
  readonly deviceKeys: string
  readonly masterKeys: string
  readonly selfSigningKeys: string
  readonly userSigningKeys: string
}

const MEMBERS = ['deviceKeys', 'masterKeys', 'selfSigningKeys', 'userSigningKeys'] as const

export class KeyQueries {
  readonly #store: Store

  constructor(deps: { store: Store }) {
    this.#store = deps.store
  }

  /**
   * Keys of users that are known here, as `viewer` may see them: user-signing keys and own signatures are their
   * owner's alone. Another server is no viewer. Throws M_TOO_LARGE.
   */
  async query(viewer: string | undefined, wanted: WantedDevices): Promise<KeysAnswer> {
    if (wanted.size > QUERIED_USERS_MAX) {
      throw new MatrixError('M_TOO_LARGE', `At most ${QUERIED_USERS_MAX} users can be asked about at once.`)
    }
    const users: WantedKeys[] = [...wanted]
    const found: QueriedKeys[] = []
    let chars = 0
    for (let at = 0; at < users.length; at += QUERIED_USERS_AT_ONCE) {
      const some = users.slice(at, at + QUERIED_USERS_AT_ONCE)
      const keys = await this.#store.keys.query(viewer ?? '', some, QUERY_CHARS_MAX - chars)
      for (const name of MEMBERS) chars += keys[name].length
      if (chars > QUERY_CHARS_MAX) {
        throw new MatrixError('M_TOO_LARGE', 'The answer would be too large. Ask about fewer users.')
      }
      found.push(keys)
    }
    const [deviceKeys, masterKeys, selfSigningKeys, userSigningKeys] = MEMBERS.map((name) =>
      found.map((keys) => keys[name]).filter((text) => text !== ''),
    ).map((texts) => `{${texts.join(',')}}`) as [string, string, string, string]
    return { deviceKeys, masterKeys, selfSigningKeys, userSigningKeys }
  }
}
