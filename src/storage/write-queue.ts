/** Plans that wait for the writer, in order, and what is told when a group is on disk. */
import { Slices } from '#/base/async/slices.ts'
import { StoreError } from '#/base/store-error.ts'
import type { Clock, Timer } from '#/base/world.ts'
import type { CommitResult, Plan } from '#/ports/store/plan.ts'
import type { Announcer } from './announcer.ts'
import { ANSWERS_PER_TURN, GATHER_MS, GATHER_PLANS_MAX, GROUP_PLANS_MAX, QUEUED_PLANS_MAX } from './limits.ts'
import type { GroupOutcome } from './outcome.ts'
import { settleAll, type Waiting } from './waiting.ts'
import { withEvents } from './written-events.ts'

export interface GroupWriter {
  apply(plans: readonly Plan[]): Promise<GroupOutcome>
  readonly depth: number
}

export class WriteQueue {
  readonly #writer: GroupWriter
  readonly #clock: Clock
  readonly #announcer: Announcer
  readonly #onFatal: (error: Error) => void
  readonly #answers: Slices
  #queue: Waiting[] = []
  #underWay = 0
  #scheduled = false
  #closed = false
  #idle: (() => void) | undefined
  /** Plans that the next group waits for, for a moment: as many as were there in the last round. */
  #wanted = 0
  #gathering: Timer | undefined

  constructor(writer: GroupWriter, clock: Clock, announcer: Announcer, onFatal: (error: Error) => void) {
    this.#writer = writer
    this.#clock = clock
    this.#announcer = announcer
    this.#onFatal = onFatal
    this.#answers = new Slices(clock, ANSWERS_PER_TURN)
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

  /** Refuses new plans and resolves when those that wait are done. */
  async close(): Promise<void> {
    this.#closed = true
    this.#wanted = 0
    this.#schedule()
    if (this.#underWay === 0 && this.#queue.length === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }

  /*
   * Plans made in one turn of the event loop travel together. Beyond that, senders who were just answered are given a
   * moment to write again: a group costs several system calls and an fsync whether one plan is in it or thirty. Who
   * writes alone never waits.
   */
  #schedule(): void {
    if (this.#scheduled || this.#underWay >= this.#writer.depth) return
    if (this.#queue.length < this.#wanted) {
      this.#gathering ??= this.#clock.after(GATHER_MS, () => {
        this.#wanted = 0
        this.#schedule()
      })
      return
    }
    this.#scheduled = true
    this.#gathering?.cancel()
    this.#gathering = undefined
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
    this.#wanted = Math.min(GATHER_PLANS_MAX, group.length + this.#queue.length)
    this.#announcer.works()
    this.#announcer.moveTo(outcome.position)
    settleAll(group, outcome.outcomes, this.#answers)
    this.#announcer.tell(withEvents(outcome.changes, group, outcome.outcomes))
    this.#done()
  }

  #fail(group: Waiting[], error: Error): void {
    this.#announcer.broke(error.message)
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
