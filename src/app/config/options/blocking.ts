import { anyMap, list, map, object, optionalSection, orNull, section } from '../compound-types.ts'
import { accepted, later, laterGuard, option, required, supported } from '../option.ts'
import { bool, duration, int, number, path, positiveDuration, size, string } from '../types.ts'

const job = {
  shortest_max_lifetime: option(
    orNull(duration),
    supported,
    null,
    'Rooms whose longest lifetime is above this.',
    'any',
  ),
  longest_max_lifetime: option(
    orNull(duration),
    supported,
    null,
    'Rooms whose longest lifetime is at most this.',
    'any',
  ),
  interval: required(positiveDuration, supported, 'How often the job runs.'),
}

const retention = section(
  supported,
  'Deleting old messages, by rooms’ `m.room.retention` and these bounds.',
  {
    enabled: option(bool, supported, false, 'Whether old messages are deleted.'),
    default_policy: optionalSection(supported, 'For rooms that say nothing.', {
      min_lifetime: option(
        orNull(duration),
        supported,
        null,
        'Shortest lifetime. Synapse reads it without effect.',
        'none',
      ),
      max_lifetime: option(orNull(duration), supported, null, 'Longest lifetime.', 'none'),
    }),
    allowed_lifetime_min: option(
      orNull(duration),
      supported,
      null,
      'Least that a room may ask for.',
      'no bound',
    ),
    allowed_lifetime_max: option(
      orNull(duration),
      supported,
      null,
      'Most that a room may ask for.',
      'no bound',
    ),
    purge_jobs: option(
      orNull(list(object(job))),
      supported,
      null,
      'Jobs that delete.',
      'one for all rooms, once a day',
    ),
  },
)

/** Group "Homeserver blocking": limits on use, retention and the like. */
export const blocking = {
  admin_contact: option(
    orNull(string),
    supported,
    null,
    'How to reach the administrator, named in errors about limits.',
  ),
  hs_disabled: option(bool, supported, false, 'Whether all users are locked out.'),
  hs_disabled_message: option(string, supported, '', 'The reason they are told.'),
  limit_usage_by_mau: option(
    bool,
    supported,
    false,
    'Whether the number of monthly active users is limited.',
  ),
  max_mau_value: option(int(0), supported, 0, 'That limit.'),
  mau_trial_days: option(int(0), supported, 0, 'Days a new user must be active before counting.'),
  mau_appservice_trial_days: option(map(int(0)), later, {}, 'The same for users of bridges, by bridge ID.'),
  mau_limit_alerting: option(bool, supported, true, 'Whether clients are told that the limit is reached.'),
  mau_stats_only: option(bool, supported, false, 'Whether to count monthly active users without a limit.'),
  mau_limit_reserved_threepids: option(
    list(
      object({
        medium: required(string, later, 'Kind of address.'),
        address: required(string, later, 'The address.'),
      }),
    ),
    later,
    [],
    'Addresses of users who are never locked out by the limit. Addresses are not kept yet: nobody is spared by them.',
  ),
  server_context: option(orNull(string), later, null, 'Label that groups servers in reported figures.'),
  limit_remote_rooms: section(later, 'Refusing to join rooms that are too much for this server.', {
    enabled: option(bool, later, false, 'Whether to refuse.'),
    complexity: option(number, later, 1, 'Complexity above which a room is too much.'),
    complexity_error: option(
      string,
      later,
      'This room is larger than this server can handle. Ask the administrator.',
      'What the user is told.',
    ),
    admins_can_join: option(bool, later, false, 'Whether administrators may join nevertheless.'),
  }),
  require_membership_for_aliases: option(
    bool,
    supported,
    true,
    'Whether only members may give a room an alias.',
  ),
  allow_per_room_profiles: option(
    bool,
    supported,
    true,
    'Whether users may have another name or avatar in single rooms.',
  ),
  max_avatar_size: option(orNull(size), later, null, 'Largest avatar.', 'no limit'),
  allowed_avatar_mimetypes: option(
    orNull(list(string)),
    later,
    null,
    'Types of images that may be avatars.',
    'all',
  ),
  redaction_retention_period: option(
    orNull(duration),
    supported,
    '7d',
    'How long the original of a redacted event is kept; empty for ever.',
  ),
  redaction_allowed_period: option(
    orNull(duration),
    later,
    null,
    'How long after it was sent a message may be redacted.',
    'for ever',
  ),
  forgotten_room_retention_period: option(
    orNull(duration),
    later,
    null,
    'How long a room that all local users have forgotten is kept.',
    'for ever',
  ),
  user_ips_max_age: option(
    orNull(duration),
    later,
    '28d',
    'How long addresses of users are kept; empty for ever.',
  ),
  request_token_inhibit_3pid_errors: option(
    bool,
    laterGuard,
    false,
    'Whether to hide from who asks for a proof that an address is in use.',
  ),
  next_link_domain_whitelist: option(
    orNull(list(string)),
    laterGuard,
    null,
    'Domains that links after a proof may lead to; an empty list for none.',
    'all',
  ),
  templates: section(later, 'Own texts of mails and pages.', {
    custom_template_directory: option(orNull(path), later, null, 'Folder looked into first.'),
  }),
  retention,
}

const validity = accepted('Synapse itself has moved this to a Python module')

/** Read by Synapse, but not in its documentation. */
export const undocumented = {
  account_validity: option(orNull(anyMap), laterGuard, null, 'Accounts that end unless renewed.'),
  use_account_validity_in_account_status: option(bool, validity, false, 'Whether account status says so.'),
  enable_ephemeral_messages: option(
    bool,
    later,
    false,
    'Whether messages may carry a time at which they vanish.',
  ),
  cleanup_extremities_with_dummy_events: option(
    bool,
    later,
    true,
    'Whether invisible events join the ends of a room’s event graph.',
  ),
  federation_ip_range_blacklist: option(
    orNull(list(string)),
    laterGuard,
    null,
    'Addresses never contacted as another server, in the place of `ip_range_blacklist`.',
  ),
  oidc_config: option(
    orNull(anyMap),
    later,
    null,
    'A single OpenID provider (old place of `oidc_providers`).',
  ),
  gzip_responses: option(
    bool,
    accepted('each listener says so in `compress`'),
    true,
    'Compression (old place).',
  ),
}
