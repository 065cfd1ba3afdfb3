/** Virtual time: one ordered list of timers, and a record of all that could be observed. */
import { createHash } from 'node:crypto'
import type { Clock, Timer } from '#/base/world.ts'
import { SeededRng } from './seeded-rng.ts'

/** Milliseconds since the epoch at which every simulation begins. */
const BEGIN_TS = 1_750_000_000_000
/** Lines of the readable history that are kept. */
const HISTORY_LINES = 4000
/** Timers of one run; more means that something spins. */
export const STEPS_MAX = 200_000

/** What went wrong in a simulation. */
export class SimFailure extends Error {
  override readonly name = 'SimFailure'
}

interface Due {
  readonly at: number
  readonly order: number
  /** Undefined when it was cancelled. */
  run: (() => void) | undefined
}

export class SimWorld {
  readonly rng: SeededRng
  readonly #due: Due[] = []
  readonly #hash = createHash('sha256')
  readonly #history: string[] = []
  #time = 0
  /** By how much the wall clock is wrong. */
  clockOffset = 0
  #order = 0
  #steps = 0
  #failure: Error | undefined

  constructor(seed: string) {
    this.rng = new SeededRng(seed)
  }

  /** Milliseconds since the begin. */
  get time(): number {
    return this.#time
  }

  get steps(): number {
    return this.#steps
  }

  readonly clock: Clock = {
    now: () => BEGIN_TS + this.#time + this.clockOffset,
    monotonic: () => this.#time,
    after: (ms, fn) => this.after(ms, fn),
    defer: (fn) => void this.after(0, fn),
  }

  after(ms: number, run: () => void): Timer {
    const due: Due = { at: this.#time + Math.max(0, ms), order: this.#order++, run }
    this.#push(due)
    return {
      cancel: () => {
        due.run = undefined
      },
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve)
    })
  }

  /** Ends the run with this failure. The first one counts. */
  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new SimFailure(String(error))
  }

  /** Writes down something observable: into the hash, and as a line for people. */
  note(line: string, more = ''): void {
    this.#hash.update(`${this.#time} ${line}\0${more}\n`)
    this.#history.push(`${String(this.#time).padStart(8)} ${line}`)
    if (this.#history.length > HISTORY_LINES) this.#history.splice(0, HISTORY_LINES / 2)
  }

  get history(): readonly string[] {
    return this.#history
  }

  traceHash(): string {
    return this.#hash.copy().digest('hex')
  }

  /**
   * Runs timers in order until `work` is done. Between two of them every microtask and every callback of Node ends.
   * Throws when something failed, when nothing is due although the work waits, or after STEPS_MAX timers.
   */
  async run<T>(work: Promise<T>): Promise<T> {
    const outcome: { value?: { result: T } } = {}
    work.then(
      (result) => {
        outcome.value = { result }
      },
      (error: unknown) => this.fail(error),
    )
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#failure) throw this.#failure
      if (outcome.value) return outcome.value.result
      const due = this.#pop()
      if (!due) throw new SimFailure('deadlock: nothing is due, and somebody waits')
      if (++this.#steps > STEPS_MAX) throw new SimFailure(`more than ${STEPS_MAX} steps`)
      this.#time = due.at
      due.run?.()
    }
  }

  /* A binary heap by time and order. */
  #push(due: Due): void {
    const heap = this.#due
    let at = heap.push(due) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(due, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = due
  }

  /** The next timer that was not cancelled. */
  #pop(): Due | undefined {
    for (;;) {
      const top = this.#due[0]
      const last = this.#due.pop()
      if (top === undefined || last === undefined) return undefined
      if (top !== last) this.#sink(last)
      if (top.run) return top
    }
  }

  #sink(due: Due): void {
    const heap = this.#due
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, due)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = due
  }
}

function before(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
