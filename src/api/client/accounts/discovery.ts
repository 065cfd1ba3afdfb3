/** Versions, capabilities and the well-known files. https://spec.matrix.org/v1.16/client-server-api/#server-discovery */
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import { ROOM_VERSIONS } from '#/protocol/room-version/rules.ts'
import type { LoginTokenOptions, PasswordOptions, ProfileOptions } from '#/services/accounts/options.ts'

/** What `/versions`, `/capabilities` and the well-known files say. */
export interface DiscoveryOptions {
  /** `default_room_version`. */
  readonly defaultRoomVersion: string
  /** Delayed events (MSC4140); no time where they are off. */
  readonly delayedEvents?: { readonly maxDelayMs: number | undefined; readonly perUserMax: number }
  /** `public_baseurl`, where it is given explicitly; also goes into answers of a login. */
  readonly publicBaseurl: string | undefined
  /** `default_identity_server`. */
  readonly identityServer: string | undefined
  /** `extra_well_known_client_content`. */
  readonly extraClientWellKnown: JsonObject
  /** `serve_server_wellknown`. */
  readonly serverWellKnown: boolean
  /** `matrix_rtc.transports`. */
  readonly rtcTransports: readonly JsonObject[]
  /** Content of `/.well-known/matrix/support`; 404 without. */
  readonly support: JsonObject | undefined
  /** Content of `/.well-known/matrix/policy_server`; 404 without. */
  readonly policyServer?: JsonObject | undefined
  /** Proposals that the operator switches on, in `unstable_features`. */
  readonly unstableFeatures?: Readonly<Record<string, boolean>>
  /** `forget_rooms_on_leave` */
  readonly forgetOnLeave?: boolean
}

export interface DiscoveryDeps {
  readonly serverName: ServerName
  readonly discovery: DiscoveryOptions
  readonly passwords: PasswordOptions
  readonly profile: ProfileOptions
  readonly loginTokens: LoginTokenOptions
}

/** Versions of the specification whose endpoints, as far as they are served, behave as that version says. */
const VERSIONS = [
  ...['r0.0.1', 'r0.1.0', 'r0.2.0', 'r0.3.0', 'r0.4.0', 'r0.5.0', 'r0.6.0', 'r0.6.1'],
  ...['v1.1', 'v1.2', 'v1.3', 'v1.4', 'v1.5', 'v1.6', 'v1.7', 'v1.8', 'v1.9', 'v1.10', 'v1.11', 'v1.12'],
  ...['v1.13', 'v1.14', 'v1.15', 'v1.16', 'v1.17', 'v1.18', 'v1.19'],
] as const

/** Proposals that are served under names of their own, or whose stable names clients look for here. */
const UNSTABLE_FEATURES = {
  /* Changes of a profile that keep out of rooms. */
  'computer.gingershaped.msc4466': true,
  /* Custom profile fields under their stable paths. */
  'uk.tcpip.msc4133': true,
  'uk.tcpip.msc4133.stable': true,
  /* Rooms shared with somebody. */
  'uk.half-shot.msc2666.query_mutual_rooms': true,
  'uk.half-shot.msc2666.query_mutual_rooms.stable': true,
  /* Deleting account data. */
  'org.matrix.msc3391': true,
  /* Blocking all invites. */
  'org.matrix.msc4380.stable': true,
  /* Servers that carry group calls. */
  'org.matrix.msc4143': true,
  /* `use_state_after` of sync under its unstable name. */
  'org.matrix.msc4222': true,
  /* Cross-signing; old clients look for it here. */
  'org.matrix.e2e_cross_signing': true,
  /* Sliding sync. */
  'org.matrix.simplified_msc3575': true,
  /* Threads, and relations of relations. */
  'org.matrix.msc3440.stable': true,
  'org.matrix.msc3981': true,
  /* Private receipts, those of threads, and counts by thread. */
  'org.matrix.msc2285.stable': true,
  'org.matrix.msc3771': true,
  'org.matrix.msc3773': true,
  /* Aliases of a room, asked of it. */
  'org.matrix.msc2432': true,
  /* Redaction by the ordinary send. */
  'com.beeper.msc4169': true,
  /* The filter `room_types` of the published list. */
  'org.matrix.msc3827.stable': true,
} as const

/** The client well-known; undefined where no public address was given. */
export function clientWellKnown(options: DiscoveryOptions): JsonObject | undefined {
  if (options.publicBaseurl === undefined) return undefined
  const own: Record<string, JsonValue> = { 'm.homeserver': { base_url: options.publicBaseurl } }
  if (options.identityServer !== undefined) {
    own['m.identity_server'] = { base_url: options.identityServer }
  }
  /* Where clients of old look for what `/rtc/transports` says. */
  if (options.rtcTransports.length > 0) own['org.matrix.msc4143.rtc_foci'] = [...options.rtcTransports]
  return { ...options.extraClientWellKnown, ...own }
}

/** `https://<server_name>/` reaches us, so federation may use its port: 443 unless the name has one. */
function serverAddress(serverName: ServerName): string {
  return /:[0-9]{1,5}$/.test(serverName) ? serverName : `${serverName}:443`
}

function delayedFeature({ delayedEvents }: DiscoveryOptions): object {
  return { 'org.matrix.msc4140': delayedEvents?.maxDelayMs !== undefined }
}

function delayedCapability({ delayedEvents }: DiscoveryOptions): object {
  if (delayedEvents?.maxDelayMs === undefined) return {}
  const { maxDelayMs, perUserMax } = delayedEvents
  return { 'org.matrix.msc4140.delayed_events': { max_delay_ms: maxDelayMs, max_scheduled: perUserMax } }
}

function capabilities({ discovery, passwords, profile, loginTokens }: DiscoveryDeps, who: Requester): object {
  const available = Object.fromEntries(Object.keys(ROOM_VERSIONS).map((version) => [version, 'stable']))
  const fixed = [
    ...(profile.setDisplayname ? [] : ['displayname']),
    ...(profile.setAvatarUrl ? [] : ['avatar_url']),
  ]
  const fields = { enabled: true, ...(fixed.length === 0 ? {} : { disallowed: fixed }) }
  return {
    'm.room_versions': { default: discovery.defaultRoomVersion, available },
    'm.forget_forced_upon_leave': { enabled: discovery.forgetOnLeave ?? false },
    'm.change_password': { enabled: passwords.forReauth },
    'm.set_displayname': { enabled: profile.setDisplayname },
    'm.set_avatar_url': { enabled: profile.setAvatarUrl },
    'm.3pid_changes': { enabled: false },
    'm.get_login_token': {
      enabled: loginTokens.enabled && (!loginTokens.confirm || passwords.forReauth),
    },
    'm.profile_fields': fields,
    'uk.tcpip.msc4133.profile_fields': fields,
    ...(who.isAdmin ? { 'm.account_moderation': { lock: true, suspend: true } } : {}),
    ...delayedCapability(discovery),
  }
}

const ANYONE = { method: 'GET', auth: 'none', limit: 'none' } as const

/** A well-known file, or the refusal that there is none. */
function wellKnown(content: JsonObject | undefined): JsonObject {
  if (content === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such file here.')
  return content
}

export const discoveryRoutes = (d: DiscoveryDeps): Route[] => [
  route({
    ...ANYONE,
    path: '/_matrix/client/versions',
    spec: 'client-server-api/#get_matrixclientversions',
    operations: ['getVersions'],
    servlet: 'VersionsRestServlet',
    handle: () => ({
      versions: VERSIONS,
      unstable_features: {
        ...UNSTABLE_FEATURES,
        ...d.discovery.unstableFeatures,
        ...delayedFeature(d.discovery),
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v3/capabilities',
    also: ['/_matrix/client/r0/capabilities'],
    spec: 'client-server-api/#get_matrixclientv3capabilities',
    operations: ['getCapabilities'],
    auth: 'guest',
    limit: 'none',
    servlet: 'CapabilitiesRestServlet',
    handle: ({ who }) => ({ capabilities: capabilities(d, who) }),
  }),
  route({
    ...ANYONE,
    path: '/.well-known/matrix/client',
    spec: 'client-server-api/#getwell-knownmatrixclient',
    operations: ['getWellknown'],
    handle: () => wellKnown(clientWellKnown(d.discovery)),
  }),
  route({
    ...ANYONE,
    path: '/.well-known/matrix/server',
    spec: 'server-server-api/#getwell-knownmatrixserver',
    operations: ['getWellKnown'],
    handle: () =>
      wellKnown(d.discovery.serverWellKnown ? { 'm.server': serverAddress(d.serverName) } : undefined),
  }),
  route({
    ...ANYONE,
    path: '/.well-known/matrix/support',
    spec: 'client-server-api/#getwell-knownmatrixsupport',
    operations: ['getWellknownSupport'],
    handle: () => wellKnown(d.discovery.support),
  }),
  route({
    ...ANYONE,
    path: '/.well-known/matrix/policy_server',
    spec: 'client-server-api/#getwell-knownmatrixpolicy_server',
    operations: ['getWellknownPolicy'],
    handle: () => wellKnown(d.discovery.policyServer),
  }),
]
