/** Who calls: the result of authentication, and the interface that finds it. */
import type { Rate } from '#/base/rate-limit.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonValue } from '#/protocol/json/value.ts'
import type { RequestInfo } from './request.ts'

/** The holder of an access token. Made by the authenticator alone. */
export interface Requester {
  readonly userId: UserId
  /** Absent for tokens without a device (application services, puppeting administrators). */
  readonly deviceId: string | undefined
  readonly isGuest: boolean
  readonly isAdmin: boolean
  /** Suspended accounts may read and tidy up, but not act on others. */
  readonly isSuspended?: boolean
  /** The application service whose token this is. */
  readonly appserviceId: string | undefined
  /** Names the session in the accounts service; never the token itself. */
  readonly sessionId: string | number | undefined
  /** 'exempt' for application services with rate_limited: false and users with an override of zero. */
  readonly rateLimit: 'normal' | 'exempt' | Rate
}

/** The server that signed a federation request. */
export interface RequestingServer {
  readonly origin: ServerName
}

/** Finds out who calls. Given to the dispatcher; implemented where accounts and keys are known. */
export interface Authenticator {
  /**
   * The holder of `token`, with masquerading (`?user_id=` of application services) applied. Answers without a
   * promise when it knows at once. Throws M_UNKNOWN_TOKEN, M_USER_LOCKED, M_FORBIDDEN.
   */
  user(token: string, request: RequestInfo): Requester | Promise<Requester>
  /**
   * The server whose X-Matrix header and signature cover this request and `content`. Throws M_UNAUTHORIZED.
   */
  server?(request: RequestInfo, content: JsonValue | undefined): Promise<RequestingServer>
}
