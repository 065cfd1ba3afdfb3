/**
 * Applies a batch of plans in one transaction. First without savepoints and with the lanes of the batch side by side,
 * so that the connection is never idle for one plan's answer; only when a plan fails after it has written is all
 * undone and each plan applied alone inside a savepoint.
 */
import type { Change, Plan } from '#/ports/store/plan.ts'
import { GuardFailed, type Interned, Known, PlanContext } from '../ops/context.ts'
import { foreseeTxns } from '../ops/events.ts'
import { applyPlan } from '../ops/interpreter.ts'
import { internKeys } from '../ops/state.ts'
import { writeTails } from '../ops/state-log.ts'
import { type GroupOutcome, type PlanOutcome, planFailure } from '../outcome.ts'
import type { Row, Sql, Statement } from '../sql/sql.ts'
import { CommitInDoubt, isPlanError, isShutdown, messageOf } from './errors.ts'
import type { PositionBlock } from './positions.ts'
import type { Session } from './session.ts'

export interface BatchInput {
  readonly plans: readonly Plan[]
  readonly block: PositionBlock
  /** Interned ids of the connection; cleared when anything is rolled back. */
  readonly interned: Interned
}

/** Raised inside the fast way when a plan must be undone. */
class MustUndo {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

const statement = (text: string): Statement => ({ text, params: [] })
const BEGIN = statement('BEGIN ISOLATION LEVEL READ COMMITTED')
const XID = statement('SELECT CAST(pg_current_xact_id() AS TEXT) AS xid')
const COMMIT = statement('COMMIT')
const ROLLBACK = statement('ROLLBACK')
const SAVEPOINT = statement('SAVEPOINT plan')
const RELEASE = statement('RELEASE SAVEPOINT plan')
const UNDO = statement('ROLLBACK TO SAVEPOINT plan')

/**
 * Applies the plans and commits once. Throws CommitInDoubt when the connection broke in the commit, any other error
 * when nothing was written.
 */
export async function applyBatch(session: Session, input: BatchInput): Promise<GroupOutcome> {
  const batch = new Batch(session, input)
  try {
    const outcomes = await batch.together()
    return await batch.commit(outcomes)
  } catch (error) {
    await batch.rollback()
    if (!(error instanceof MustUndo)) throw error
    if (input.plans.length === 1) return batch.alone(error.error)
  }
  try {
    const outcomes = await batch.oneByOne()
    return await batch.commit(outcomes)
  } catch (error) {
    await batch.rollback()
    throw error instanceof MustUndo ? error.error : error
  }
}

class Batch {
  readonly #session: Session
  readonly #input: BatchInput
  readonly #known = new Known()
  #contexts: PlanContext[] = []
  #xid: Promise<Row[]> | undefined

  constructor(session: Session, input: BatchInput) {
    this.#session = session
    this.#input = input
  }

  #context(): PlanContext {
    return new PlanContext(this.#input.block, this.#input.interned, this.#known, this.#session.tell)
  }

  #begin(deferred: boolean): void {
    this.#session.failure = undefined
    this.#known.clear()
    this.#known.deferred = deferred
    this.#input.block.reset()
    this.#contexts = this.#input.plans.map(() => this.#context())
    this.#session.tell(BEGIN)
    this.#xid = this.#session.ask(XID)
    /* Its error is raised where it is awaited; until then it must not count as unhandled. */
    this.#xid.catch(() => {})
  }

  /** The fast way: lanes side by side, plans of one lane one after the other. */
  async together(): Promise<PlanOutcome[]> {
    const { plans } = this.#input
    this.#begin(true)
    if (plans.length > 1) {
      try {
        await drive(this.#session, this.#foresee(), { wrote: false })
      } catch (error) {
        throw this.#undoOr(error)
      }
    }
    const lanes = new Map<string, number[]>()
    for (const [index, plan] of plans.entries()) {
      const lane = lanes.get(plan.lane)
      if (lane) lane.push(index)
      else lanes.set(plan.lane, [index])
    }
    const outcomes: PlanOutcome[] = []
    let stopped = false
    const runs = [...lanes.values()].map(async (indexes) => {
      try {
        for (const index of indexes) {
          if (stopped) return
          outcomes[index] = await this.#attempt(index)
        }
      } catch (error) {
        stopped = true
        throw error
      }
    })
    const ends = await Promise.allSettled(runs)
    if (this.#session.failure) throw this.#undoOr(this.#session.failure)
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    await drive(this.#session, writeTails(this.#known), { wrote: false })
    return outcomes
  }

  /** Asks at once what the plans would ask one after the other. */
  *#foresee(): Sql<void> {
    const { plans } = this.#input
    const changes = plans.flatMap(({ ops }) =>
      ops.flatMap((op) => (op.op === 'state.change' ? op.changes : [])),
    )
    yield* internKeys(this.#context(), changes)
    yield* foreseeTxns(this.#known, plans)
  }

  async #attempt(index: number): Promise<PlanOutcome> {
    const effect = { wrote: false }
    try {
      return this.#done(
        index,
        await drive(this.#session, applyPlan(this.#contexts[index]!, this.#input.plans[index]!), effect),
      )
    } catch (error) {
      if (error instanceof GuardFailed && !effect.wrote && !this.#contexts[index]!.told) {
        this.#contexts[index] = this.#context()
        return { ok: false, ...error.conflict }
      }
      throw this.#undoOr(error)
    }
  }

  #undoOr(error: unknown): unknown {
    return error instanceof GuardFailed || isPlanError(error) ? new MustUndo(error) : error
  }

  #done(index: number, results: readonly unknown[]): PlanOutcome {
    const position = this.#contexts[index]!.position
    return { ok: true, results, position: position === 0 ? this.#input.block.start : position }
  }

  /** The slow way: a savepoint for each plan. */
  async oneByOne(): Promise<PlanOutcome[]> {
    this.#begin(false)
    const outcomes: PlanOutcome[] = []
    for (const index of this.#input.plans.keys()) {
      this.#session.tell(SAVEPOINT)
      const plan = this.#input.plans[index]!
      try {
        const results = await drive(this.#session, applyPlan(this.#contexts[index]!, plan), { wrote: false })
        await this.#session.ask(RELEASE)
        if (this.#session.failure) throw this.#session.failure
        outcomes.push(this.#done(index, results))
      } catch (caught) {
        const error = this.#session.failure ?? caught
        if (!(error instanceof GuardFailed) && !isPlanError(error)) throw error
        this.#session.failure = undefined
        this.#contexts[index] = this.#context()
        this.#input.interned.clear()
        this.#known.clear()
        this.#session.tell(UNDO)
        this.#session.tell(RELEASE)
        outcomes.push(outcomeOf(error))
      }
    }
    return outcomes
  }

  /** A batch of one plan that failed needs no second run to know which plan it was. */
  alone(error: unknown): GroupOutcome {
    return { outcomes: [outcomeOf(error)], changes: [], position: this.#input.block.start }
  }

  async commit(outcomes: readonly PlanOutcome[]): Promise<GroupOutcome> {
    const session = this.#session
    const summary = this.#summary(outcomes)
    /* Known before the commit is sent, so that a commit that nobody answered can be asked about. */
    const xid = (await this.#xid)?.[0]?.xid as string
    if (session.failure) throw this.#undoOr(session.failure)
    try {
      await session.ask(COMMIT)
    } catch (error) {
      if (session.lost || isShutdown(error)) throw new CommitInDoubt(xid, summary, error)
      throw error
    }
    /* A commit after a failed statement rolls back and reports no error of its own. */
    if (session.failure) throw this.#undoOr(session.failure)
    return summary
  }

  #summary(outcomes: readonly PlanOutcome[]): GroupOutcome {
    const changes: Change[] = []
    for (const context of this.#contexts) for (const change of context.changes) changes.push(change)
    return { outcomes, changes, position: this.#input.block.end }
  }

  async rollback(): Promise<void> {
    this.#input.interned.clear()
    if (this.#session.lost) return
    try {
      await this.#session.ask(ROLLBACK)
    } catch {
      /* The error that led here is the one to report; a connection that cannot roll back is of no use. */
      await this.#session.end()
    }
  }
}

function outcomeOf(error: unknown): PlanOutcome {
  if (error instanceof GuardFailed) return { ok: false, ...error.conflict }
  return { ...planFailure(error), failed: messageOf(error) }
}

const SELECTS = /^\s*SELECT\b/
const RETURNS = /\bRETURNING\b/

interface TextKind {
  readonly answers: boolean
  readonly reads: boolean
}
const kinds = new Map<string, TextKind>()

/* Texts are our own and few; lists of placeholders of many lengths are the reason for a limit. */
const KINDS_MAX = 2000

function kindOf(text: string): TextKind {
  let kind = kinds.get(text)
  if (!kind) {
    if (kinds.size >= KINDS_MAX) kinds.clear()
    const reads = SELECTS.test(text)
    kind = { reads, answers: reads || RETURNS.test(text) }
    kinds.set(text, kind)
  }
  return kind
}

/** Drives a computation; statements that give no rows are not waited for. */
async function drive<T>(session: Session, sql: Sql<T>, effect: { wrote: boolean }): Promise<T> {
  let step = sql.next()
  while (!step.done) {
    const { answers, reads } = kindOf(step.value.text)
    let rows: Row[] = []
    if (!answers) {
      effect.wrote = true
      session.tell(step.value)
    } else {
      try {
        rows = await session.ask(step.value)
      } catch (error) {
        /* A write that was not waited for may be the cause of what followed. */
        step = sql.throw(session.failure ?? error)
        continue
      }
      if (!reads && rows.length > 0) effect.wrote = true
    }
    step = sql.next(rows)
  }
  return step.value
}
