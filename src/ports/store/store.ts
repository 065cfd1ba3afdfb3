/** The store: one commit function for writes, readers by noun. Both engines keep the same contract (tests/contract). */
import type { AccountDataReader } from './account-data.ts'
import type { AccountReader } from './accounts.ts'
import type { BackupReader } from './backups.ts'
import type { DehydratedReader } from './dehydrated.ts'
import type { DelayedReader } from './delayed.ts'
import type { DirectoryReader } from './directory.ts'
import type { EventReader } from './events.ts'
import type { JobReader } from './jobs.ts'
import type { KeyReader } from './keys.ts'
import type { ManyReader } from './many.ts'
import type { PeopleReader } from './people.ts'
import type { Change, CommitResult, Plan } from './plan.ts'
import type { PushReader } from './push.ts'
import type { ReceiptReader } from './receipts.ts'
import type { RelationReader } from './relations.ts'
import type { ReportReader } from './reports.ts'
import type { RoomFactsReader } from './room-facts.ts'
import type { RoomReader } from './rooms.ts'
import type { SearchReader } from './search.ts'
import type { StateReader } from './state.ts'
import type { ThreadSubscriptionReader } from './thread-subscriptions.ts'
import type { ToDeviceReader } from './to-device.ts'
import type { UsageReader } from './usage.ts'

export interface Reader {
  readonly events: EventReader
  readonly relations: RelationReader
  readonly threadSubscriptions: ThreadSubscriptionReader
  readonly rooms: RoomReader
  readonly state: StateReader
  readonly accounts: AccountReader
  readonly accountData: AccountDataReader
  readonly receipts: ReceiptReader
  readonly push: PushReader
  readonly roomFacts: RoomFactsReader
  readonly jobs: JobReader
  readonly keys: KeyReader
  readonly many: ManyReader
  readonly search: SearchReader
  readonly people: PeopleReader
  readonly directory: DirectoryReader
  readonly reports: ReportReader
  readonly delayed: DelayedReader
  readonly toDevice: ToDeviceReader
  readonly backups: BackupReader
  readonly dehydrated: DehydratedReader
  readonly usage: UsageReader
}

export interface StoreHealth {
  readonly writable: boolean
  /** A sentence for the operator when something is wrong. */
  readonly reason?: string
}

export interface Store extends AsyncDisposable, Reader {
  /**
   * Applies a plan whole or not at all. Resolves when it is on disk (or refused by a guard).
   * Rejects with a StoreError when the engine failed; then nothing of the plan was written.
   */
  commit(plan: Plan): Promise<CommitResult>
  /** The newest position below which everything is committed and readable. */
  position(): number
  /** Number of this database's life; a restore from a backup starts a new one. */
  readonly epoch: number
  /** Calls `listener` after each group of commits is readable. Returns a function that stops it. */
  onChange(listener: (changes: readonly Change[], position: number) => void): () => void
  health(): StoreHealth
}
