/** Making accounts. https://spec.matrix.org/v1.16/client-server-api/#account-registration-and-management */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { World } from '#/base/world.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { CommitResult, Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { Consent } from './consent.ts'
import { countOrRefuse } from './errors.ts'
import type { Tokens } from './grants.ts'
import { LOCALPART_TRIES } from './limits.ts'
import type { AccountHooks, AccountLimit, PasswordPolicy, RegistrationOptions } from './options.ts'
import { checkPassword } from './password-policy.ts'
import type { RegistrationTokens } from './registration-tokens.ts'
import type { NewSession, Sessions } from './sessions.ts'
import { firstDisplayname, type Usernames } from './usernames.ts'

export interface NewAccount {
  /** What was asked for; undefined makes one up. */
  readonly username: string | undefined
  readonly password: string
  /** Beside what a registration token grants. */
  readonly admin?: boolean
  readonly displayname?: string | undefined
  /** The registration token that is used up with it. */
  readonly token?: string | undefined
  /** Whether the policy was agreed to on the way. */
  readonly agreed?: boolean
  /** The guest who becomes a full account by it, and keeps name and rooms. */
  readonly guest?: UserId | undefined
  /** The first session; undefined makes none (`inhibit_login`). */
  readonly session: NewSession | undefined
}

export interface Registered {
  readonly userId: UserId
  readonly tokens: Tokens | undefined
}

/** Stages of a registration. A token comes first, then the step that asks nothing, as Synapse lists them. */
const WITH_TOKEN = [['m.login.registration_token', 'm.login.dummy']] as const
export const TERMS_STAGE = 'm.login.terms'
const OPEN = [['m.login.dummy']] as const

export class RegistrationService {
  readonly #store: Store
  readonly #world: World
  readonly #passwords: Passwords
  readonly #policy: PasswordPolicy | undefined
  readonly #options: RegistrationOptions
  readonly #sessions: Sessions
  readonly #usernames: Usernames
  readonly #limits: RateLimits<AccountLimit>
  readonly tokens: RegistrationTokens
  readonly #hooks: AccountHooks
  readonly #consent: Consent | undefined

  constructor(deps: {
    store: Store
    world: World
    passwords: Passwords
    policy: PasswordPolicy | undefined
    options: RegistrationOptions
    sessions: Sessions
    usernames: Usernames
    limits: RateLimits<AccountLimit>
    tokens: RegistrationTokens
    hooks?: AccountHooks
    consent?: Consent | undefined
  }) {
    this.#store = deps.store
    this.#world = deps.world
    this.#passwords = deps.passwords
    this.#policy = deps.policy
    this.#options = deps.options
    this.#sessions = deps.sessions
    this.#usernames = deps.usernames
    this.#limits = deps.limits
    this.tokens = deps.tokens
    this.#hooks = deps.hooks ?? {}
    this.#consent = deps.consent
  }

  /**
   * The flows that are offered now. A closed registration offers the token of the first start as long as there is no
   * account, and nothing after.
   * Throws M_FORBIDDEN.
   */
  async flows(): Promise<readonly (readonly string[])[]> {
    const { enabled, withoutVerification, requiresToken } = this.#options
    if (enabled) return this.#withTerms(withoutVerification && !requiresToken ? OPEN : WITH_TOKEN)
    if (await this.tokens.firstWaits()) return this.#withTerms(WITH_TOKEN)
    throw new MatrixError('M_FORBIDDEN', 'Registration is closed on this server.')
  }

  #withTerms(flows: readonly (readonly string[])[]): readonly (readonly string[])[] {
    if (!this.#consent?.options.atRegistration) return flows
    return flows.map((flow) => [...flow, TERMS_STAGE])
  }

  /** Whether a name could be registered. Throws as `register` would. */
  async available(username: string): Promise<void> {
    await this.flows()
    await this.#allowed(username)
  }

  /** Whether a name may be asked for; that it is taken may have to be kept to the end. */
  async #allowed(username: string): Promise<void> {
    if (this.#options.inhibitInUse) this.#usernames.permitted(username)
    else await this.#usernames.wanted(username)
  }

  /** Throws when an address has registered too often. Counts nothing. */
  refuseFlood(addressKey: string): void {
    countOrRefuse(this.#limits, 'rc_registration', addressKey, true)
  }

  /** What can be said of a name and a password before anything is proven. */
  async check(username: string | undefined, password: string | undefined): Promise<void> {
    if (username !== undefined) await this.#allowed(username)
    if (password !== undefined) checkPassword(this.#policy, password)
  }

  /**
   * Makes an account and perhaps its first session in one plan. `addressKey` is counted; undefined counts nobody.
   * Throws M_USER_IN_USE, M_INVALID_USERNAME, M_EXCLUSIVE, M_WEAK_PASSWORD, M_LIMIT_EXCEEDED, and M_FORBIDDEN when
   * the token was used up meanwhile.
   */
  async register(account: NewAccount, addressKey?: string): Promise<Registered> {
    await this.check(account.guest === undefined ? account.username : undefined, account.password)
    if (addressKey !== undefined) await this.#hooks.mayRegister?.()
    if (addressKey !== undefined) countOrRefuse(this.#limits, 'rc_registration', addressKey)
    const passwordHash = await this.#passwords.hash(account.password)
    for (let tries = 0; tries < LOCALPART_TRIES; tries++) {
      const made = await this.#make(account, passwordHash)
      if ('userId' in made) return made
      if (made.conflict === 'gone' && account.guest !== undefined && made.value === account.guest) {
        throw new MatrixError('M_USER_IN_USE', 'This guest has registered already.')
      }
      if (made.conflict === 'gone') {
        throw new MatrixError('M_FORBIDDEN', 'This registration token has been used up.')
      }
      if (account.username !== undefined) {
        throw new MatrixError('M_USER_IN_USE', 'This user name is taken.')
      }
    }
    throw new Error('no free user name was found')
  }

  async #make(
    account: NewAccount,
    passwordHash: string,
  ): Promise<Registered | Extract<CommitResult, { ok: false }>> {
    const now = this.#world.clock.now()
    const userId = account.guest ?? (await this.#nameOf(account.username))
    const token = account.token === undefined ? undefined : await this.tokens.valid(account.token)
    if (account.token !== undefined && token === undefined) return { ok: false, conflict: 'gone' }
    const admin = account.admin === true || token?.admin === true
    const displayname = account.displayname ?? firstDisplayname(userId)
    const ops: Op[] =
      account.guest !== undefined
        ? [{ op: 'account.upgrade', user: userId, passwordHash, admin }]
        : [
            { op: 'account.create', user: userId, passwordHash, admin, guest: false, ts: now },
            { op: 'profile.put', user: userId, fields: JSON.stringify({ displayname }) },
            ...(this.#hooks.registrationOps?.(userId) ?? []),
          ]
    if (account.agreed && this.#consent) ops.push(this.#consent.op(userId))
    if (token !== undefined) ops.push({ op: 'registration_token.use', token: token.token, now })
    const owner = { user: userId, deactivated: false, locked: false }
    const session = account.session && this.#sessions.plan(owner, account.session)
    const result = await this.#store.commit({ lane: userId, ops: [...ops, ...(session?.ops ?? [])] })
    if (!result.ok) return result
    if (account.guest !== undefined) this.#sessions.forgetUser(userId)
    else await this.#hooks.onRegistered?.(userId)
    return { userId, tokens: session?.tokens }
  }

  /** The name that was asked for, or a new one. */
  #nameOf(username: string | undefined): UserId | Promise<UserId> {
    return username === undefined
      ? this.#usernames.generated(this.#world.rng)
      : this.#usernames.wanted(username)
  }
}
