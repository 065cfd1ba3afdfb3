import { anyMap, list, map, object, oneOf, optionalSection, orNull, section } from '../compound-types.ts'
import { accepted, later, laterGuard, option, required, supported } from '../option.ts'
import { bool, duration, glob, int, path, regex, size, string, text } from '../types.ts'

/** Groups "Push" and the limits of push rules. */
export const push = {
  push: section(later, 'Notifications.', {
    enabled: option(bool, later, true, 'Whether they are computed; without, unread counts are not either.'),
    include_content: option(bool, laterGuard, true, 'Whether they carry the message.'),
    group_unread_count_by_room: option(
      bool,
      later,
      true,
      'Whether the number sent along counts rooms, not messages.',
    ),
    jitter_delay: option(orNull(duration), later, null, 'Longest random delay.', 'none'),
  }),
  push_rules: section(supported, 'Rules of users.', {
    limits: section(supported, 'Their bounds.', {
      rule_count: option(int(0), supported, 10_000, 'Rules of one user.'),
      rule_id_length: option(int(1), supported, 300, 'Bytes of a rule’s ID.'),
      rule_size: option(size, supported, 1024, 'Bytes of what one rule asks and does, as JSON.'),
    }),
  }),
}

const rule = {
  user_id: option(orNull(glob), supported, '*', 'Who asks.'),
  alias: option(orNull(glob), supported, '*', 'The alias.'),
  room_id: option(orNull(glob), supported, '*', 'The room.'),
  action: option(oneOf('allow', 'deny'), supported, 'allow', 'What happens.'),
}

const notices = {
  system_mxid_localpart: required(string, supported, 'Local user the notices come from.'),
  system_mxid_display_name: option(orNull(string), supported, 'Notices', 'Name of that user.'),
  system_mxid_avatar_url: option(orNull(string), supported, null, 'Avatar of that user.'),
  room_name: option(orNull(string), supported, 'Server Notices', 'Name of the room.'),
  room_avatar_url: option(orNull(string), supported, null, 'Avatar of the room.'),
  room_topic: option(orNull(string), supported, null, 'Topic of the room.'),
  auto_join: option(bool, supported, false, 'Whether users are in it without an invite.'),
}

const consent = {
  template_dir: option(orNull(path), supported, null, 'Folder of the documents, by language.'),
  version: required(text, supported, 'Current version of the documents.'),
  server_notice_content: option(orNull(anyMap), supported, null, 'Notice sent to who has not agreed.'),
  send_server_notice_to_guests: option(bool, supported, false, 'Whether guests get it too.'),
  block_events_error: option(
    orNull(string),
    supported,
    null,
    'Error for who sends without having agreed.',
    'not refused',
  ),
  require_at_registration: option(bool, supported, false, 'Whether a registration needs it.'),
  policy_name: option(string, supported, 'Privacy Policy', 'Name of the document.'),
}

/** Group "Rooms". */
export const rooms = {
  encryption_enabled_by_default_for_room_type: option(
    oneOf('all', 'invite', 'off'),
    supported,
    'off',
    'Which new rooms are encrypted from the start: all, the private ones, or none.',
  ),
  user_directory: section(supported, 'Search for people.', {
    enabled: option(bool, supported, true, 'Whether it finds anyone.'),
    search_all_users: option(
      bool,
      supported,
      false,
      'Whether it finds all known users, not only those in shared or public rooms.',
    ),
    prefer_local_users: option(bool, supported, false, 'Whether local users come first.'),
    exclude_remote_users: option(bool, supported, false, 'Whether it finds only local users.'),
    show_locked_users: option(bool, supported, false, 'Whether it finds locked accounts.'),
  }),
  user_consent: optionalSection(supported, 'Agreement to a policy.', consent),
  stats: section(later, 'Figures about rooms and users.', {
    enabled: option(bool, later, true, 'Whether they are kept.'),
  }),
  server_notices: optionalSection(supported, 'A room in which the server speaks to each user.', notices),
  enable_room_list_search: option(bool, supported, true, 'Whether the room directory answers at all.'),
  alias_creation_rules: option(
    orNull(list(object(rule))),
    supported,
    null,
    'Who may make which alias; the first rule that fits counts, without one it is denied.',
    'everyone may',
  ),
  room_list_publication_rules: option(
    orNull(list(object(rule))),
    supported,
    null,
    'Who may put which room into the directory; the first rule that fits counts, without one it is denied.',
    'nobody may',
  ),
  default_power_level_content_override: option(
    map(orNull(anyMap)),
    supported,
    {},
    'Power levels of new rooms, by preset; replaces top-level keys.',
  ),
  forget_rooms_on_leave: option(bool, supported, false, 'Whether who leaves a room forgets it.'),
  exclude_rooms_from_sync: option(orNull(list(string)), supported, [], 'Rooms no client is shown.'),
  exclude_rooms_from_presence: option(
    orNull(list(string)),
    supported,
    [],
    'Rooms that do not count as shared for presence.',
  ),
}

/** Group "Opentracing". */
export const tracing = {
  opentracing: section(later, 'Traces of requests through servers.', {
    enabled: option(bool, later, false, 'Whether traces are made.'),
    homeserver_whitelist: option(list(regex), later, [], 'Servers that share traces with us.'),
    force_tracing_for_users: option(list(string), later, [], 'Users whose requests are always traced.'),
    jaeger_config: option(
      anyMap,
      accepted('traces do not go through Jaeger’s own client'),
      { sampler: { type: 'const', param: 1 }, logging: false },
      'Settings of that client.',
    ),
  }),
}

const invites = {
  enabled: option(bool, later, false, 'Whether invites are accepted by themselves.'),
  only_for_direct_messages: option(bool, later, false, 'Whether only those to direct chats.'),
  only_from_local_users: option(bool, later, false, 'Whether only those of local users.'),
  worker_to_run_on: option(orNull(string), later, null, 'Which worker does it.', 'the main process'),
}

/** Group "Auto accept invites". */
export const autoAcceptInvites = {
  auto_accept_invites: section(later, 'Joining whoever is invited.', invites),
}

/** Group "Modules". */
export const modules = {
  modules: option(
    orNull(
      list(
        object({
          module: required(string, later, 'Python class.'),
          config: option(anyMap, later, {}, 'Its settings.'),
        }),
      ),
    ),
    accepted('Python modules cannot be loaded; what they kept out is not kept out'),
    [],
    'Python modules to load.',
  ),
}
