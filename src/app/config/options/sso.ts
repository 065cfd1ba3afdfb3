import { anyMap, list, map, object, oneOf, optionalSection, orNull, section } from '../compound-types.ts'
import { accepted, later, option, required } from '../option.ts'
import { bool, int, path, positiveDuration, secret, string } from '../types.ts'

const python = accepted('Python modules cannot be loaded')

/** How a login provider is shown. */
const shownAs = {
  idp_icon: option(orNull(string), later, null, 'Its picture, an `mxc://` address.'),
  idp_brand: option(orNull(string), later, null, 'Its brand, for clients that know it.'),
}

const requirements = option(
  list(
    object({
      attribute: required(string, later, 'Name.'),
      value: option(orNull(string), later, null, 'Value it must have.'),
      one_of: option(orNull(list(string)), later, null, 'Values of which it must have one.'),
    }),
  ),
  later,
  [],
  'What must be true of a user; all of these hold.',
)

const mapping = section(later, 'How attributes become a Matrix user.', {
  module: option(orNull(string), python, null, 'A Python class that does it.', 'the built-in one'),
  config: option(anyMap, later, {}, 'Its settings; the built-in one has templates.'),
})

const jwtKey = {
  key: secret(later, 'Signing key, PEM.', false),
  key_file: option(orNull(path), later, null, 'File of the signing key.'),
  jwt_header: required(anyMap, later, 'Header of the token; `alg` must be in it.'),
  jwt_payload: option(anyMap, later, {}, 'Further claims, usually `iss`.'),
}

const oidcProvider = {
  idp_id: required(string, later, 'Short name; changing it makes users strangers.'),
  idp_name: required(string, later, 'Name shown to users.'),
  ...shownAs,
  discover: option(bool, later, true, 'Whether addresses come from the provider itself.'),
  issuer: required(string, later, 'The issuer.'),
  client_id: required(string, later, 'Our name there.'),
  client_secret: secret(later, 'Our secret there.'),
  client_secret_jwt_key: optionalSection(later, 'A key from which such a secret is made.', jwtKey),
  client_auth_method: option(
    orNull(oneOf('client_secret_basic', 'client_secret_post', 'none')),
    later,
    'client_secret_basic',
    'How we prove who we are.',
  ),
  pkce_method: option(orNull(oneOf('auto', 'always', 'never')), later, 'auto', 'Whether to use PKCE.'),
  id_token_signing_alg_values_supported: option(
    orNull(list(string)),
    later,
    null,
    'Algorithms an ID token may be signed with.',
    'those the provider names, else RS256',
  ),
  scopes: option(orNull(list(string)), later, ['openid'], 'Scopes to ask for.'),
  authorization_endpoint: option(orNull(string), later, null, 'Address, without discovery.'),
  token_endpoint: option(orNull(string), later, null, 'Address, without discovery.'),
  userinfo_endpoint: option(orNull(string), later, null, 'Address, without discovery.'),
  jwks_uri: option(orNull(string), later, null, 'Address of its keys, without discovery.'),
  skip_verification: option(bool, later, false, 'Whether to pass over faults in what it says of itself.'),
  user_profile_method: option(
    orNull(oneOf('auto', 'userinfo_endpoint')),
    later,
    'auto',
    'Where the profile comes from.',
  ),
  redirect_uri: option(orNull(string), later, null, 'Where the provider sends users back to, if not to us.'),
  additional_authorization_parameters: option(map(string), later, {}, 'Parameters added to its login page.'),
  passthrough_authorization_parameters: option(
    list(string),
    later,
    [],
    'Parameters of ours handed on to that page.',
  ),
  allow_existing_users: option(
    bool,
    later,
    false,
    'Whether a login may take over an existing account of that name.',
  ),
  enable_registration: option(bool, later, true, 'Whether a login may make an account.'),
  user_mapping_provider: mapping,
  attribute_requirements: requirements,
  backchannel_logout_enabled: option(bool, later, false, 'Whether the provider may log users out.'),
  backchannel_logout_ignore_sub: option(bool, later, false, 'Whether its `sub` is left unchecked then.'),
}

const saml = {
  idp_name: option(string, later, 'SAML', 'Name shown to users.'),
  ...shownAs,
  enabled: option(bool, later, true, 'Whether it is on.'),
  sp_config: option(orNull(anyMap), later, null, 'Settings of the SAML library. This or `config_path`.'),
  config_path: option(orNull(path), later, null, 'A file with such settings.'),
  saml_session_lifetime: option(positiveDuration, later, '15m', 'How long a login may take.'),
  user_mapping_provider: mapping,
  mxid_source_attribute: option(orNull(string), later, null, 'Attribute of the name (old place).'),
  mxid_mapping: option(orNull(string), later, null, 'How it becomes a name (old place).'),
  grandfathered_mxid_source_attribute: option(
    orNull(string),
    later,
    'uid',
    'Attribute of names given by old versions.',
  ),
  attribute_requirements: requirements,
  idp_entityid: option(orNull(string), later, null, 'Which provider, when the metadata has several.'),
}

const cas = {
  enabled: option(bool, later, false, 'Whether it is on.'),
  idp_name: option(string, later, 'CAS', 'Name shown to users.'),
  ...shownAs,
  server_url: option(orNull(string), later, null, 'Its address.'),
  protocol_version: option(orNull(int(1, 3)), later, null, 'Version of CAS; 3 for `required_attributes`.'),
  displayname_attribute: option(orNull(string), later, null, 'Attribute of the name shown.'),
  required_attributes: option(orNull(map(orNull(string))), later, {}, 'What a user must have, by name.'),
  enable_registration: option(bool, later, true, 'Whether a login may make an account.'),
  allow_numeric_ids: option(bool, later, false, 'Whether names may be numbers; they get a prefix.'),
  numeric_ids_prefix: option(string, later, 'u', 'That prefix.'),
}

const jwt = {
  enabled: option(bool, later, false, 'Whether it is on.'),
  secret: secret(later, 'Shared secret or public key.', false),
  algorithm: option(orNull(string), later, null, 'How tokens are signed. Must be given when it is on.'),
  subject_claim: option(orNull(string), later, 'sub', 'Claim of the user’s name.'),
  display_name_claim: option(orNull(string), later, null, 'Claim of the name shown.'),
  issuer: option(orNull(string), later, null, 'Issuer that must be in the token.'),
  audiences: option(orNull(list(string)), later, null, 'Audiences of which one must be in the token.'),
}

/** Group "Single sign-on integration", except passwords. */
export const sso = {
  saml2_config: optionalSection(later, 'Login by SAML 2.', saml),
  oidc_providers: option(orNull(list(object(oidcProvider))), later, [], 'Login by OpenID Connect.'),
  cas_config: optionalSection(later, 'Login by CAS.', cas),
  sso: section(later, 'For all of these.', {
    client_whitelist: option(
      orNull(list(string)),
      later,
      null,
      'Starts of client addresses that need no confirmation.',
    ),
    update_profile_information: option(bool, later, false, 'Whether each login renews name and avatar.'),
  }),
  jwt_config: optionalSection(later, 'Login by a signed token.', jwt),
}
