/** Plans that wait for the writer, in order, and what is told when a group is on disk. */
import { StoreError } from '#/base/store-error.ts'
import type { Clock } from '#/base/world.ts'
import type { Change, CommitResult, Plan } from '#/ports/store/plan.ts'
import type { StoreHealth } from '#/ports/store/store.ts'
import { GROUP_PLANS_MAX, QUEUED_PLANS_MAX } from './limits.ts'
import type { GroupOutcome, PlanOutcome } from './sqlite/writer-core.ts'

interface Waiting {
  readonly plan: Plan
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: Error) => void
}

export interface GroupWriter {
  apply(plans: readonly Plan[]): Promise<GroupOutcome>
  readonly depth: number
}

export type ChangeListener = (changes: readonly Change[], position: number) => void

export class WriteQueue {
  readonly #writer: GroupWriter
  readonly #clock: Clock
  readonly #onFatal: (error: Error) => void
  readonly #listeners = new Set<ChangeListener>()
  #queue: Waiting[] = []
  #underWay = 0
  #scheduled = false
  #closed = false
  #broken: string | undefined
  #idle: (() => void) | undefined
  position: number

  constructor(writer: GroupWriter, clock: Clock, position: number, onFatal: (error: Error) => void) {
    this.#writer = writer
    this.#clock = clock
    this.position = position
    this.#onFatal = onFatal
  }

  commit(plan: Plan): Promise<CommitResult> {
    if (this.#closed) return Promise.reject(new StoreError('closed', 'the store is closed'))
    if (this.#queue.length >= QUEUED_PLANS_MAX) {
      return Promise.reject(new StoreError('busy', 'too many writes wait for the disk'))
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ plan, resolve, reject })
      this.#schedule()
    })
  }

  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  health(): StoreHealth {
    return this.#broken === undefined ? { writable: true } : { writable: false, reason: this.#broken }
  }

  /** Refuses new plans and resolves when those that wait are done. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#underWay === 0 && this.#queue.length === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }

  /* Plans made in one turn of the event loop travel together. */
  #schedule(): void {
    if (this.#scheduled || this.#underWay >= this.#writer.depth) return
    this.#scheduled = true
    this.#clock.defer(() => {
      this.#scheduled = false
      this.#send()
    })
  }

  #send(): void {
    if (this.#queue.length === 0 || this.#underWay >= this.#writer.depth) return
    const group = this.#queue.length <= GROUP_PLANS_MAX ? this.#queue : this.#queue.slice(0, GROUP_PLANS_MAX)
    this.#queue = group === this.#queue ? [] : this.#queue.slice(GROUP_PLANS_MAX)
    this.#underWay++
    this.#writer.apply(group.map((waiting) => waiting.plan)).then(
      (outcome) => this.#settle(group, outcome),
      (error: Error) => this.#fail(group, error),
    )
    if (this.#queue.length > 0) this.#schedule()
  }

  #settle(group: Waiting[], outcome: GroupOutcome): void {
    this.#broken = undefined
    if (outcome.position > this.position) this.position = outcome.position
    for (const [index, waiting] of group.entries()) settleOne(waiting, outcome.outcomes[index])
    if (outcome.changes.length > 0) {
      for (const listener of this.#listeners) listener(outcome.changes, this.position)
    }
    this.#done()
  }

  #fail(group: Waiting[], error: Error): void {
    this.#broken = error.message
    for (const { reject } of group) reject(error)
    if (error.name === 'FatalStoreError') this.#onFatal(error)
    this.#done()
  }

  #done(): void {
    this.#underWay--
    if (this.#queue.length > 0) this.#schedule()
    else if (this.#underWay === 0) this.#idle?.()
  }
}

function settleOne(waiting: Waiting, outcome: PlanOutcome | undefined): void {
  if (outcome === undefined)
    waiting.reject(new StoreError('invalid', 'the writer gave no outcome for a plan'))
  else if ('failed' in outcome) waiting.reject(new StoreError('invalid', outcome.failed))
  else waiting.resolve(outcome)
}
