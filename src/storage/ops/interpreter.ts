/** Applies a plan: every operation in order, or none. One interpreter serves both engines. */
import type { Op, Plan } from '#/ports/store/plan.ts'
import type { Sql } from '../sql/sql.ts'
import {
  clearAccountData,
  deleteAccountData,
  purgeAccountData,
  putAccountData,
  putFilter,
} from './account-data.ts'
import * as accounts from './accounts.ts'
import * as backups from './backups.ts'
import type { PlanContext } from './context.ts'
import * as dehydrated from './dehydrated.ts'
import * as delayed from './delayed.ts'
import { deleteAlias, moveDirectory, publishRoom, putAlias } from './directory.ts'
import { claimTxn, insertEvent, redactEvent } from './events.ts'
import { finishJob, putJob, retryJob, sweep } from './jobs.ts'
import { KEY_HANDLERS } from './keys.ts'
import * as people from './people.ts'
import * as purge from './purge.ts'
import * as push from './push.ts'
import { clearReceipts, putReceipt } from './receipts.ts'
import { recountRoom } from './recount.ts'
import { guardUnique, indexRelation, putRelation } from './relations.ts'
import { deleteReport, putReport } from './reports.ts'
import { changeRoomFacts } from './room-facts.ts'
import { createRoom, deleteRoom, forgetRoom, moveHead, openRoom, setMembership } from './rooms.ts'
import { clearSearch, enableSearch, fillSearch, restartSearch } from './search.ts'
import { changeState, openBranch, setStatePoint } from './state.ts'
import { writeTails } from './state-log.ts'
import { subscribe, unsubscribe } from './thread-subscriptions.ts'
import * as toDevice from './to-device.ts'
import * as usage from './usage.ts'

type Handlers = {
  readonly [K in Op['op']]: (ctx: PlanContext, op: Extract<Op, { op: K }>) => Sql<unknown>
}

const HANDLERS: Handlers = {
  'event.insert': insertEvent,
  'event.redact': redactEvent,
  'event.txn': claimTxn,
  'relation.put': putRelation,
  'relation.index': indexRelation,
  'relation.unique': guardUnique,
  'thread.subscribe': subscribe,
  'thread.unsubscribe': unsubscribe,
  'room.create': createRoom,
  'room.open': openRoom,
  'room.head': moveHead,
  'room.membership': setMembership,
  'room.forget': forgetRoom,
  'room.delete': deleteRoom,
  'room.facts': changeRoomFacts,
  'alias.put': putAlias,
  'alias.delete': deleteAlias,
  'directory.move': moveDirectory,
  'directory.publish': publishRoom,
  'room.purge': purge.purgeRoom,
  'room.hide': purge.hideRoom,
  'room.clear': purge.clearRoom,
  'state.change': changeState,
  'state.branch': openBranch,
  'state.at': setStatePoint,
  'account.create': accounts.createAccount,
  'account.upgrade': accounts.upgradeGuest,
  'account.password': accounts.setPassword,
  'account.active': accounts.guardActive,
  'account.flags': accounts.setAccountFlags,
  'device.put': accounts.putDevice,
  'device.delete': accounts.deleteDevices,
  'device.seen': accounts.noteSeen,
  'token.put': accounts.putToken,
  'token.delete': accounts.deleteToken,
  'token.exchanged': accounts.markExchanged,
  'token.clear': accounts.clearTokens,
  'registration_token.put': accounts.putRegistrationToken,
  'registration_token.use': accounts.useRegistrationToken,
  'profile.put': accounts.putProfile,
  'profile.says': accounts.guardProfile,
  'uia.put': accounts.putUia,
  'uia.delete': accounts.deleteUia,
  'account_data.put': putAccountData,
  'account_data.delete': deleteAccountData,
  'account_data.purge': purgeAccountData,
  'account_data.clear': clearAccountData,
  'filter.put': putFilter,
  'receipt.put': putReceipt,
  'receipt.clear': clearReceipts,
  'push.rules': push.putPushRules,
  'push.custom': push.setCustom,
  'push.event': push.countEvent,
  'push.clear': push.clearPush,
  'push.recount': recountRoom,
  'pusher.put': push.putPusher,
  'pusher.delete': push.deletePusher,
  'job.put': putJob,
  'job.done': finishJob,
  'job.retry': retryJob,
  'job.sweep': sweep,
  'search.enable': enableSearch,
  'search.restart': restartSearch,
  'search.fill': fillSearch,
  'search.clear': clearSearch,
  ...people.HANDLERS,
  ...KEY_HANDLERS,
  ...toDevice.HANDLERS,
  ...backups.HANDLERS,
  ...dehydrated.HANDLERS,
  ...usage.HANDLERS,
  'report.put': putReport,
  'report.delete': deleteReport,
  'delayed.put': delayed.putDelayed,
  'delayed.restart': delayed.restartDelayed,
  'delayed.take': delayed.takeDelayed,
  'delayed.supersede': delayed.supersedeDelayed,
  'delayed.clear': delayed.clearDelayed,
}

/** One result per operation. Throws GuardFailed when a guard refuses. */
export function* applyPlan(ctx: PlanContext, plan: Plan): Sql<unknown[]> {
  const results: unknown[] = []
  for (const op of plan.ops) {
    const handler = HANDLERS[op.op] as (ctx: PlanContext, op: Op) => Sql<unknown>
    results.push(yield* handler(ctx, op))
  }
  if (!ctx.known.deferred) yield* writeTails(ctx.known)
  return results
}
