import { list, object, oneOf, orNull, section } from '../compound-types.ts'
import { accepted, later, laterGuard, option, required, supported } from '../option.ts'
import { bool, duration, int, looseBool, positiveDuration, regex, secret, string } from '../types.ts'

/** Group "Registration". */
export const registration = {
  enable_registration: option(looseBool, supported, false, 'Whether people may register.'),
  enable_registration_without_verification: option(
    looseBool,
    supported,
    false,
    'Whether they may do so without a token, an address or a captcha. Spam comes to such servers.',
  ),
  registrations_require_3pid: option(
    orNull(list(oneOf('email', 'msisdn'))),
    laterGuard,
    [],
    'Kinds of addresses a registration must prove.',
  ),
  disable_msisdn_registration: option(
    bool,
    later,
    false,
    'Whether registration never asks for a phone number.',
  ),
  allowed_local_3pids: option(
    orNull(
      list(
        object({
          medium: required(oneOf('email', 'msisdn'), later, 'Kind of address.'),
          pattern: required(regex, later, 'What the address must match.'),
        }),
      ),
    ),
    laterGuard,
    [],
    'Addresses that accounts may have.',
    'any',
  ),
  enable_3pid_lookup: option(
    bool,
    later,
    true,
    'Whether users may look up addresses at an identity server through us.',
  ),
  registration_requires_token: option(
    bool,
    supported,
    false,
    'Whether a registration needs a registration token.',
  ),
  enable_registration_token_3pid_bypass: option(
    bool,
    later,
    false,
    'Whether such a token takes the place of required addresses.',
  ),
  registration_shared_secret: secret(
    supported,
    'Who knows it may register accounts, administrators among them, even while registration is closed.',
  ),
  bcrypt_rounds: option(
    int(4, 31),
    accepted('new password hashes are argon2id; bcrypt hashes of Synapse are verified as they are'),
    12,
    'Cost of bcrypt, as a power of two.',
  ),
  allow_guest_access: option(bool, supported, false, 'Whether guests may register without a password.'),
  default_identity_server: option(
    orNull(string),
    supported,
    null,
    'Identity server named in the client well-known; only with `public_baseurl`.',
  ),
  account_threepid_delegates: section(later, 'Who proves addresses for us.', {
    msisdn: option(orNull(string), later, null, 'Identity server for phone numbers.'),
  }),
  enable_set_displayname: option(
    bool,
    supported,
    true,
    'Whether users may change their name once it is set.',
  ),
  enable_set_avatar_url: option(
    bool,
    supported,
    true,
    'Whether users may change their avatar once it is set.',
  ),
  enable_3pid_changes: option(
    orNull(bool),
    laterGuard,
    null,
    'Whether users may change the addresses of their account.',
    'true, without a Matrix Authentication Service',
  ),
  auto_join_rooms: option(orNull(list(string)), supported, [], 'Aliases of rooms that new users join.'),
  autocreate_auto_join_rooms: option(
    bool,
    supported,
    true,
    'Whether those rooms are made for the first user.',
  ),
  autocreate_auto_join_rooms_federated: option(
    bool,
    supported,
    true,
    'Whether other servers may take part in them.',
  ),
  autocreate_auto_join_room_preset: option(
    orNull(oneOf('public_chat', 'private_chat', 'trusted_private_chat')),
    supported,
    'public_chat',
    'How they are made; for the two private ones `auto_join_mxid_localpart` must be given.',
  ),
  auto_join_mxid_localpart: option(
    orNull(string),
    supported,
    null,
    'Local user who makes them and sends the invites.',
  ),
  auto_join_rooms_for_guests: option(bool, supported, true, 'Whether guests join them too.'),
  inhibit_user_in_use_error: option(
    bool,
    supported,
    false,
    'Whether to hide, until the end of a registration, that a name is taken.',
  ),
  allow_underscore_prefixed_registration: option(
    bool,
    supported,
    false,
    'Whether people may register names that begin with an underscore. Bridges use such names.',
  ),
  dont_notify_new_devices_for: option(
    list(string),
    later,
    [],
    'Users about whose new devices other servers are not told.',
  ),
}

/** Group "User session management". */
export const sessions = {
  session_lifetime: option(
    orNull(positiveDuration),
    supported,
    null,
    'How long a session lasts after login.',
    'for ever',
  ),
  refreshable_access_token_lifetime: option(
    orNull(positiveDuration),
    supported,
    '5m',
    'How long an access token lasts when the client can refresh it.',
  ),
  refresh_token_lifetime: option(
    orNull(positiveDuration),
    supported,
    null,
    'How long a refresh token lasts without use.',
    'for ever',
  ),
  nonrefreshable_access_token_lifetime: option(
    orNull(positiveDuration),
    supported,
    null,
    'How long an access token lasts when the client cannot refresh it.',
    'for ever',
  ),
  ui_auth: section(supported, 'Asking for the password again before sensitive changes.', {
    session_timeout: option(
      duration,
      supported,
      0,
      'How long one answer counts for further such changes; 0 for once.',
    ),
  }),
  login_via_existing_session: section(
    supported,
    'A client may get a login token for another one (MSC3882).',
    {
      enabled: option(bool, supported, false, 'Whether it may.'),
      require_ui_auth: option(bool, supported, true, 'Whether it must give the password again.'),
      token_timeout: option(duration, supported, '5m', 'How long that token works.'),
    },
  ),
}

/** Group "Captcha". */
export const captcha = {
  recaptcha_public_key: { ...option(orNull(string), later, null, 'Public key of the captcha.'), twin: true },
  recaptcha_private_key: secret(later, 'Private key of the captcha.'),
  enable_registration_captcha: option(
    bool,
    laterGuard,
    false,
    'Whether a registration needs a solved captcha.',
  ),
  recaptcha_siteverify_api: option(
    string,
    later,
    'https://www.recaptcha.net/recaptcha/api/siteverify',
    'Where solutions are checked.',
  ),
}

const transport = {
  type: required(string, supported, 'Kind, such as `livekit`.'),
  url: option(orNull(string), supported, null, 'WebSocket address of a LiveKit server.'),
  livekit_service_url: option(
    orNull(string),
    supported,
    null,
    'Address of its authorisation service (old spelling).',
  ),
}

/** Group "TURN" and calls. */
export const calls = {
  turn_uris: option(orNull(list(string)), supported, [], 'TURN servers offered to clients.'),
  turn_shared_secret: secret(supported, 'Secret shared with them, from which passwords are made.'),
  turn_username: option(orNull(string), supported, null, 'Fixed user name, in the place of such passwords.'),
  turn_password: secret(supported, 'Fixed password.', false),
  turn_user_lifetime: option(duration, supported, '1h', 'How long a made password works.'),
  turn_allow_guests: option(bool, supported, true, 'Whether guests get one.'),
  matrix_rtc: section(supported, 'Group calls.', {
    transports: option(list(object(transport)), supported, [], 'Servers that carry them.'),
  }),
}
