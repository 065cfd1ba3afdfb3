import { anyMap, either, list, oneOf, optionalSection, orNull, section } from '../compound-types.ts'
import { accepted, later, laterGuard, option, required, supported } from '../option.ts'
import {
  bool,
  duration,
  int,
  ipRange,
  path,
  port,
  positiveDuration,
  secret,
  string,
  text,
  url,
} from '../types.ts'
import { email } from './email.ts'
import { listenerList } from './listeners.ts'

/** Private, local, documentation and multicast ranges that outgoing requests must not reach. */
const PRIVATE_RANGES = [
  ...['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '192.0.0.0/24'],
  ...['169.254.0.0/16', '192.88.99.0/24', '198.18.0.0/15', '192.0.2.0/24', '198.51.100.0/24'],
  ...['203.0.113.0/24', '224.0.0.0/4', '::1/128', 'fe80::/10', 'fc00::/7', '2001:db8::/32', 'ff00::/8'],
  'fec0::/10',
]

const serviceManager = accepted('start the server under a service manager, which does this')
const noPython = accepted('it tunes the memory of a Python process')
const noShell = accepted('there is no debug shell')

/** Group "Server": who we are, what we listen on, general behaviour. */
export const server = {
  server_name: required(
    string,
    supported,
    'The name after the colon in every user ID and room alias of this server. It can never change.',
  ),
  pid_file: option(
    orNull(path),
    serviceManager,
    null,
    'File for the process ID of a server in the background.',
  ),
  daemonize: option(bool, serviceManager, false, 'Whether the server puts itself into the background.'),
  print_pidfile: option(bool, serviceManager, false, 'Whether to print the path of `pid_file` at start.'),
  user_agent_suffix: option(
    orNull(string),
    later,
    null,
    'Text added to the user agent of outgoing requests.',
  ),
  use_frozen_dicts: option(bool, noPython, false, 'A debugging aid of Synapse against shared event content.'),
  web_client_location: option(orNull(url), later, null, 'Where `/` redirects to, such as a web client.'),
  public_baseurl: option(
    orNull(url),
    supported,
    null,
    'The URL under which clients reach this server. Given explicitly, it is also announced in the client well-known.',
    '`https://<server_name>/`',
  ),
  serve_server_wellknown: option(
    bool,
    supported,
    false,
    'Whether `/.well-known/matrix/server` tells other servers to use port 443.',
  ),
  extra_well_known_client_content: option(
    anyMap,
    supported,
    {},
    'Further keys of the client well-known. `m.homeserver` and `m.identity_server` have options of their own.',
  ),
  soft_file_limit: option(
    int(0),
    accepted('the limit of the service manager applies'),
    0,
    'How many files and sockets the process may open; 0 for as many as the system allows.',
  ),
  presence: section(supported, 'Who is online. In the place of the older `use_presence`.', {
    enabled: option(
      either(bool, oneOf('untracked')),
      supported,
      true,
      'Whether presence exists; `untracked` ignores what clients and servers say and leaves it to modules.',
    ),
    include_offline_users_on_sync: option(
      bool,
      supported,
      false,
      'Whether a first sync also lists who is offline.',
    ),
    last_active_granularity: option(
      positiveDuration,
      supported,
      '1m',
      'How long after an activity a user is "active now".',
    ),
    sync_online_timeout: option(
      positiveDuration,
      supported,
      '30s',
      'How long after the last sync a user goes offline.',
    ),
    idle_timeout: option(
      positiveDuration,
      supported,
      '5m',
      'How long after the last activity a user becomes idle; longer than `last_active_granularity`.',
    ),
    presence_router: option(
      orNull(anyMap),
      accepted('Python modules cannot be loaded'),
      null,
      'A Python module that decides who gets whose presence (old place of it).',
    ),
  }),
  require_auth_for_profile_requests: option(
    bool,
    supported,
    false,
    'Whether profiles are shown to clients only with an access token.',
  ),
  limit_profile_requests_to_users_who_share_rooms: option(
    bool,
    supported,
    false,
    'Whether clients see only profiles of users they share a room with; needs `require_auth_for_profile_requests`.',
  ),
  include_profile_data_on_invite: option(
    bool,
    supported,
    true,
    'Whether an invite shows the name and avatar of the invited user.',
  ),
  include_profile_updates_in_sync: option(
    bool,
    later,
    false,
    'Whether sync carries profile changes of other users (MSC4429, MSC4262).',
  ),
  allow_public_rooms_without_auth: option(
    bool,
    supported,
    false,
    'Whether anyone may read the room directory without an account.',
  ),
  allow_public_rooms_over_federation: option(
    bool,
    later,
    false,
    'Whether other servers may read the room directory.',
  ),
  default_room_version: option(text, supported, '12', 'Room version of new rooms.'),
  gc_thresholds: option(orNull(list(int(0))), noPython, null, 'Thresholds of Python’s garbage collector.'),
  gc_min_interval: option(
    orNull(list(duration)),
    noPython,
    ['1s', '10s', '30s'],
    'Least time between two runs of Python’s garbage collector, per generation.',
  ),
  filter_timeline_limit: option(
    int(-1),
    supported,
    100,
    'Most timeline events per room in one sync answer; -1 for no limit of this kind.',
  ),
  block_non_admin_invites: option(
    bool,
    supported,
    false,
    'Whether only server administrators may invite local users.',
  ),
  enable_search: option(bool, supported, true, 'Whether messages are indexed and can be searched.'),
  ip_range_blacklist: option(
    list(ipRange),
    later,
    PRIVATE_RANGES,
    'Addresses that requests on behalf of others never go to. `0.0.0.0` and `::` are always among them.',
    'private, local, documentation and multicast ranges',
  ),
  ip_range_whitelist: option(list(ipRange), later, [], 'Exceptions from `ip_range_blacklist`.'),
  listeners: option(listenerList, supported, [], 'The ports and sockets the server listens on.'),
  manhole: option(orNull(port), noShell, null, 'Port of a debug shell inside the process.'),
  manhole_settings: optionalSection(noShell, 'Access to the debug shell.', {
    username: option(orNull(string), noShell, 'matrix', 'User name.'),
    password: secret(noShell, 'Password.', false),
    ssh_priv_key_path: option(orNull(path), noShell, null, 'Private host key.'),
    ssh_pub_key_path: option(orNull(path), noShell, null, 'Public host key.'),
  }),
  http_proxy: option(orNull(string), later, null, 'Proxy of outgoing HTTP requests.'),
  https_proxy: option(orNull(string), later, null, 'Proxy of outgoing HTTPS requests.'),
  no_proxy_hosts: option(
    orNull(list(string)),
    later,
    null,
    'Hosts and IP ranges that are reached without the proxy.',
  ),
  matrix_authentication_service: section(
    laterGuard,
    'Login and accounts by a Matrix Authentication Service.',
    {
      enabled: option(bool, laterGuard, false, 'Whether that service is in charge of login.'),
      endpoint: option(url, later, 'http://localhost:8080', 'Where this server reaches it.'),
      force_http2: option(bool, later, false, 'Whether to speak HTTP/2 without TLS to it.'),
      secret: secret(later, 'The secret both sides share.'),
    },
  ),
  dummy_events_threshold: option(
    int(0),
    later,
    10,
    'How many ends a room’s event graph may have before an invisible event joins them.',
  ),
  delete_stale_devices_after: option(
    orNull(duration),
    supported,
    null,
    'After how much time without use a device is logged out and deleted.',
    'never',
  ),
  email,
  max_event_delay_duration: option(
    orNull(positiveDuration),
    supported,
    null,
    'How far ahead a delayed event may be scheduled (MSC4140).',
    'delayed events are off',
  ),
  user_types: section(later, 'Kinds of accounts.', {
    default_user_type: option(orNull(string), later, null, 'Kind of a new account when none is asked for.'),
    extra_user_types: option(list(string), later, [], 'Further kinds, all of them treated as real users.'),
  }),
}
