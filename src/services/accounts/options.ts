/** What the accounts services are told by the configuration, as plain values. Durations are milliseconds. */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { Template } from '#/base/template.ts'
import type { World } from '#/base/world.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { AccountRow } from '#/ports/store/accounts.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { LastSeen } from './last-seen.ts'

/** Group `registration`. */
export interface RegistrationOptions {
  /** `enable_registration`. When false, the token of the first start still makes the first account. */
  readonly enabled: boolean
  /** `enable_registration_without_verification`. */
  readonly withoutVerification: boolean
  /** `registration_requires_token`. */
  readonly requiresToken: boolean
  /** `registration_shared_secret`; undefined turns `/_synapse/admin/v1/register` off. */
  readonly sharedSecret: string | undefined
  /** `allow_underscore_prefixed_registration`. */
  readonly underscorePrefix: boolean
  /** `inhibit_user_in_use_error`: that a name is taken is told at the end of a registration alone. */
  readonly inhibitInUse?: boolean
  /** `allow_guest_access`. */
  readonly guests: boolean
}

/** `password_config.policy`; undefined where it is not enabled. */
export interface PasswordPolicy {
  readonly minimumLength: number
  readonly requireDigit: boolean
  readonly requireSymbol: boolean
  readonly requireLowercase: boolean
  readonly requireUppercase: boolean
}

/** Group `passwords`. The pepper is the adapter's. */
export interface PasswordOptions {
  /** Derived from `password_config.enabled` and `localdb_enabled`. */
  readonly forLogin: boolean
  readonly forReauth: boolean
  readonly policy: PasswordPolicy | undefined
}

/** Group `sessions`; undefined stands for "for ever". */
export interface SessionOptions {
  /** `session_lifetime`. */
  readonly lifetimeMs: number | undefined
  /** `refreshable_access_token_lifetime`; undefined turns refresh tokens off, as in Synapse. */
  readonly refreshableAccessTokenMs: number | undefined
  /** `refresh_token_lifetime`. */
  readonly refreshTokenMs: number | undefined
  /** `nonrefreshable_access_token_lifetime`. */
  readonly nonrefreshableAccessTokenMs: number | undefined
  /** `ui_auth.session_timeout`; absent or 0: each change of the account wants a proof of its own. */
  readonly proofMs?: number
}

/** `login_via_existing_session`. */
export interface LoginTokenOptions {
  readonly enabled: boolean
  /** Whether the password must be given again: `require_ui_auth`. */
  readonly confirm: boolean
  /** `token_timeout`. */
  readonly lifetimeMs: number
}

/** As without a word in the configuration. */
export const LOGIN_TOKENS_DEFAULT: LoginTokenOptions = { enabled: false, confirm: true, lifetimeMs: 300_000 }

/** `user_consent`. */
export interface ConsentOptions {
  /** The version that must be agreed to. */
  readonly version: string
  readonly policyName: string
  /** Documents by version. */
  readonly documents: ReadonlyMap<string, Template>
  /** What is shown after the agreement; a plain page where there is none. */
  readonly success: Template | undefined
  readonly atRegistration: boolean
  /** What is said to who sends without having agreed, with `%(consent_uri)s`; undefined lets them send. */
  readonly blockEventsError: string | undefined
  /** Content of the notice to who has not agreed, with `%(consent_uri)s`; undefined sends none. */
  readonly notice: JsonObject | undefined
  readonly noticeToGuests: boolean
  /** `form_secret`. */
  readonly secret: string
  /** Where this server is reached from outside, with a slash at its end. */
  readonly publicBaseurl: string
}

export interface ProfileOptions {
  /** `enable_set_displayname`, `enable_set_avatar_url`. */
  readonly setDisplayname: boolean
  readonly setAvatarUrl: boolean
  /** `require_auth_for_profile_requests`. */
  readonly requireAuth: boolean
  /** `limit_profile_requests_to_users_who_share_rooms`; asks for authentication too. */
  readonly sharedRoomsOnly: boolean
  /** `msc4069_profile_inhibit_propagation`: a client may keep a change out of its rooms by the older name, too. */
  readonly inhibitsPropagation?: boolean
}

export interface AccountOptions {
  readonly serverName: ServerName
  readonly registration: RegistrationOptions
  readonly passwords: PasswordOptions
  readonly sessions: SessionOptions
  readonly profile: ProfileOptions
  /** Absent: there is no policy to agree to. */
  readonly consent?: ConsentOptions
  /** Absent: nobody gets login tokens. */
  readonly loginTokens?: LoginTokenOptions
}

/** Rate limits that these services count themselves. */
export type AccountLimit = 'rc_registration' | 'rc_login.account' | 'rc_login.failed_attempts' | 'login_token'

/**
 * What happens elsewhere when an account changes. The operations of the first two go into the plan of the change, so
 * that nothing is lost in a crash (a durable job); the callbacks run after its commit and must not throw.
 */
/** A change of a field that member events carry, which goes into some of them. */
export interface ProfileChange {
  readonly field: 'displayname' | 'avatar_url'
  /** The member events that are changed: those that say this, null for nothing; absent for all. */
  readonly before?: string | null
}

export interface AccountHooks {
  /** The displayname or avatar_url of a user changes at `now`. */
  readonly profileOps?: (userId: UserId, now: number, change: ProfileChange) => readonly Op[]
  readonly onProfileChanged?: (userId: UserId) => void
  /** An account is made. What `onRegistered` does is waited for before anybody is told. */
  readonly registrationOps?: (userId: UserId) => readonly Op[]
  readonly onRegistered?: (userId: UserId) => Promise<void>
  /** A user is deactivated at `now`: leaves the rooms, and whatever else. */
  readonly deactivationOps?: (userId: UserId, now: number) => readonly Op[]
  readonly onDeactivated?: (userId: UserId) => void
  /** Operations for the plan that sets global account data, and what is to be done when there were any. */
  readonly accountDataOps?: (userId: UserId, type: string, content: JsonObject) => Promise<readonly Op[]>
  readonly onAccountData?: (userId: UserId) => Promise<void>
  /** Throws when an account may not log in now for reasons that lie elsewhere, such as a limit of use. */
  readonly mayLogIn?: (account: AccountRow) => Promise<void>
  /** Throws when nobody may register now. Not asked of who knows the shared secret. */
  readonly mayRegister?: () => Promise<void>
  /** Whether a user id belongs to an application service alone. */
  readonly exclusive?: (userId: UserId) => boolean
}

export interface AccountServiceDeps {
  readonly store: Store
  readonly world: World
  readonly passwords: Passwords
  readonly options: AccountOptions
  readonly limits: RateLimits<AccountLimit>
  readonly hooks?: AccountHooks
  /** Writes last uses of devices down. */
  readonly lastSeen?: LastSeen
}
