/** Names of new accounts. https://spec.matrix.org/v1.16/appendices/#user-identifiers */
import type { Rng } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { isStrictLocalpart, localpartOf, parseUserId, serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import { LOCALPART_CHARS, USER_ID_BYTES_MAX, USERNAME_CHARS_MAX } from './limits.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'

export class Usernames {
  readonly #store: Store
  readonly #serverName: ServerName
  readonly #underscorePrefix: boolean
  readonly #exclusive: (userId: UserId) => boolean

  constructor(deps: {
    store: Store
    serverName: ServerName
    underscorePrefix: boolean
    exclusive: (userId: UserId) => boolean
  }) {
    this.#store = deps.store
    this.#serverName = deps.serverName
    this.#underscorePrefix = deps.underscorePrefix
    this.#exclusive = deps.exclusive
  }

  /**
   * The user id of a name that somebody wants to register; capital letters become small ones. Only the commit can say
   * that it is still free then. Throws M_INVALID_USERNAME, M_EXCLUSIVE, M_USER_IN_USE.
   */
  async wanted(username: string): Promise<UserId> {
    const userId = this.permitted(username)
    if (await this.#taken(userId)) throw new MatrixError('M_USER_IN_USE', 'This user name is taken.')
    return userId
  }

  /** The user id of a name, which may be taken. Throws M_INVALID_USERNAME, M_EXCLUSIVE. */
  permitted(username: string): UserId {
    const userId = this.#wellFormed(username)
    if (this.#exclusive(userId)) {
      throw new MatrixError('M_EXCLUSIVE', 'This user name is reserved.')
    }
    return userId
  }

  /** A free name for somebody who wants none in particular. */
  generated(rng: Rng): UserId {
    let name = 'u'
    while (name.length < LOCALPART_CHARS) name += ALPHABET[rng.below(ALPHABET.length)]
    return this.#wellFormed(name)
  }

  /** The user id that a client means at a login: a whole id or a localpart; undefined when it is none of ours. */
  ours(user: string): UserId | undefined {
    const userId = parseUserId(user.startsWith('@') ? user : `@${user}:${this.#serverName}`)
    return userId !== undefined && serverOf(userId) === this.#serverName ? userId : undefined
  }

  #wellFormed(username: string): UserId {
    const localpart = username.slice(0, USERNAME_CHARS_MAX).toLowerCase()
    const userId = `@${localpart}:${this.#serverName}`
    if (localpart === '') throw invalid('A user name cannot be empty.')
    if (!isStrictLocalpart(localpart)) {
      throw invalid('A user name has only the characters a-z, 0-9 and =_-./+.')
    }
    if (localpart.startsWith('_') && !this.#underscorePrefix) {
      throw invalid('A user name may not begin with an underscore.')
    }
    if (username.length > USERNAME_CHARS_MAX || Buffer.byteLength(userId) > USER_ID_BYTES_MAX) {
      throw invalid(`A user id may have at most ${USER_ID_BYTES_MAX} bytes.`)
    }
    if (/^[0-9]+$/.test(localpart)) throw invalid('Names of digits alone are reserved for guests.')
    return userId as UserId
  }

  /** Names that differ only in case of letters are one name, for accounts that were brought along. */
  async #taken(userId: UserId): Promise<boolean> {
    if ((await this.#store.accounts.byUser(userId)) !== undefined) return true
    return (await this.#store.accounts.byUserFolded(userId)) !== undefined
  }
}

function invalid(sentence: string): MatrixError<'M_INVALID_USERNAME'> {
  return new MatrixError('M_INVALID_USERNAME', sentence)
}

/** The display name of a new account, as Synapse gives it. */
export function firstDisplayname(userId: UserId): string {
  return localpartOf(userId)
}
