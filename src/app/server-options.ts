/** What the assembled server is told by the configuration, as plain values. */
import type { DiscoveryOptions } from '#/api/client/accounts/create-accounts.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { AccountOptions } from '#/services/accounts/options.ts'
import type { UsageOptions } from '#/services/accounts/usage-rules.ts'
import type { ServerNoticesOptions } from '#/services/admin/server-notices.ts'
import type { PresenceOptions } from '#/services/ephemeral/presence.ts'
import type { PushRuleLimits } from '#/services/push/limits.ts'
import type { DelayedOptions } from '#/services/rooms/delayed-events.ts'
import type { RoomOptions } from '#/services/rooms/options.ts'
import type { RetentionOptions } from '#/services/rooms/purge/retention.ts'
import { TIMELINE_LIMIT_MAX } from '#/services/rooms/read/limits.ts'
import type { SyncOptions } from '#/services/sync/options.ts'
import type { Config } from './config/config.ts'
import type { FileReader } from './config/files.ts'
import type { PeopleOptions } from './people.ts'
import { roomOptions } from './room-options.ts'
import { checkedServerName } from './server-name.ts'
import { consentOptions, noticesOptions, usageOptions } from './usage-options.ts'

/** Proposals that an operator switches on. */
export interface ExperimentalOptions {
  /** `msc3912_enabled`: a redaction may take related events with it. */
  readonly redactsRelated: boolean
  /** `msc4306_enabled`: users subscribe to threads. */
  readonly threadSubscriptions: boolean
  /** `msc3814_enabled`: users have dehydrated devices. */
  readonly dehydratedDevices?: boolean
}

export interface ServerOptions {
  readonly experimental: ExperimentalOptions
  readonly accounts: AccountOptions
  readonly discovery: DiscoveryOptions
  readonly people: PeopleOptions
  /** Absent: the server is open, and nobody is counted. */
  readonly usage?: UsageOptions
  /** `server_notices`; absent: the server does not speak to users. */
  readonly notices?: ServerNoticesOptions | undefined
  readonly defaultRoomVersion: string
  readonly rooms: RoomOptions
  /** Milliseconds that originals of redacted events are kept; undefined keeps them. */
  readonly redactionRetentionMs: number | undefined
  readonly presence: PresenceOptions
  /** `push_rules.limits` */
  readonly pushRuleLimits?: PushRuleLimits
  /** Whether messages are indexed and can be searched. */
  readonly enableSearch: boolean
  readonly delayedEvents: DelayedOptions
  /** `delete_stale_devices_after`, milliseconds; absent never. */
  readonly staleDevicesMs?: number | undefined
  /** `retention`; absent keeps everything. */
  readonly retention?: RetentionOptions | undefined
  readonly sync?: SyncOptions | undefined
  /** Memory of rooms and events kept ready, in bytes. */
  readonly cacheBytes: number
}

/** `files` gives the documents that options name. */
export function serverOptions(config: Config, files: FileReader): ServerOptions {
  const { registration, passwords, sessions, server } = config
  const { policy } = passwords
  const { defaultRoomVersion } = server
  const { msc3814Enabled, msc3912Enabled, msc4069ProfileInhibitPropagation, msc4155Enabled, msc4306Enabled } =
    config.experimental.experimentalFeatures
  return {
    experimental: {
      redactsRelated: msc3912Enabled,
      threadSubscriptions: msc4306Enabled,
      dehydratedDevices: msc3814Enabled,
    },
    accounts: {
      serverName: checkedServerName(server.serverName),
      registration: {
        enabled: registration.enableRegistration,
        withoutVerification: registration.enableRegistrationWithoutVerification,
        requiresToken: registration.registrationRequiresToken,
        sharedSecret: registration.registrationSharedSecret?.reveal(),
        underscorePrefix: registration.allowUnderscorePrefixedRegistration,
        guests: registration.allowGuestAccess,
        inhibitInUse: registration.inhibitUserInUseError,
      },
      passwords: {
        forLogin: passwords.enabledForLogin && passwords.localdbEnabled,
        forReauth: passwords.enabledForReauth && passwords.localdbEnabled,
        policy: policy.enabled ? policy : undefined,
      },
      sessions: {
        lifetimeMs: sessions.sessionLifetime ?? undefined,
        refreshableAccessTokenMs: sessions.refreshableAccessTokenLifetime ?? undefined,
        refreshTokenMs: sessions.refreshTokenLifetime ?? undefined,
        nonrefreshableAccessTokenMs: sessions.nonrefreshableAccessTokenLifetime ?? undefined,
        proofMs: sessions.uiAuth.sessionTimeout,
      },
      ...consentOptions(config, files),
      loginTokens: {
        enabled: sessions.loginViaExistingSession.enabled,
        confirm: sessions.loginViaExistingSession.requireUiAuth,
        lifetimeMs: sessions.loginViaExistingSession.tokenTimeout,
      },
      profile: {
        setDisplayname: registration.enableSetDisplayname,
        setAvatarUrl: registration.enableSetAvatarUrl,
        requireAuth: server.requireAuthForProfileRequests,
        sharedRoomsOnly: server.limitProfileRequestsToUsersWhoShareRooms,
        inhibitsPropagation: msc4069ProfileInhibitPropagation,
      },
    },
    usage: usageOptions(config),
    notices: noticesOptions(config),
    discovery: {
      defaultRoomVersion,
      delayedEvents: delayedOptions(config),
      publicBaseurl: server.servesClientWellknown ? server.publicBaseurl : undefined,
      identityServer: registration.defaultIdentityServer ?? undefined,
      extraClientWellKnown: server.extraWellKnownClientContent as JsonObject,
      serverWellKnown: server.serveServerWellknown,
      rtcTransports: rtcTransports(config),
      support: (config.myelin.wellKnownSupport ?? undefined) as JsonObject | undefined,
      policyServer: (config.myelin.wellKnownPolicyServer ?? undefined) as JsonObject | undefined,
      unstableFeatures: {
        ...forcedEncryption(config),
        'org.matrix.msc3882': sessions.loginViaExistingSession.enabled,
        'org.matrix.msc3912': msc3912Enabled,
        'org.matrix.msc4069': msc4069ProfileInhibitPropagation,
        'org.matrix.msc4155': msc4155Enabled,
        'org.matrix.msc4306': msc4306Enabled,
        'org.matrix.msc3814': msc3814Enabled,
      },
      forgetOnLeave: config.rooms.forgetRoomsOnLeave,
    },
    people: peopleOptions(config),
    defaultRoomVersion,
    presence: presenceOptions(config),
    pushRuleLimits: pushRuleLimits(config),
    enableSearch: server.enableSearch,
    sync: syncOptions(config),
    rooms: roomOptions(config),
    cacheBytes: config.myelin.cacheBytes,
    delayedEvents: delayedOptions(config),
    staleDevicesMs: server.deleteStaleDevicesAfter ?? undefined,
    retention: retentionOptions(config),
    redactionRetentionMs: config.blocking.redactionRetentionPeriod ?? undefined,
  }
}

function syncOptions({ rooms, server }: Config): SyncOptions {
  const most = server.filterTimelineLimit
  return {
    excludedRooms: new Set(rooms.excludeRoomsFromSync ?? []),
    /* -1 stands for none but the program's own. */
    timelineMax: most < 0 ? TIMELINE_LIMIT_MAX : Math.max(1, most),
  }
}

/** Which presets of new rooms are encrypted whatever the client says, as clients look for it. */
function forcedEncryption({ rooms }: Config): Record<string, boolean> {
  const { encryptionEnabledByDefaultForRoomType: types } = rooms
  return {
    'io.element.e2ee_forced.public': types === 'all',
    'io.element.e2ee_forced.private': types !== 'off',
    'io.element.e2ee_forced.trusted_private': types !== 'off',
  }
}

function presenceOptions({ server, rooms }: Config): PresenceOptions {
  const { presence } = server
  return {
    enabled: presence.enabled !== false,
    tracked: presence.enabled !== 'untracked',
    includeOffline: presence.includeOfflineUsersOnSync,
    times: {
      activeMs: presence.lastActiveGranularity,
      onlineMs: presence.syncOnlineTimeout,
      idleMs: presence.idleTimeout,
    },
    excludedRooms: new Set(rooms.excludeRoomsFromPresence ?? []),
  }
}

function pushRuleLimits({ push }: Config): PushRuleLimits {
  const { ruleCount, ruleIdLength, ruleSize } = push.pushRules.limits
  return { rules: ruleCount, idBytes: ruleIdLength, ruleBytes: ruleSize }
}

function peopleOptions(config: Config): PeopleOptions {
  const { calls, rooms, server, blocking } = config
  return {
    directory: rooms.userDirectory,
    turn: {
      uris: calls.turnUris ?? [],
      sharedSecret: calls.turnSharedSecret?.reveal(),
      username: calls.turnUsername ?? undefined,
      password: calls.turnPassword?.reveal(),
      lifetimeMs: calls.turnUserLifetime,
      guests: calls.turnAllowGuests,
    },
    rtcTransports: rtcTransports(config),
    onlyAdminsInvite: server.blockNonAdminInvites,
    inviteRules: config.experimental.experimentalFeatures.msc4155Enabled,
    profileRules: {
      onInvite: server.includeProfileDataOnInvite,
      perRoom: blocking.allowPerRoomProfiles,
    },
  }
}

/** Transports as clients get them, without members that are not set. */
function rtcTransports(config: Config): JsonObject[] {
  return config.calls.matrixRtc.transports.map(({ type, url, livekitServiceUrl }) => ({
    type,
    ...(url === null ? {} : { url }),
    ...(livekitServiceUrl === null ? {} : { livekit_service_url: livekitServiceUrl }),
  }))
}

function delayedOptions(config: Config): DelayedOptions {
  return {
    maxDelayMs: config.server.maxEventDelayDuration ?? undefined,
    perUserMax: config.experimental.experimentalFeatures.msc4140MaxDelayedEventsPerUser,
  }
}

/** Synapse's job when none is configured. */
const DAILY = { intervalMs: 24 * 3600 * 1000, shortestMs: undefined, longestMs: undefined }

function retentionOptions(config: Config): RetentionOptions | undefined {
  const { enabled, defaultPolicy, allowedLifetimeMin, allowedLifetimeMax, purgeJobs } =
    config.blocking.retention
  if (!enabled) return undefined
  const jobs = (purgeJobs ?? []).map((job) => ({
    intervalMs: job.interval,
    shortestMs: job.shortestMaxLifetime ?? undefined,
    longestMs: job.longestMaxLifetime ?? undefined,
  }))
  return {
    defaultMaxMs: defaultPolicy?.maxLifetime ?? undefined,
    allowedMinMs: allowedLifetimeMin ?? undefined,
    allowedMaxMs: allowedLifetimeMax ?? undefined,
    jobs: jobs.length === 0 ? [DAILY] : jobs,
  }
}
