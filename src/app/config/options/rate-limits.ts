import { object, orNull, section } from '../compound-types.ts'
import { later, laterGuard, type Option, option, type Status, supported, type Values } from '../option.ts'
import { int, number, scalar } from '../types.ts'

/** How many at once; Synapse cuts a fraction off. */
const burst = scalar('integer', 'a number, at least 0', (v) =>
  typeof v === 'number' && Number.isFinite(v) && v >= 0 ? Math.trunc(v) : undefined,
)

function limitFields(status: Status, perSecond: number, burstCount: number) {
  return {
    per_second: option(number, status, perSecond, 'How many per second in the long run.'),
    burst_count: option(burst, status, burstCount, 'How many at once.'),
  }
}

/** A limit: `perSecond` in the long run, `burstCount` at once. */
export type RateLimit = Values<ReturnType<typeof limitFields>>

function limit(status: Status, perSecond: number, burstCount: number, about: string): Option<RateLimit> {
  return section(status, about, limitFields(status, perSecond, burstCount))
}

/** Group "Ratelimiting". Defaults as in Synapse’s code, which in one place differs from its documentation. */
export const rateLimits = {
  rc_message: limit(supported, 0.2, 10, 'Events sent, per account.'),
  rc_registration: limit(supported, 0.17, 3, 'Registrations, per IP address.'),
  rc_registration_token_validity: limit(
    supported,
    0.1,
    5,
    'Questions whether a registration token is valid, per IP address.',
  ),
  rc_login: section(supported, 'Logins.', {
    address: limit(supported, 0.003, 5, 'Per IP address.'),
    account: limit(supported, 0.003, 5, 'Per account.'),
    failed_attempts: limit(supported, 0.17, 3, 'Failed ones, per account.'),
  }),
  rc_admin_redaction: option(
    orNull(object(limitFields(supported, 0.17, 3))),
    supported,
    null,
    'Redactions of other people’s events through `/redact`, per account.',
    'the same as `rc_message`',
  ),
  rc_joins: section(supported, 'Joins, per account.', {
    local: limit(supported, 0.1, 10, 'Of rooms this server is in.'),
    remote: limit(supported, 0.01, 10, 'Of other rooms.'),
  }),
  rc_joins_per_room: limit(supported, 1, 10, 'Joins, per room, of local and remote users.'),
  rc_key_requests: limit(supported, 20, 100, 'Requests for room keys between devices, per account.'),
  rc_3pid_validation: limit(later, 0.003, 5, 'Proofs of addresses, per account and per IP address.'),
  rc_invites: section(supported, 'Invites.', {
    per_room: limit(supported, 0.3, 10, 'Per room.'),
    per_user: limit(supported, 0.003, 5, 'Per invited user.'),
    per_issuer: limit(supported, 0.3, 10, 'Per inviting user.'),
  }),
  rc_third_party_invite: limit(later, 0.0025, 5, 'Invites to addresses, per account.'),
  rc_media_create: limit(later, 10, 50, 'Media IDs made, per account.'),
  rc_federation: section(laterGuard, 'Requests of other servers, per server.', {
    window_size: option(int(1), later, 1000, 'Length of the window in milliseconds.'),
    sleep_limit: option(int(0), later, 10, 'Requests in a window before answers are delayed.'),
    sleep_delay: option(int(0), later, 500, 'That delay in milliseconds.'),
    reject_limit: option(int(0), later, 50, 'Waiting requests before more are refused.'),
    concurrent: option(int(1), later, 3, 'Requests worked on at the same time.'),
  }),
  rc_presence: section(supported, 'Presence.', {
    per_user: limit(
      supported,
      0.1,
      1,
      'Changes, per account; what syncs say above it is left out without an error, what is set is refused.',
    ),
  }),
  rc_delayed_event_mgmt: limit(supported, 1, 5, 'Changes of delayed events, per account or IP address.'),
  rc_reports: limit(supported, 1, 5, 'Reports of content, per account.'),
  rc_room_creation: limit(supported, 0.016, 10, 'Rooms made, per account.'),
  rc_user_directory: limit(supported, 0.016, 200, 'Searches of the user directory, per account.'),
  rc_profile: limit(
    supported,
    1,
    500,
    'Requests of profiles, per account, or per IP address of who shows no token.',
  ),
  federation_rr_transactions_per_room_per_second: option(
    int(1),
    later,
    50,
    'How often read receipts of a room go out to other servers, per second; the rest is gathered.',
  ),
}
