/** Everything about accounts in one piece, for the composition root. */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Authenticator } from '#/http/requester.ts'
import type { Route } from '#/http/route.ts'
import { Uia, type UiaFlow } from '#/http/uia.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { type AccountServices, createAccountServices } from '#/services/accounts/accounts.ts'
import type { AccountServiceDeps } from '#/services/accounts/options.ts'
import { accountManagementRoutes } from './account.ts'
import { accountDataRoutes } from './account-data.ts'
import { accountAuthenticator } from './authenticator.ts'
import { consentRoutes } from './consent.ts'
import { clientWellKnown, type DiscoveryOptions, discoveryRoutes } from './discovery.ts'
import { fallbackRoutes } from './fallback.ts'
import { filterRoutes } from './filters.ts'
import { loginPageRoutes } from './login-page.ts'
import { loginTokenRoutes } from './login-token.ts'
import { profileRoutes } from './profile.ts'
import { registrationRoutes } from './registration.ts'
import { sessionRoutes } from './session.ts'
import { reauthFlows } from './shared.ts'
import { sharedSecretRoutes } from './shared-secret.ts'
import { dummyStage, passwordStage, registrationTokenStage, termsStage } from './uia-stages.ts'

export type { DiscoveryOptions } from './discovery.ts'

export interface AccountsDeps extends AccountServiceDeps {
  readonly limits: RateLimits<LimitName>
  readonly discovery: DiscoveryOptions
}

export interface Accounts {
  /** Its `user`; whoever knows the keys of servers adds `server`. */
  readonly authenticator: Authenticator
  readonly routes: readonly Route[]
  /** For other endpoints that ask for the password again, with `reauthFlows`. */
  readonly uia: Uia
  /** Flows that confirm a sensitive change. Throws M_FORBIDDEN where there are none. */
  reauthFlows(): readonly UiaFlow[]
  /** displayname and avatar_url for member events. */
  profileMembers(userId: UserId): Promise<JsonObject>
  readonly services: AccountServices
  /** Stops listening to the store. */
  close(): void
}

export function createAccounts(deps: AccountsDeps): Accounts {
  const services = createAccountServices(deps)
  const uia = new Uia({
    store: services.uiaSessions,
    stages: {
      'm.login.dummy': dummyStage,
      'm.login.password': passwordStage(services.credentials),
      'm.login.registration_token': registrationTokenStage(services.registration.tokens),
      ...(services.consent === undefined ? {} : { 'm.login.terms': termsStage(services.consent) }),
    },
    clock: deps.world.clock,
    rng: deps.world.rng,
    recent: services.proofs,
  })
  return {
    authenticator: accountAuthenticator(services.sessions),
    routes: accountRoutes({ ...deps, services, uia }),
    uia,
    reauthFlows: () => reauthFlows(deps.options.passwords.forReauth),
    profileMembers: (userId) => services.profile.members(userId),
    services,
    close: () => services.sessions.close(),
  }
}

/** The routes of accounts. */
function accountRoutes(d: AccountsDeps & { services: AccountServices; uia: Uia }): Route[] {
  const { services, uia, discovery } = d
  const { serverName, passwords, profile } = d.options
  return [
    ...discoveryRoutes({
      ...{ serverName, discovery, passwords, profile },
      loginTokens: services.loginTokens.options,
    }),
    ...sessionRoutes({ ...services, clientWellKnown: clientWellKnown(discovery) }),
    ...loginPageRoutes(services),
    ...loginTokenRoutes({ ...services, uia, passwordsConfirm: passwords.forReauth }),
    ...registrationRoutes({ ...services, uia }),
    ...fallbackRoutes({ uia, consent: services.consent }),
    ...(services.consent === undefined ? [] : consentRoutes({ consent: services.consent })),
    ...sharedSecretRoutes(services),
    ...accountManagementRoutes({
      ...services,
      uia,
      passwordsConfirm: passwords.forReauth,
      policy: passwords.policy,
    }),
    ...profileRoutes({
      ...services,
      limits: d.limits,
      inhibitsPropagation: profile.inhibitsPropagation ?? false,
    }),
    ...accountDataRoutes(services),
    ...filterRoutes(services),
  ]
}
