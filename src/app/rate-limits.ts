/** The configured rate limits by the names that routes and services use. */
import type { Rate } from '#/base/rate-limit.ts'
import { LIMITS, type LimitName } from '#/http/limit-names.ts'
import type { Config } from './config/config.ts'
import type { RateLimit } from './config/options/rate-limits.ts'

function rate(limit: RateLimit): Rate {
  return { perSecond: limit.perSecond, burst: limit.burstCount }
}

/** All limits: those of the configuration, and the defaults of the others. */
export function configuredRates(limits: Config['rateLimits']): Record<LimitName, Rate> {
  return {
    ...LIMITS,
    rc_message: rate(limits.rcMessage),
    rc_registration: rate(limits.rcRegistration),
    rc_registration_token_validity: rate(limits.rcRegistrationTokenValidity),
    'rc_login.address': rate(limits.rcLogin.address),
    'rc_login.account': rate(limits.rcLogin.account),
    'rc_login.failed_attempts': rate(limits.rcLogin.failedAttempts),
    rc_admin_redaction: limits.rcAdminRedaction
      ? rate(limits.rcAdminRedaction)
      : { ...rate(limits.rcMessage), sharedWith: 'rc_message' },
    'rc_joins.local': rate(limits.rcJoins.local),
    'rc_joins.remote': rate(limits.rcJoins.remote),
    rc_joins_per_room: rate(limits.rcJoinsPerRoom),
    'rc_invites.per_room': rate(limits.rcInvites.perRoom),
    'rc_invites.per_user': rate(limits.rcInvites.perUser),
    'rc_invites.per_issuer': rate(limits.rcInvites.perIssuer),
    'rc_presence.per_user': rate(limits.rcPresence.perUser),
    rc_reports: rate(limits.rcReports),
    rc_key_requests: rate(limits.rcKeyRequests),
    rc_delayed_event_mgmt: rate(limits.rcDelayedEventMgmt),
    rc_room_creation: rate(limits.rcRoomCreation),
    rc_user_directory: rate(limits.rcUserDirectory),
    rc_profile: rate(limits.rcProfile),
  }
}
