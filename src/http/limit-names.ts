/** Rate limits by their key in homeserver.yaml, with Synapse's defaults and what they count. */
import type { Rate } from '#/base/rate-limit.ts'

interface LimitFacts extends Rate {
  /**
   * What dispatch counts when a route names this limit. 'caller': the user, or the address of who shows no token.
   * 'service': only services use it, with keys of their own.
   */
  readonly by: 'user' | 'address' | 'caller' | 'service'
}

/** https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html#ratelimiting */
export const LIMITS = {
  rc_message: { perSecond: 0.2, burst: 10, by: 'user' },
  rc_registration: { perSecond: 0.17, burst: 3, by: 'address' },
  /** No option: clients ask with each letter of a name, and the account itself must still be to be had. */
  username_available: { perSecond: 1, burst: 20, by: 'address' },
  rc_registration_token_validity: { perSecond: 0.1, burst: 5, by: 'address' },
  'rc_login.address': { perSecond: 0.003, burst: 5, by: 'address' },
  'rc_login.account': { perSecond: 0.003, burst: 5, by: 'service' },
  'rc_login.failed_attempts': { perSecond: 0.17, burst: 3, by: 'service' },
  /** Without a configuration of its own its actions count as messages. */
  rc_admin_redaction: { perSecond: 0.2, burst: 10, sharedWith: 'rc_message', by: 'service' },
  'rc_joins.local': { perSecond: 0.1, burst: 10, by: 'service' },
  'rc_joins.remote': { perSecond: 0.01, burst: 10, by: 'service' },
  rc_joins_per_room: { perSecond: 1, burst: 10, by: 'service' },
  rc_key_requests: { perSecond: 20, burst: 100, by: 'service' },
  rc_3pid_validation: { perSecond: 0.003, burst: 5, by: 'service' },
  'rc_invites.per_room': { perSecond: 0.3, burst: 10, by: 'service' },
  'rc_invites.per_user': { perSecond: 0.003, burst: 5, by: 'service' },
  'rc_invites.per_issuer': { perSecond: 0.3, burst: 10, by: 'service' },
  /** No option: as in Synapse one in a minute, since each opens a session. */
  login_token: { perSecond: 1 / 60, burst: 1, by: 'service' },
  rc_third_party_invite: { perSecond: 0.0025, burst: 5, by: 'user' },
  rc_media_create: { perSecond: 10, burst: 50, by: 'user' },
  'rc_presence.per_user': { perSecond: 0.1, burst: 1, by: 'user' },
  rc_delayed_event_mgmt: { perSecond: 1, burst: 5, by: 'user' },
  rc_room_creation: { perSecond: 0.016, burst: 10, by: 'user' },
  rc_reports: { perSecond: 1, burst: 5, by: 'user' },
  rc_user_directory: { perSecond: 0.016, burst: 200, by: 'user' },
  rc_profile: { perSecond: 1, burst: 500, by: 'caller' },
} as const satisfies Record<string, LimitFacts>

export type LimitName = keyof typeof LIMITS
