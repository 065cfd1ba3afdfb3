/**
 * Builds the server from its parts, without sockets, files or threads of its own: the real server, the simulator and
 * the API tests all use this.
 */
import { createAccounts } from '#/api/client/accounts/create-accounts.ts'
import { createRelations } from '#/api/client/relations/create-relations.ts'
import { createSearch } from '#/api/client/search/create-search.ts'
import { slidingRoutes } from '#/api/client/sync/sliding.ts'
import { pushRoutes, roomRoutes } from '#/api/index.ts'
import type { Log } from '#/base/log.ts'
import { type Metrics, noMetrics } from '#/base/metrics.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import { StoreError } from '#/base/store-error.ts'
import type { World } from '#/base/world.ts'
import { createDispatch, type Dispatch } from '#/http/dispatch.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { healthRoute, metricsRoute } from '#/http/ops-routes.ts'
import { json, type Reply } from '#/http/reply.ts'
import { requestIds } from '#/http/request-ids.ts'
import type { Requester } from '#/http/requester.ts'
import type { Route } from '#/http/route.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { Store } from '#/ports/store/store.ts'
import type { SigningKey } from '#/protocol/crypto/ed25519.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { defaultPushRules } from '#/protocol/push-rules/default-rules.ts'
import { LastSeen } from '#/services/accounts/last-seen.ts'
import type { OpenidTokens } from '#/services/accounts/openid.ts'
import { USAGE_DEFAULT } from '#/services/accounts/usage-rules.ts'
import type { ServerNotices } from '#/services/admin/server-notices.ts'
import { createEphemeral } from '#/services/ephemeral/create-ephemeral.ts'
import { JobScheduler } from '#/services/jobs/scheduler.ts'
import { ensureSweep, SWEEP_KIND, sweepHandler } from '#/services/jobs/sweep.ts'
import { createSigner } from '#/services/keys/signer.ts'
import { KnownCounts } from '#/services/push/known-counts.ts'
import { PUSH_RULE_LIMITS_DEFAULT } from '#/services/push/limits.ts'
import { createPush } from '#/services/push/push.ts'
import { AUTO_JOIN_KIND, AutoJoin } from '#/services/rooms/auto-join.ts'
import { CreateRoomService } from '#/services/rooms/create/create-room.ts'
import { createDirectory } from '#/services/rooms/directory/create-directory.ts'
import { GUESTS_OUT_KIND, guestsOutHandler } from '#/services/rooms/guests-out.ts'
import { INDEX_RELATIONS_KIND, indexRelationsHandler } from '#/services/rooms/index-relations.ts'
import { LEAVE_ALL_KIND, leaveAllHandler, leaveAllOp } from '#/services/rooms/leave-all.ts'
import { type MayInvite, type MemberProfile, MembershipService } from '#/services/rooms/membership.ts'
import {
  PROFILE_SPREAD_KIND,
  profileSpreadHandler,
  profileSpreadOp,
} from '#/services/rooms/profile-spread.ts'
import type { PurgeService } from '#/services/rooms/purge/purge.ts'
import { Expiry, type ReadStore } from '#/services/rooms/read/expiry.ts'
import { createReading } from '#/services/rooms/read/reading.ts'
import { REDACT_RELATED_KIND, redactRelatedHandler } from '#/services/rooms/redact-related.ts'
import { RoomList } from '#/services/rooms/room-list.ts'
import { RoomWriter } from '#/services/rooms/room-writer.ts'
import { SendService } from '#/services/rooms/send.ts'
import { createUpgrades } from '#/services/rooms/upgrade/create-upgrades.ts'
import { type CopyRules, carrySettings } from '#/services/rooms/upgrade/settings.ts'
import { Feed } from '#/services/sync/feed.ts'
import { SYNC_OPTIONS_DEFAULT } from '#/services/sync/options.ts'
import { RoomRules } from '#/services/sync/room-rules.ts'
import { SlidingSyncService } from '#/services/sync/sliding/sliding-sync.ts'
import { StateCache } from '#/services/sync/state-cache.ts'
import { Summaries } from '#/services/sync/v3/summary.ts'
import { SyncService } from '#/services/sync/v3/sync.ts'
import { createE2ee, e2eeDeactivationOps } from './create-e2ee.ts'
import { createKeys } from './create-keys.ts'
import { createLater } from './create-later.ts'
import { createPurge } from './create-purge.ts'
import { createReads } from './create-reads.ts'
import { createNotices, createUsage } from './create-usage.ts'
import { createPeople } from './people.ts'
import type { ServerOptions } from './server-options.ts'

export interface AssembleDeps {
  readonly store: Store
  readonly world: World
  readonly log: Log
  readonly metrics: Metrics
  readonly limits: RateLimits<LimitName>
  readonly serverName: ServerName
  readonly signingKey: SigningKey
  readonly passwords: Passwords
  readonly options: ServerOptions
}

/** Refuses what an engine cannot do just now with a sentence, instead of calling it a bug. */
export function explainStoreError(error: unknown): MatrixError | Reply | undefined {
  if (!(error instanceof StoreError)) return undefined
  if (error.kind === 'busy') {
    return new MatrixError('M_LIMIT_EXCEEDED', 'The server is overloaded. Please try again.', {
      retry_after_ms: 1000,
    })
  }
  if (error.kind === 'limit') {
    return new MatrixError('M_TOO_LARGE', 'The answer would be too large.')
  }
  if (error.kind === 'text') {
    return new MatrixError('M_INVALID_PARAM', 'A text in the request has a character that cannot be kept.')
  }
  if (error.kind === 'unavailable' || error.kind === 'closed') {
    const sentence = 'The server cannot store anything just now. Please try again later.'
    return json(503, { errcode: 'M_UNKNOWN', error: sentence })
  }
  return undefined
}

export interface AssembledServer {
  readonly dispatches: { readonly client: Dispatch; readonly metrics: Dispatch }
  /** Who holds an OpenID token. */
  readonly openid: OpenidTokens
  /** Speaks to users in a room of the server, where that is configured. */
  readonly notices: ServerNotices | undefined
  /** Every route that the client listener serves. */
  readonly routes: readonly Route[]
  /** Deletes history and rooms; whoever may do so asks it. */
  readonly purge: PurgeService
  /** Begins timed work. */
  start(): void
  /** Answers waiting syncs now, because the server stops. */
  wakeWaiting(): void
  /** Ends timed work. The store is its opener's to close. */
  close(): Promise<void>
}

export async function assemble(deps: AssembleDeps): Promise<AssembledServer> {
  const { store, world, log, limits, serverName, options } = deps
  const { clock } = world
  const jobs = new JobScheduler({ store, world, log })
  const lastSeen = new LastSeen({ store, clock, log })
  const expiry = options.retention && new Expiry({ store, clock, policy: options.retention })
  const knownCounts = new KnownCounts(store)
  const counting = { ...store, push: { ...store.push, counts: knownCounts.counts } }
  const readStore: ReadStore = expiry ? { ...counting, expiry } : counting
  const reading = createReading({ store: readStore, clock })
  const { clientEvents, ignored } = reading
  const push = createPush({
    ...{ store: readStore, clock, serverName, clientEvents, ignored },
    ruleLimits: options.pushRuleLimits ?? PUSH_RULE_LIMITS_DEFAULT,
  })
  const usage = await createUsage({
    ...{ store, clock, jobs, metrics: deps.metrics },
    options: options.usage ?? USAGE_DEFAULT,
    notices: options.notices,
  })
  const accounts = createAccounts({
    lastSeen,
    store,
    world,
    passwords: deps.passwords,
    options: options.accounts,
    discovery: options.discovery,
    limits,
    hooks: {
      ...usage.hooks,
      profileOps: (userId, now, change) => [profileSpreadOp(userId, now, change)],
      onProfileChanged: () => jobs.poke(),
      deactivationOps: (userId, now) => [
        leaveAllOp(userId, now),
        { op: 'delayed.clear', user: userId },
        { op: 'push.clear', user: userId },
        ...e2eeDeactivationOps(userId),
      ],
      onDeactivated: () => jobs.poke(),
      accountDataOps: (userId, type, content) => {
        people.invites.checkRules(type, content)
        return push.rules.accountDataOps(userId, type, content)
      },
      onAccountData: (userId) => push.changed(userId),
      registrationOps: (userId) => autoJoin.ops(userId),
      onRegistered: (userId) => autoJoin.now(userId),
    },
  })
  const people = await createPeople({
    ...{ store, world, serverName, accounts, jobs, ignored },
    options: options.people,
  })
  const { profileRules } = options.people
  const systemUser = options.notices?.sender
  const mayInvite: MayInvite = async (sender, target) => {
    if (sender !== systemUser) await people.invites.check(sender, target)
  }
  const profile: MemberProfile = (userId) => accounts.profileMembers(userId)
  const signer = createSigner(serverName, deps.signingKey)
  const writer = new RoomWriter({
    store,
    signer,
    clock,
    cacheBytes: options.cacheBytes / 4,
    follow: (...event) => push.live.ops(...event),
  })
  const copyRules: CopyRules = (userId, from, to) => push.rules.copyRoom(userId, from, to)
  const membership = new MembershipService({
    writer,
    store,
    serverName,
    profile,
    mayInvite,
    profileRules,
    onJoined: (userId, roomId) => carrySettings(store, copyRules, userId, roomId),
    forgetOnLeave: options.rooms.forgetOnLeave,
    onForget: (userId, room) => feed.forget(userId, room),
  })
  const feed = new Feed(store, clock, options.cacheBytes / 4)
  const { sessions } = accounts.services
  sessions.onEnded((userId) => feed.sessionEnded(userId))
  const stillIn = ({ sessionId }: Requester): Promise<void> | undefined =>
    typeof sessionId === 'string' ? sessions.check(sessionId) : undefined
  const stateCache = new StateCache({ store, clientEvents, cacheBytes: options.cacheBytes / 2 })
  const relations = createRelations({
    store: readStore,
    clock,
    clientEvents,
    ignored,
    subscribes: options.experimental.threadSubscriptions,
  })
  const ephemeral = createEphemeral({ store, world, options: options.presence })
  ephemeral.typing.onChange((room, version) => feed.typingMoved(room, version))
  ephemeral.presence.onNews((news) => void feed.presenceMoved(news))
  const { staleDevicesMs } = options
  const keys = await createKeys({ store, clock, log, feed, jobs, accounts, staleDevicesMs })
  const e2ee = createE2ee({
    ...{ store, clock, log, serverName, limits },
    dehydrating: options.experimental.dehydratedDevices
      ? {
          upload: (userId, device, upload) => keys.deviceKeys.upload(userId, device, upload),
          end: (userId, devices) => accounts.services.sessions.end(userId, { devices }),
        }
      : undefined,
  })
  const { inboxes } = e2ee
  const summaries = new Summaries(store)
  const syncing = {
    options: options.sync ?? SYNC_OPTIONS_DEFAULT,
    e2ee: keys.e2ee,
    log,
    store: readStore,
    feed,
    clientEvents,
    stateCache,
    ignored,
    ephemeral,
    inboxes,
    defaultAccountData,
    summaries,
    roomRules: new RoomRules(store),
  }
  const slidingSync = new SlidingSyncService({
    ...syncing,
    world,
    invites: people.invites,
    threadSubscriptions: options.experimental.threadSubscriptions ? relations.threadSubscriptions : undefined,
  })
  const sync = new SyncService({
    ...syncing,
    clock,
    counts: (user, room, upto) => knownCounts.known(user, room, upto),
    hidesInvite: (userId, sender) => people.invites.hides(userId, sender),
  })
  const send = new SendService({
    writer,
    membership,
    store,
    clock,
    redactionRetentionMs: options.redactionRetentionMs,
    redactsRelated: options.experimental.redactsRelated,
    onJob: () => jobs.poke(),
  })
  const later = createLater({ store, world, limits, send, jobs, options: options.delayedEvents })
  const purge = await createPurge({ store, clock, jobs, writer, feed, retention: options.retention })
  const reads = createReads({
    ...{ store: readStore, clock, clientEvents, ignored, feed, defaultAccountData, ephemeral, stillIn },
    store: readStore,
    clock,
    clientEvents,
    ignored,
    feed,
    defaultAccountData,
    ephemeral,
  })
  const directory = createDirectory({ store, writer, world, serverName, options: options.rooms })
  const { aliases } = directory
  const { carriedAtOnce } = options.rooms
  const upgrades = createUpgrades({
    ...{ store, writer, signer, world, profile, aliases, jobs, copyRules, carriedAtOnce },
  })
  const createRoom = new CreateRoomService({
    store,
    signer,
    world,
    profile,
    mayInvite,
    profileRules,
    directory,
    options: options.rooms,
    onJob: () => jobs.poke(),
    inviteOps: (invitation, slot) => push.live.inviteOps(invitation, slot),
  })
  const autoJoin = new AutoJoin({
    ...{ store, world, log, serverName, writer, membership, aliases, createRoom },
    defaultRoomVersion: options.defaultRoomVersion,
    options: options.rooms.autoJoin,
  })
  jobs.handle(AUTO_JOIN_KIND, autoJoin.handler)
  const { notices, guard } = await createNotices({
    ...{ store, world, log, send, membership, createRoom, usage, accounts: accounts.services },
    roomVersion: options.defaultRoomVersion,
    options: options.notices,
  })
  const routes: Route[] = guard([
    ...accounts.routes,
    ...relations.routes,
    ...people.routes,
    ...keys.routes,
    ...roomRoutes({
      send,
      ...directory,
      upgrades,
      createRoom,
      delayed: later.delayed,
      defaultRoomVersion: options.defaultRoomVersion,
      membership,
      roomList: new RoomList({ store, onForget: (userId, room) => feed.forget(userId, room) }),
      limits,
      accountExists: async (userId) => (await store.accounts.byUser(userId)) !== undefined,
      reads: reads.reads,
      messages: reads.messages,
      sync,
      stillIn,
      filterOf: (userId, id) => store.accountData.filter(userId, id),
      epoch: store.epoch,
      position: () => store.position(),
      ...ephemeral,
      ownRooms: async (userId) => (await feed.user(userId)).memberships,
      roomsOf: (userId) => feed.roomsOf(userId),
      onActive: ({ userId, deviceId }) => ephemeral.presence.activity(userId, deviceId ?? ''),
    }),
    ...(await createSearch({
      ...{ store: readStore, clock, clientEvents, ignored, erased: reading.erased, jobs },
      enabled: options.enableSearch,
    })),
    ...slidingRoutes({ slidingSync, presence: ephemeral.presence, limits, stillIn }),
    ...reads.routes,
    ...later.routes,
    ...e2ee.routes,
    ...pushRoutes(push),
    healthRoute(() => healthOf(store)),
  ])
  jobs.handle(SWEEP_KIND, sweepHandler(store, clock))
  jobs.handle(PROFILE_SPREAD_KIND, profileSpreadHandler({ store, membership }))
  jobs.handle(LEAVE_ALL_KIND, leaveAllHandler({ store, membership }))
  jobs.handle(INDEX_RELATIONS_KIND, indexRelationsHandler({ store, clock }))
  jobs.handle(REDACT_RELATED_KIND, redactRelatedHandler({ store, send, clock }))
  jobs.handle(GUESTS_OUT_KIND, guestsOutHandler({ store, membership }))
  await ensureSweep(store, clock)
  const common = { authenticate: accounts.authenticator, limiter: limits, log, clock }
  const dispatchOf = (table: Route[], metrics: Metrics): Dispatch =>
    createDispatch({
      ...common,
      metrics,
      routes: table,
      ids: requestIds(world.rng),
      serverName,
      explain: explainStoreError,
    })
  return {
    dispatches: {
      client: dispatchOf(routes, deps.metrics),
      /* What reads the figures is not counted in them. */
      metrics: dispatchOf([metricsRoute(deps.metrics), healthRoute(() => healthOf(store))], noMetrics),
    },
    openid: people.openid,
    notices,
    routes,
    purge,
    start: () => jobs.start(),
    wakeWaiting: () => feed.stopWaiting(),
    async close() {
      feed.close()
      keys.close()
      push.close()
      e2ee.close()
      slidingSync.close()
      knownCounts.close()
      expiry?.close()
      reads.close()
      reading.close()
      stateCache.close()
      summaries.close()
      ephemeral.close()
      accounts.close()
      await jobs.close()
      await lastSeen.close()
    },
  }
}

function healthOf(store: Store): string[] {
  const health = store.health()
  return health.writable ? [] : [health.reason ?? 'the database cannot be written']
}

/** Push rules are account data that exists before anyone wrote it. */
function defaultAccountData(
  userId: string,
  stored: ReadonlySet<string>,
): { type: string; content: object }[] {
  if (stored.has('m.push_rules')) return []
  return [{ type: 'm.push_rules', content: { global: defaultPushRules(userId as UserId) } }]
}
