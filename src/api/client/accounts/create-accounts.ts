/** Everything about accounts in one piece, for the composition root. */
import type { Authenticator } from '#/http/requester.ts'
import type { Route } from '#/http/route.ts'
import type { Uia } from '#/http/uia.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { AccountServiceDeps } from '#/services/accounts/options.ts'

/** What `/versions`, `/capabilities` and the well-known files say. */
export interface DiscoveryOptions {
  /** `default_room_version`. */
  readonly defaultRoomVersion: string
  /** `public_baseurl`, where it is given explicitly; also goes into answers of a login. */
  readonly publicBaseurl: string | undefined
  /** `default_identity_server`. */
  readonly identityServer: string | undefined
  /** `extra_well_known_client_content`. */
  readonly extraClientWellKnown: JsonObject
  /** `serve_server_wellknown`. */
  readonly serverWellKnown: boolean
  /** Content of `/.well-known/matrix/support`; 404 without. */
  readonly support: JsonObject | undefined
}

export interface AccountsDeps extends AccountServiceDeps {
  readonly discovery: DiscoveryOptions
}

/** `user` of an Authenticator; the lead adds `server` for federation. */
export interface Accounts {
  readonly authenticator: Authenticator
  readonly routes: readonly Route[]
  /** For other endpoints that ask for the password again. */
  readonly uia: Uia
}

export declare function createAccounts(deps: AccountsDeps): Accounts
