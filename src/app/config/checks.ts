import { reasonOf } from '#/base/system-error.ts'
import { isStrictLocalpart } from '#/protocol/ids/user-id.ts'
import type { Config } from './config.ts'
import { readConsentDocuments } from './consent-documents.ts'
import type { FileReader } from './files.ts'
import type { MapNode } from './node.ts'
import type { Fields } from './option.ts'
import type { LoadReport } from './report.ts'
import { TABLE, type Tree } from './table.ts'
import { nodeAt, placeAt } from './tree-edit.ts'

/** Room versions that exist; which of them this server speaks is not the configuration's to know. */
const ROOM_VERSIONS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12']

/** Longest server name that still leaves room for a user ID of 255 bytes. */
const SERVER_NAME_CHARS_MAX = 230

interface Check {
  readonly config: Config
  readonly tree: Tree
  readonly root: MapNode
  readonly files: FileReader
  /** Refuses the start unless `ok`. */
  require(ok: boolean, key: string, text: string): void
  warn(bad: boolean, key: string, text: string): void
}

/** What must hold between options, or of a value beyond its type. Mostly what Synapse checks too. */
export function checkTogether(
  config: Config,
  tree: Tree,
  root: MapNode,
  files: FileReader,
  report: LoadReport,
): void {
  const check: Check = {
    config,
    tree,
    root,
    files,
    require(ok, key, text) {
      if (!ok) report.problem(placeAt(root, key), `expected ${text}`)
    },
    warn(bad, key, text) {
      if (bad) report.notice('ignored', placeAt(root, key), text)
    },
  }
  for (const rule of [
    names,
    privacy,
    presence,
    openRegistration,
    sessions,
    transport,
    mail,
    companions,
    policy,
    wellKnown,
  ])
    rule(check)
}

function names({ config, tree, require }: Check): void {
  const { serverName, publicBaseurl, defaultRoomVersion, extraWellKnownClientContent } = config.server
  require(isServerName(
    serverName,
  ), 'server_name', 'a host name or IP address with an optional port, such as example.org')
  const base = URL.parse(publicBaseurl)
  require(!base || (base.search === '' && base.hash === ''), 'public_baseurl', 'a URL without ? and #')
  require(ROOM_VERSIONS.includes(
    defaultRoomVersion,
  ), 'default_room_version', `one of ${ROOM_VERSIONS.join(', ')}`)
  const content = 'extra_well_known_client_content'
  require(!(
    'm.homeserver' in extraWellKnownClientContent
  ), content, 'no m.homeserver: write `public_baseurl`')
  require(!(
    'm.identity_server' in extraWellKnownClientContent
  ), content, 'no m.identity_server: write `default_identity_server`')
  for (const alias of tree.registration.autoJoinRooms ?? []) {
    require(/^#.*:./.test(alias), 'auto_join_rooms', `room aliases such as #room:example.org, not ${alias}`)
  }
}

function isServerName(name: string): boolean {
  if (name.length === 0 || name.length > SERVER_NAME_CHARS_MAX) return false
  const port = /:(\d{1,5})$/.exec(name)
  const host = port && !name.endsWith(']') ? name.slice(0, port.index) : name
  if (host.startsWith('[')) return URL.canParse(`http://${host}/`) && host.endsWith(']')
  return /^[a-zA-Z0-9.-]+$/.test(host)
}

function privacy({ config, require }: Check): void {
  const { server } = config
  require(!server.limitProfileRequestsToUsersWhoShareRooms ||
    server.requireAuthForProfileRequests, 'limit_profile_requests_to_users_who_share_rooms', '`require_auth_for_profile_requests: true` beside it')
}

function presence({ config, require }: Check): void {
  const { idleTimeout, lastActiveGranularity } = config.server.presence
  require(idleTimeout >
    lastActiveGranularity, 'presence.idle_timeout', 'more than `presence.last_active_granularity`')
}

/** Synapse starts an open registration only with a hurdle, or when told to twice; ours must be hurdles that work. */
function openRegistration({ config, tree, require }: Check): void {
  const r = config.registration
  const captcha = config.captcha.enableRegistrationCaptcha && works('enable_registration_captcha')
  const addresses = (tree.registration.registrationsRequire3pid ?? []).length > 0
  const hurdle = r.registrationRequiresToken || captcha || (addresses && works('registrations_require_3pid'))
  require(!r.enableRegistration ||
    hurdle ||
    r.enableRegistrationWithoutVerification, 'enable_registration', '`registration_requires_token: true` beside it, or `enable_registration_without_verification: true` for ' +
    'registration open to all (captchas and required addresses count once they are supported)')
  const needsLocalpart = ['private_chat', 'trusted_private_chat'].includes(
    r.autocreateAutoJoinRoomPreset ?? '',
  )
  require(!(
    r.autocreateAutoJoinRooms &&
    needsLocalpart &&
    !r.autoJoinMxidLocalpart
  ), 'autocreate_auto_join_room_preset', '`auto_join_mxid_localpart` beside a private preset')
}

function works(key: string): boolean {
  const rows = Object.values(TABLE).flatMap((fields) => Object.entries(fields as Fields))
  return rows.some(([name, row]) => name === key && row.status.state === 'supported')
}

function sessions({ config, root, require }: Check): void {
  const s = config.sessions
  const most = s.sessionLifetime
  const within = (ms: number | null) => most === null || ms === null || ms <= most
  const given = nodeAt(root, 'refreshable_access_token_lifetime') !== undefined
  const text = 'at most `session_lifetime`'
  require(!given || within(s.refreshableAccessTokenLifetime), 'refreshable_access_token_lifetime', text)
  require(within(s.nonrefreshableAccessTokenLifetime), 'nonrefreshable_access_token_lifetime', text)
  require(within(s.refreshTokenLifetime), 'refresh_token_lifetime', text)
}

function transport({ config, require, warn }: Check): void {
  const tls = config.listeners.some((listener) => listener.kind === 'tcp' && listener.tls)
  for (const key of ['tls_certificate_path', 'tls_private_key_path'] as const) {
    const path = key === 'tls_certificate_path' ? config.tls.tlsCertificatePath : config.tls.tlsPrivateKeyPath
    require(!tls || path !== null, key, 'a path, because a listener has `tls: true`')
  }
  const metrics = config.listeners.some((listener) => listener.resources.includes('metrics'))
  warn(
    metrics && !config.metrics.enableMetrics,
    'listeners',
    'a listener serves metrics, but `enable_metrics` is false',
  )
}

function mail({ config, require }: Check): void {
  const { email } = config.server
  if (email === null) return
  require(email.enableTls || !email.forceTls, 'email.force_tls', '`email.enable_tls: true` beside it')
  require(email.enableTls ||
    !email.requireTransportSecurity, 'email.require_transport_security', '`email.enable_tls: true` beside it')
}

/** What must be there before anybody can be asked to agree, or be spoken to. */
function policy({ config, files, require }: Check): void {
  const { userConsent: consent, serverNotices: notices } = config.rooms
  require(notices === null ||
    isStrictLocalpart(
      notices.systemMxidLocalpart,
    ), 'server_notices.system_mxid_localpart', 'a user name: the characters a-z, 0-9 and =_-./+')
  if (consent === null) return
  require(config.api.formSecret !== null, 'user_consent', '`form_secret` beside it')
  const { templateDir, version } = consent
  if (templateDir === null) {
    require(false, 'user_consent.template_dir', 'a folder with the documents')
    return
  }
  try {
    readConsentDocuments(templateDir, version, files)
  } catch (error) {
    const why = reasonOf(error)
    require(false, 'user_consent.template_dir', `a folder with the documents, but ${why}`)
  }
}

/** What clients and servers that read these files count on. */
function wellKnown({ config, require }: Check): void {
  const { wellKnownSupport: support, wellKnownPolicyServer: policyServer } = config.myelin
  const { contacts, support_page: page } = (support ?? {}) as { contacts?: unknown; support_page?: unknown }
  const reachable = (Array.isArray(contacts) && contacts.length > 0) || typeof page === 'string'
  require(support === null || reachable, 'myelin.well_known_support', '`contacts`, `support_page` or both')
  const keys = policyServer?.['public_keys'] as { ed25519?: unknown } | null | undefined
  require(policyServer === null ||
    typeof keys?.ed25519 ===
      'string', 'myelin.well_known_policy_server', '`public_keys` with the key `ed25519`')
}

/** Options that are nothing without another one. */
function companions({ config, require }: Check): void {
  const { media, sso, workers, metrics } = config
  const proxy = config.server.httpProxy !== null || config.server.httpsProxy !== null
  require(!media.urlPreviewEnabled ||
    media.urlPreviewIpRangeBlacklist !== null ||
    proxy, 'url_preview_enabled', '`url_preview_ip_range_blacklist` beside it: addresses previews are never made of')
  require(workers.redis.username === null ||
    workers.redis.password !== null, 'redis.username', '`redis.password` beside it')
  const jwt = sso.jwtConfig?.enabled ? sso.jwtConfig : null
  require(jwt === null ||
    jwt.algorithm !== null, 'jwt_config.algorithm', 'an algorithm, because `enabled` is true')
  require(jwt === null ||
    jwt.secret !== null, 'jwt_config.secret', 'a secret or key, because `enabled` is true')
  require(metrics.sentry === null || metrics.sentry.dsn !== null, 'sentry.dsn', 'an address')
}
