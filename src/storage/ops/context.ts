/** What operations of one plan share while they are applied. */
import { StoreError } from '#/base/store-error.ts'
import type { EventOp, EventRef, RoomRef } from '#/ports/store/events.ts'
import type { Change, Conflict } from '#/ports/store/plan.ts'
import { INTERNED_MAX } from '../limits.ts'
import type { SqlValue, Statement } from '../sql/sql.ts'

/** Thrown by a guard; the plan is rolled back and the conflict is the result. */
export class GuardFailed {
  readonly conflict: Conflict
  constructor(conflict: Conflict) {
    this.conflict = conflict
  }
}

/** Gives out row ids and stream positions, ever greater. */
export interface PositionSource {
  next(): number
}

/** The newest state changes of a branch, packed. */
export interface Tail {
  readonly room: number
  readonly branch: number
  readonly entries: number
  /** Positions of its first and last change. */
  readonly since: number
  readonly upto: number
  readonly data: Uint8Array
  /** Whether the database has it like this. */
  readonly stored: boolean
}

/** Ids that a connection has met, and what else it need not read again. Cleared when anything is rolled back. */
export class Interned extends Map<string, number> {
  /** Events in the tail of a room's search index, or that it has none. */
  readonly searchTails = new Map<number, number>()
  /** Segments of a room's search index that are still to come before any can be merged. */
  readonly searchMergeIn = new Map<number, number>()
  /** Whether messages are indexed. */
  searchActive: boolean | undefined

  get overfull(): boolean {
    return this.size + this.searchTails.size > INTERNED_MAX
  }

  override clear(): void {
    super.clear()
    this.searchTails.clear()
    this.searchMergeIn.clear()
    this.searchActive = undefined
  }
}

/**
 * What is known in a transaction without asking the database again, and what is to be written at its end. Forgotten
 * whenever anything is rolled back.
 */
export class Known {
  /** Tails of the state log, by room and branch; those that changed are written once, after the last change. */
  readonly tails = new Map<string, Tail>()
  /** Whether the tails wait for the end of the transaction; else they are written with each plan. */
  deferred = false
  /**
   * Sequence of a room's head after the moves made in this transaction, which has locked the row until its end, or by
   * the only one who writes.
   */
  readonly heads = new Map<number, number>()
  /** Totals of the newest event in a room's main thread. */
  readonly mainTotals = new Map<number, Uint8Array>()
  /** Hashes of transaction ids that nobody has used. */
  readonly newTxns = new Set<number>()
  /** Hashes of the transaction ids of operations. */
  readonly txnHashes = new Map<EventOp, number>()

  /** A new transaction by the only one who writes: what was found and written before holds still. */
  begin(): void {
    this.tails.clear()
    this.newTxns.clear()
    this.txnHashes.clear()
    if (this.heads.size > INTERNED_MAX) this.heads.clear()
    if (this.mainTotals.size > INTERNED_MAX) this.mainTotals.clear()
  }

  clear(): void {
    this.begin()
    this.heads.clear()
    this.mainTotals.clear()
  }
}

export class PlanContext {
  readonly changes: Change[] = []
  readonly #source: PositionSource
  /** Interned ids, shared by all plans of a connection; cleared when anything is rolled back. */
  readonly interned: Interned
  readonly #tell: (statement: Statement) => void
  readonly #slots: number[] = []
  #room = 0
  /** The greatest position given out to this plan. */
  position = 0
  /** Position of the plan's newest event, at which its state changes take effect. */
  eventPosition = 0

  readonly known: Known

  /** Whether a statement was told. */
  told = false

  /** `tell` sends a statement that gives no rows, after all that was yielded before. */
  constructor(
    source: PositionSource,
    interned: Interned,
    known: Known,
    tell: (statement: Statement) => void,
  ) {
    this.#source = source
    this.interned = interned
    this.known = known
    this.#tell = tell
  }

  /**
   * Writes without waiting for an answer. For what every message does: a statement that is yielded passes through all
   * the generators between the operation and the driver, which costs as much as a small statement itself.
   */
  tell(text: string, ...params: SqlValue[]): void {
    this.told = true
    this.#tell({ text, params })
  }

  next(): number {
    this.position = this.#source.next()
    return this.position
  }

  newRoom(nid: number): void {
    this.#room = nid
  }

  room(ref: RoomRef): number {
    if (ref !== 'new') return ref
    if (this.#room === 0) throw new StoreError('invalid', 'the plan names a new room before it creates one')
    return this.#room
  }

  setSlot(slot: number, nid: number): void {
    this.#slots[slot] = nid
  }

  event(ref: EventRef): number {
    if ('nid' in ref) return ref.nid
    const nid = this.#slots[ref.slot]
    if (nid === undefined)
      throw new StoreError('invalid', `the plan names event slot ${ref.slot} before it is filled`)
    return nid
  }
}
