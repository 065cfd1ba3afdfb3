/** Applies groups of plans on the one connection that writes: one transaction and one fsync for the whole group. */
import { StoreError } from '#/base/store-error.ts'
import type { Change, Plan } from '#/ports/store/plan.ts'
import type { Faults } from '../faults.ts'
import { POSITIONS_RESERVED } from '../limits.ts'
import { putMeta } from '../migrations/index.ts'
import { GuardFailed, Interned, Known, PlanContext } from '../ops/context.ts'
import { foreseeTxns } from '../ops/events.ts'
import { applyPlan } from '../ops/interpreter.ts'
import { writeTails } from '../ops/state-log.ts'
import { type GroupOutcome, type PlanOutcome, planFailure } from '../outcome.ts'
import type { Row, Statement } from '../sql/sql.ts'
import { runSync } from '../sql/sql.ts'
import type { Connection } from './connection.ts'

/** SQLite's primary result codes that mean the disk, not the statement. */
const SQLITE_IOERR = 10
const SQLITE_FULL = 13
const SQLITE_IOERR_FSYNC = 1034
const SQLITE_IOERR_DIR_FSYNC = 1290

const BEGIN: Statement = { text: 'BEGIN IMMEDIATE', params: [] }
const COMMIT: Statement = { text: 'COMMIT', params: [] }

export class WriterCore {
  readonly #connection: Connection
  readonly #interned = new Interned()
  readonly #known = new Known()
  readonly #faults: Faults | undefined
  #position: number
  /**
   * What the database says of it: ahead by a block of numbers, so that few groups write it. A new start goes on from
   * there, above all that was ever told, by groups that failed as well; numbers that nothing has mean nothing.
   */
  #reserved: number

  constructor(connection: Connection, position: number, faults?: Faults) {
    this.#connection = connection
    this.#position = position
    this.#reserved = position
    this.#faults = faults
  }

  readonly #source = { next: () => ++this.#position }

  get position(): number {
    return this.#position
  }

  /** As `applyBatches`, for one batch. */
  applyGroup(plans: readonly Plan[]): GroupOutcome {
    return this.applyBatches([plans])[0]!
  }

  /**
   * Applies all plans in order and commits once. A guard or an error of one plan undoes that plan alone.
   * Each batch gets its own outcome: its changes, and the position after its last plan, so that whoever is told of
   * a batch before the next one does not take the next one's positions for read.
   * Throws a StoreError when the group as a whole could not be committed; then nothing of it was written.
   */
  applyBatches(batches: readonly (readonly Plan[])[]): GroupOutcome[] {
    const before = this.#position
    this.#known.deferred = true
    let groups = this.#attempt(batches, (plan, changes) => this.#applyBare(plan, changes))
    if (groups === undefined) {
      /* Some plan was refused: once more, with a savepoint around each. Most groups have no such plan. */
      this.#position = before
      this.#known.deferred = false
      groups = this.#attempt(batches, (plan, changes) => this.#applySaved(plan, changes))
      if (groups === undefined) throw new StoreError('invalid', 'a plan failed outside of its savepoint')
    }
    this.#faults?.('committed')
    if (this.#interned.overfull) this.#interned.clear()
    return groups
  }

  /** One transaction over all batches; undefined when a plan was refused, and nothing was written. */
  #attempt(
    batches: readonly (readonly Plan[])[],
    apply: (plan: Plan, changes: Change[]) => PlanOutcome,
  ): GroupOutcome[] | undefined {
    const db = this.#connection.db
    try {
      this.#connection.execute(BEGIN)
      this.#known.begin()
      if (this.#known.deferred) runSync(foreseeTxns(this.#known, batches.flat()), this.#execute)
      const groups = batches.map((plans) => {
        const changes: Change[] = []
        const outcomes = plans.map((plan) => apply(plan, changes))
        return { outcomes, changes, position: this.#position }
      })
      runSync(writeTails(this.#known), this.#execute)
      const reserved = this.#position <= this.#reserved ? this.#reserved : this.#position + POSITIONS_RESERVED
      if (reserved !== this.#reserved) this.#connection.run(putMeta('position', String(reserved)))
      this.#faults?.('commit')
      this.#connection.execute(COMMIT)
      this.#reserved = reserved
      return groups
    } catch (error) {
      this.#interned.clear()
      this.#known.clear()
      if (db.isTransaction) db.exec('ROLLBACK')
      if (error instanceof Refused) return undefined
      throw storeError(error)
    }
  }

  #applyBare(plan: Plan, changes: Change[]): PlanOutcome {
    try {
      return this.#run(plan, changes)
    } catch (error) {
      if (isDiskError(error)) throw error
      throw new Refused()
    }
  }

  #applySaved(plan: Plan, changes: Change[]): PlanOutcome {
    this.#connection.execute({ text: 'SAVEPOINT plan', params: [] })
    try {
      const outcome = this.#run(plan, changes)
      this.#connection.execute({ text: 'RELEASE plan', params: [] })
      return outcome
    } catch (error) {
      if (isDiskError(error)) throw error
      this.#connection.execute({ text: 'ROLLBACK TO plan', params: [] })
      this.#connection.execute({ text: 'RELEASE plan', params: [] })
      this.#interned.clear()
      this.#known.clear()
      if (error instanceof GuardFailed) return { ok: false, ...error.conflict }
      return planFailure(error)
    }
  }

  #run(plan: Plan, changes: Change[]): PlanOutcome {
    const ctx = new PlanContext(this.#source, this.#interned, this.#known, this.#execute)
    const results = runSync(applyPlan(ctx, plan), this.#execute)
    for (const change of ctx.changes) changes.push(change)
    return { ok: true, results, position: ctx.position === 0 ? this.#position : ctx.position }
  }

  readonly #execute = (statement: Statement): Row[] => {
    this.#faults?.('statement')
    return this.#connection.execute(statement)
  }
}

/** Ends an attempt without savepoints: some plan of the group was refused. */
class Refused extends Error {}

/** Thrown by fault points to stand for the disk. */
export class DiskFault extends Error {
  readonly errcode: number
  constructor(errcode: number) {
    super('injected disk fault')
    this.errcode = errcode
  }
}

function errcodeOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0
}

function isDiskError(error: unknown): boolean {
  const primary = errcodeOf(error) & 0xff
  return primary === SQLITE_IOERR || primary === SQLITE_FULL
}

/** A failed fsync leaves it unknown what is on disk; only a new start reads the truth. */
export function isFsyncFailure(error: unknown): boolean {
  const code = errcodeOf(error instanceof StoreError ? error.cause : error)
  return code === SQLITE_IOERR_FSYNC || code === SQLITE_IOERR_DIR_FSYNC
}

function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const message = error instanceof Error ? error.message : String(error)
  if ((errcodeOf(error) & 0xff) === SQLITE_FULL) {
    return new StoreError('unavailable', 'the disk is full', { cause: error })
  }
  return new StoreError('unavailable', `the database cannot be written: ${message}`, { cause: error })
}
