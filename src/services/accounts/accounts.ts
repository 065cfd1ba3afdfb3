/** Builds the accounts services in order. */
import { AccountService } from './account.ts'
import { AccountDataService } from './account-data.ts'
import { Consent } from './consent.ts'
import { Credentials } from './credentials.ts'
import { GuestAccounts } from './guests.ts'
import { LoginService } from './login.ts'
import { LoginTokens } from './login-tokens.ts'
import { type AccountServiceDeps, LOGIN_TOKENS_DEFAULT } from './options.ts'
import { ProfileService } from './profile.ts'
import { RecentProofs } from './recent-proofs.ts'
import { RegistrationService } from './registration.ts'
import { RegistrationTokens } from './registration-tokens.ts'
import { Sessions } from './sessions.ts'
import { SharedSecretRegistration } from './shared-secret.ts'
import { StoredUiaSessions } from './uia-sessions.ts'
import { Usernames } from './usernames.ts'

export interface AccountServices {
  readonly sessions: Sessions
  readonly credentials: Credentials
  readonly login: LoginService
  readonly loginTokens: LoginTokens
  readonly proofs: RecentProofs
  readonly consent: Consent | undefined
  readonly registration: RegistrationService
  readonly sharedSecret: SharedSecretRegistration
  readonly guests: GuestAccounts
  readonly account: AccountService
  readonly profile: ProfileService
  readonly accountData: AccountDataService
  readonly uiaSessions: StoredUiaSessions
}

export function createAccountServices(deps: AccountServiceDeps): AccountServices {
  const { store, world, passwords, options, limits } = deps
  const { clock } = world
  const { serverName } = options
  const { underscorePrefix, sharedSecret: secret } = options.registration
  const { policy, forLogin } = options.passwords
  const hooks = deps.hooks ?? {}
  const exclusive = hooks.exclusive ?? (() => false)
  const sessions = new Sessions({ store, world, options: options.sessions, lastSeen: deps.lastSeen })
  const usernames = new Usernames({ store, serverName, underscorePrefix, exclusive })
  const tokens = new RegistrationTokens({ store, clock, closed: !options.registration.enabled })
  const credentials = new Credentials({ store, passwords, sessions, usernames, limits })
  const loginTokens = new LoginTokens({
    store,
    world,
    limits,
    options: options.loginTokens ?? LOGIN_TOKENS_DEFAULT,
  })
  const consent = options.consent && new Consent({ store, clock, serverName, options: options.consent })
  const proofs = new RecentProofs({ clock, timeoutMs: options.sessions.proofMs ?? 0 })
  const registration = new RegistrationService({
    store,
    world,
    passwords,
    policy,
    options: options.registration,
    sessions,
    usernames,
    limits,
    tokens,
    hooks,
    consent,
  })
  return {
    sessions,
    credentials,
    registration,
    guests: new GuestAccounts({
      store,
      world,
      serverName,
      allowed: options.registration.guests,
      sessions,
      limits,
      mayRegister: hooks.mayRegister,
    }),
    loginTokens,
    proofs,
    consent,
    login: new LoginService({
      ...{ store, credentials, sessions, limits, loginTokens, proofs, hooks },
      enabled: forLogin,
    }),
    sharedSecret: new SharedSecretRegistration({ registration, world, secret }),
    account: new AccountService({ store, world, passwords, policy, sessions, hooks }),
    profile: new ProfileService({ store, clock, serverName, options: options.profile, hooks }),
    accountData: new AccountDataService({ store, hooks }),
    uiaSessions: new StoredUiaSessions(store),
  }
}
