/** The readers by noun, over a function that runs a query wherever its class says. */
import type { Reader } from '#/ports/store/store.ts'
import * as data from './queries/account-data.ts'
import * as accounts from './queries/accounts.ts'
import { authChain } from './queries/auth-chain.ts'
import { bindBackups } from './queries/backups.ts'
import { dehydratedOf } from './queries/dehydrated.ts'
import { delayedById, delayedOfUser } from './queries/delayed.ts'
import * as directory from './queries/directory.ts'
import * as events from './queries/events.ts'
import { packedStateAt, unpackState } from './queries/full-state.ts'
import { bindKeys } from './queries/keys.ts'
import { bindMany } from './queries/many.ts'
import * as people from './queries/people.ts'
import * as push from './queries/push.ts'
import { notificationList } from './queries/push-list.ts'
import { pushCountsOfRooms } from './queries/push-many.ts'
import type { Query } from './queries/query.ts'
import * as receipts from './queries/receipts.ts'
import * as relations from './queries/relations.ts'
import { reportByNid, reportPage } from './queries/reports.ts'
import { roomFactsOf } from './queries/room-facts.ts'
import * as rooms from './queries/rooms.ts'
import * as search from './queries/search.ts'
import * as state from './queries/state.ts'
import { stateTextAt, stateTurns } from './queries/state-many.ts'
import * as threads from './queries/thread-subscriptions.ts'
import { bindToDevice } from './queries/to-device.ts'
import { bindUsage } from './queries/usage.ts'

export type RunQuery = <Args extends readonly unknown[], T>(query: Query<Args, T>, args: Args) => Promise<T>

/** Binds every query to `read`. */
export function readerOver(read: RunQuery): Reader {
  const bind =
    <Args extends readonly unknown[], T>(query: Query<Args, T>) =>
    (...args: Args): Promise<T> =>
      read(query, args)
  return {
    events: {
      byId: bind(events.eventById),
      byIds: bind(events.eventsByIds),
      byNids: bind(events.eventsByNids),
      timeline: bind(events.timeline),
      topological: bind(events.topological),
      byTime: bind(events.eventsByTime),
      stream: bind(events.eventStream),
      roomsWithNews: bind(events.roomsWithNews),
      txnsOf: bind(events.txnsOf),
      byTxn: bind(events.eventByTxn),
      authChain: bind(authChain),
    },
    relations: {
      targets: bind(relations.relationTargets),
      relatedBy: bind(relations.relatedBy),
      edits: bind(relations.relationEdits),
      editsOf: bind(relations.relationEditsOf),
      references: bind(relations.relationReferences),
      threadsOf: bind(relations.threadsOf),
      threadSenders: bind(relations.threadSenders),
      threadCountUpTo: bind(relations.threadCountUpTo),
      threads: bind(relations.threads),
      annotated: bind(relations.annotated),
      page: bind(relations.relationPage),
      tree: bind(relations.relationTree),
    },
    threadSubscriptions: {
      get: bind(threads.threadSubscription),
      since: bind(threads.threadSubscriptionsSince),
    },
    rooms: {
      byId: bind(rooms.roomById),
      byNid: bind(rooms.roomByNid),
      page: bind(rooms.roomPage),
      head: bind(rooms.roomHead),
      membershipsOf: bind(rooms.membershipsOf),
      membership: bind(rooms.membership),
      localJoined: bind(rooms.localJoined),
      guestsJoined: bind(rooms.guestsJoined),
      lastArrivals: bind(rooms.lastArrivals),
      membershipsSince: bind(rooms.membershipsSince),
    },
    state: {
      current: bind(state.currentState),
      currentAll: (room, type) => read(state.currentStateAll, [room, type]),
      lastChange: bind(state.lastChange),
      pointBefore: bind(state.pointBefore),
      pointsBefore: bind(state.pointsBefore),
      anyBranched: bind(state.anyBranched),
      replaced: bind(state.stateReplaced),
      at: bind(state.stateAt),
      eventsAt: (room, point, exceptType) => read(state.stateEventsAt, [room, point, exceptType]),
      someMembers: bind(state.someMembers),
      turns: bind(stateTurns),
      textAt: bind(stateTextAt),
      fullAt: async (room, point) => unpackState(await read(packedStateAt, [room, point])),
      difference: bind(state.stateDifference),
    },
    accounts: {
      byUser: bind(accounts.accountByUser),
      byUserFolded: bind(accounts.accountFolded),
      any: bind(accounts.anyAccount),
      count: bind(accounts.accountCount),
      devices: bind(accounts.devicesOf),
      device: bind(accounts.deviceOf),
      token: bind(accounts.tokenByDigest),
      registrationToken: bind(accounts.registrationToken),
      unusedAdminToken: bind(accounts.unusedAdminToken),
      profile: bind(accounts.profileOf),
      uia: bind(accounts.uiaSession),
    },
    accountData: {
      get: bind(data.accountDataGet),
      size: bind(data.accountDataSize),
      since: bind(data.accountDataSince),
      ofType: bind(data.accountDataOfType),
      ofRooms: bind(data.accountDataOfRooms),
      filter: bind(data.filterById),
    },
    push: {
      user: bind(push.pushUser),
      followers: bind(push.followersOf),
      countedRooms: bind(push.countedRooms),
      threadOf: bind(push.threadOfEvent),
      counts: bind(push.pushCounts),
      countsToKeep: bind(push.pushCountsToKeep),
      countsOfRooms: bind(pushCountsOfRooms),
      notifications: bind(notificationList),
      pushers: bind(push.pushersOf),
      queued: bind(push.queuedPushes),
    },
    receipts: {
      ofUser: bind(receipts.receiptsOfUser),
      since: bind(receipts.receiptsSince),
      newest: bind(receipts.newestReceipts),
      latest: bind(receipts.latestReceipts),
    },
    search: {
      status: bind(search.searchStatus),
      missing: bind(search.searchMissing),
      find: bind(search.searchFind),
    },
    roomFacts: { of: bind(roomFactsOf) },
    people: people.bindPeople(bind),
    keys: bindKeys(bind),
    many: bindMany(bind),
    usage: bindUsage(bind),
    directory: {
      alias: bind(directory.aliasByName),
      aliases: bind(directory.aliasesByName),
      aliasesOf: bind(directory.aliasesOf),
      isPublished: bind(directory.isPublished),
      published: bind(directory.published),
      publishedCount: bind(directory.publishedCount),
    },
    reports: { byNid: bind(reportByNid), page: bind(reportPage) },
    toDevice: bindToDevice(bind),
    backups: bindBackups(bind),
    dehydrated: { of: bind(dehydratedOf) },
    delayed: { byId: bind(delayedById), ofUser: bind(delayedOfUser) },
    jobs: { due: bind(data.jobsDue), next: bind(data.jobsNext) },
  }
}
