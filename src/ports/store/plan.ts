/**
 * A write is a plan: a list of typed operations, some of which are guards. The store applies a plan whole or not at
 * all. Making a plan has no side effects, so after a conflict the service reads again and makes another one.
 * See docs/decisions/0001-write-path.md.
 */

import type { AccountDataOp } from './account-data.ts'
import type { AccountOp } from './accounts.ts'
import type { BackupOp } from './backups.ts'
import type { DehydratedOp } from './dehydrated.ts'
import type { DelayedOp } from './delayed.ts'
import type { DirectoryOp } from './directory.ts'
import type { EventOp, EventRow } from './events.ts'
import type { JobOp } from './jobs.ts'
import type { KeyOp } from './keys.ts'
import type { PeopleOp } from './people.ts'
import type { CountedEvent, PushOp } from './push.ts'
import type { ReceiptOp, ReceiptRow } from './receipts.ts'
import type { RelationOp } from './relations.ts'
import type { ReportOp } from './reports.ts'
import type { RoomFactsOp } from './room-facts.ts'
import type { OpenedMember, RoomOp } from './rooms.ts'
import type { SearchOp } from './search.ts'
import type { StateOp } from './state.ts'
import type { ThreadSubscriptionOp } from './thread-subscriptions.ts'
import type { ToDeviceOp } from './to-device.ts'
import type { UsageOp } from './usage.ts'

export type Op =
  | AccountDataOp
  | AccountOp
  | BackupOp
  | DehydratedOp
  | DelayedOp
  | DirectoryOp
  | EventOp
  | JobOp
  | KeyOp
  | PeopleOp
  | PushOp
  | ReceiptOp
  | RelationOp
  | ReportOp
  | RoomFactsOp
  | RoomOp
  | SearchOp
  | StateOp
  | ThreadSubscriptionOp
  | ToDeviceOp
  | UsageOp

export interface Plan {
  /** Plans with the same lane are applied in the order of `commit` calls. A room id or a user id. */
  readonly lane: string
  readonly ops: readonly Op[]
}

/**
 * What moved in a commit, for whoever waits on a stream: positions, never content. A `counts` change is none that clients
 * hear of: what is unread must be counted anew in the room, or for the user, or for the user in that room; with neither
 * for everybody everywhere.
 */
export interface Change {
  readonly stream:
    | 'events'
    | 'account_data'
    | 'profile'
    | 'devices'
    | 'receipts'
    | 'thread_subscriptions'
    | 'device_lists'
    | 'one_time_keys'
    | 'to_device'
    | 'rooms'
    | 'counts'
  readonly position: number
  /** Room of an `events` or `receipts` change, and of room account data. */
  readonly room?: number
  /** User of an `account_data`, `profile`, `devices` or `receipts` change. */
  readonly user?: string
  /** The event itself where this process wrote it; anyone else reads it by its position. */
  readonly event?: EventRow
  /** Of a member event by which nobody came or went, as when it brings a new name. */
  readonly sameMembers?: true
  /** How that event counts; absent where it does not. */
  readonly counted?: CountedEvent
  /** Rooms in which the change of somebody's device list is news; absent where it is news to the viewer alone. */
  readonly rooms?: readonly number[]
  readonly viewer?: string
  /** Device of a `to_device` or `one_time_keys` change; of the latter, whether others claimed keys of it. */
  readonly device?: string
  readonly claimed?: true
  /** The receipt itself, of a `receipts` change. */
  readonly receipt?: ReceiptRow
  /** Of a `rooms` change: a room came into sight, with these members of this server. */
  readonly opened?: { readonly roomId: string; readonly members: readonly OpenedMember[] }
}

/** Why a plan was refused. Nothing of it was written. */
export interface Conflict {
  readonly conflict: /** The room's head moved since the plan was made. */
    | 'head'
    /** The transaction id was used before; `value` is the event id it gave. */
    | 'txn'
    /** A name (user id, alias, token, device) is taken or already used up. */
    | 'taken'
    /** A row that the plan expects is not there any more. */
    | 'gone'
    /** The account that acts was deactivated. */
    | 'deactivated'
    /** There are too many already. */
    | 'full'
    /** The profile says something else by now. */
    | 'profile'
    /** The same annotation is there already. */
    | 'duplicate'
    /** The user has unsubscribed since what an automatic subscription was made for. */
    | 'unsubscribed'
  readonly value?: string
}

export type CommitResult =
  | {
      readonly ok: true
      /** One result per operation, in order; `undefined` or `null` where the operation has none. */
      readonly results: readonly unknown[]
      /** Every stream position of this plan is at or below it. */
      readonly position: number
    }
  | ({ readonly ok: false } & Conflict)
