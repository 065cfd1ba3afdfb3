/** Guests: accounts without a password. https://spec.matrix.org/v1.19/client-server-api/#guest-access */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { World } from '#/base/world.ts'
import type { AccountOp } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { localpartOf, type UserId } from '#/protocol/ids/user-id.ts'
import { countOrRefuse } from './errors.ts'
import { LOCALPART_TRIES } from './limits.ts'
import type { AccountLimit } from './options.ts'
import type { Registered } from './registration.ts'
import type { Session } from './session-cache.ts'
import type { Sessions } from './sessions.ts'
import { firstDisplayname } from './usernames.ts'

/** The one device of a guest, named as Synapse does. */
const GUEST_DEVICE = 'guest_device'

/** Guests are numbers; nobody else may have such a name. */
const GUEST_NAME_DIGITS = 12

export class GuestAccounts {
  readonly #store: Store
  readonly #world: World
  readonly #serverName: ServerName
  readonly #allowed: boolean
  readonly #sessions: Sessions
  readonly #limits: RateLimits<AccountLimit>
  readonly #mayRegister: (() => Promise<void>) | undefined

  constructor(deps: {
    store: Store
    world: World
    serverName: ServerName
    /** `allow_guest_access`. */
    allowed: boolean
    sessions: Sessions
    limits: RateLimits<AccountLimit>
    /** Throws when nobody may register now. */
    mayRegister?: (() => Promise<void>) | undefined
  }) {
    this.#store = deps.store
    this.#world = deps.world
    this.#serverName = deps.serverName
    this.#allowed = deps.allowed
    this.#sessions = deps.sessions
    this.#limits = deps.limits
    this.#mayRegister = deps.mayRegister
  }

  /** Makes a guest with a session. Throws M_GUEST_ACCESS_FORBIDDEN, M_LIMIT_EXCEEDED. */
  async register(displayName: string | undefined, addressKey: string): Promise<Registered> {
    if (!this.#allowed) {
      throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests cannot register on this server.')
    }
    await this.#mayRegister?.()
    countOrRefuse(this.#limits, 'rc_registration', addressKey)
    for (let tries = 0; tries < LOCALPART_TRIES; tries++) {
      const userId = this.#newId()
      const owner = { user: userId, deactivated: false, locked: false }
      const { ops, tokens } = this.#sessions.plan(owner, { deviceId: GUEST_DEVICE, displayName })
      const account: AccountOp[] = [
        {
          op: 'account.create',
          user: userId,
          passwordHash: null,
          admin: false,
          guest: true,
          ts: this.#world.clock.now(),
        },
        {
          op: 'profile.put',
          user: userId,
          fields: JSON.stringify({ displayname: firstDisplayname(userId) }),
        },
      ]
      const made = await this.#store.commit({ lane: userId, ops: [...account, ...ops] })
      if (made.ok) return { userId, tokens }
    }
    throw new Error('no free guest name was found')
  }

  /**
   * The guest who registers fully now, from the token of their session. Throws M_FORBIDDEN for a token that is not a
   * guest's, and M_INVALID_USERNAME when `username` is not the guest's own name.
   */
  async upgrading(guestToken: string, username: string | undefined): Promise<UserId> {
    const session = await this.#sessionOf(guestToken)
    if (!session?.isGuest) throw new MatrixError('M_FORBIDDEN', 'guest_access_token is not a guest’s.')
    if (username !== localpartOf(session.userId)) {
      throw new MatrixError('M_INVALID_USERNAME', 'A guest keeps their user name when they register.')
    }
    return session.userId
  }

  /** A bad token is a bad parameter here; a 401 would ask for authentication. */
  async #sessionOf(guestToken: string): Promise<Session | undefined> {
    try {
      return await this.#sessions.find(guestToken)
    } catch (error) {
      if (error instanceof MatrixError) return undefined
      throw error
    }
  }

  #newId(): UserId {
    let digits = ''
    while (digits.length < GUEST_NAME_DIGITS) digits += this.#world.rng.below(10)
    return `@${digits}:${this.#serverName}` as UserId
  }
}
