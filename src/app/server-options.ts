/** What the assembled server is told by the configuration, as plain values. */
import type { DiscoveryOptions } from '#/api/client/accounts/create-accounts.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { AccountOptions } from '#/services/accounts/options.ts'
import type { DelayedOptions } from '#/services/rooms/delayed-events.ts'
import type { RetentionOptions } from '#/services/rooms/purge/retention.ts'
import type { Config } from './config/config.ts'
import { checkedServerName } from './server-name.ts'

export interface ServerOptions {
  readonly accounts: AccountOptions
  readonly discovery: DiscoveryOptions
  readonly defaultRoomVersion: string
  /** Milliseconds that originals of redacted events are kept; undefined keeps them. */
  readonly redactionRetentionMs: number | undefined
  readonly delayedEvents: DelayedOptions
  /** `retention`; absent keeps everything. */
  readonly retention?: RetentionOptions | undefined
  /** Memory of rooms and events kept ready, in bytes. */
  readonly cacheBytes: number
}

export function serverOptions(config: Config): ServerOptions {
  const { registration, passwords, sessions, server } = config
  const { policy } = passwords
  const { defaultRoomVersion } = server
  return {
    accounts: {
      serverName: checkedServerName(server.serverName),
      registration: {
        enabled: registration.enableRegistration,
        withoutVerification: registration.enableRegistrationWithoutVerification,
        requiresToken: registration.registrationRequiresToken,
        sharedSecret: registration.registrationSharedSecret?.reveal(),
        underscorePrefix: registration.allowUnderscorePrefixedRegistration,
        guests: registration.allowGuestAccess,
      },
      passwords: {
        forLogin: passwords.enabledForLogin,
        forReauth: passwords.enabledForReauth,
        policy: policy.enabled ? policy : undefined,
      },
      sessions: {
        lifetimeMs: sessions.sessionLifetime ?? undefined,
        refreshableAccessTokenMs: sessions.refreshableAccessTokenLifetime ?? undefined,
        refreshTokenMs: sessions.refreshTokenLifetime ?? undefined,
        nonrefreshableAccessTokenMs: sessions.nonrefreshableAccessTokenLifetime ?? undefined,
      },
      profile: {
        setDisplayname: registration.enableSetDisplayname,
        setAvatarUrl: registration.enableSetAvatarUrl,
      },
    },
    discovery: {
      defaultRoomVersion,
      delayedEvents: delayedOptions(config),
      publicBaseurl: server.servesClientWellknown ? server.publicBaseurl : undefined,
      identityServer: registration.defaultIdentityServer ?? undefined,
      extraClientWellKnown: server.extraWellKnownClientContent as JsonObject,
      serverWellKnown: server.serveServerWellknown,
      support: undefined,
    },
    defaultRoomVersion,
    cacheBytes: config.myelin.cacheBytes,
    delayedEvents: delayedOptions(config),
    retention: retentionOptions(config),
    redactionRetentionMs: config.blocking.redactionRetentionPeriod ?? undefined,
  }
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
