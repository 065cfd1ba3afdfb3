import { either, list, map, object, orNull, section } from '../compound-types.ts'
import { accepted, later, laterQuiet, option, required, supported } from '../option.ts'
import { bool, int, path, positiveDuration, secret, string } from '../types.ts'

/** Group "API configuration". */
export const api = {
  room_prejoin_state: section(later, 'State shown to who is invited or knocks.', {
    disable_default_event_types: option(
      bool,
      later,
      false,
      'Whether to leave out the usual: create, name, topic, avatar, join rules, canonical alias, encryption.',
    ),
    additional_event_types: option(
      list(either(string, list(string, 1))),
      later,
      [],
      'What to add: an event type, or a list of an event type and a state key.',
    ),
  }),
  track_puppeted_user_ips: option(
    bool,
    later,
    false,
    'Whether addresses of an administrator who acts as a user are noted for that user too.',
  ),
  app_service_config_files: option(orNull(list(path)), later, [], 'Registration files of bridges and bots.'),
  track_appservice_user_ips: option(bool, later, false, 'Whether addresses of bridges are noted.'),
  use_appservice_legacy_authorization: option(
    bool,
    later,
    false,
    'Whether the token of a bridge is sent in the URL too, as old ones want it. It ends up in logs.',
  ),
  macaroon_secret_key: secret(
    laterQuiet,
    'Signs short-lived tokens of this server. Without it `registration_shared_secret` is taken.',
  ),
  form_secret: secret(supported, 'Signs values in forms, such as consent.'),
}

/** Group "Signing keys". */
export const keys = {
  signing_key: secret(supported, 'The signing key itself, in the place of `signing_key_path`.', false),
  signing_key_path: option(
    orNull(path),
    supported,
    null,
    'File of the key that signs events and requests. Made when it is missing.',
    '`<server_name>.signing.key` beside the last configuration file',
  ),
  old_signing_keys: option(
    map(
      object({
        key: required(string, later, 'The public key in base64.'),
        expired_ts: required(int(0), later, 'When it was last used, in milliseconds since 1970.'),
      }),
    ),
    later,
    {},
    'Keys that signed before, by key ID, so that others can verify old events.',
  ),
  key_refresh_interval: option(positiveDuration, later, '1d', 'How long others may rely on a published key.'),
  trusted_key_servers: option(
    list(
      object({
        server_name: required(string, later, 'The server.'),
        verify_keys: option(orNull(map(string)), later, null, 'Its public keys, by key ID.'),
        accept_keys_insecurely: option(
          bool,
          later,
          false,
          'Whether its answers count without a known key or TLS.',
        ),
      }),
    ),
    later,
    [{ server_name: 'matrix.org' }],
    'Servers that are asked for keys of other servers.',
  ),
  suppress_key_server_warning: option(
    bool,
    accepted('there is no such warning'),
    false,
    'Whether to be silent about matrix.org among the trusted key servers.',
  ),
  key_server_signing_keys_path: option(
    orNull(path),
    later,
    null,
    'Keys to sign with when others ask us for keys of third servers.',
    'the signing key',
  ),
}
