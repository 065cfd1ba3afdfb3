/** A world whose time stands still until a test moves it. */
import { type Clock, realWorld, type World } from '#/base/world.ts'

interface Due {
  readonly at: number
  readonly run: () => void
}

export class ManualWorld implements World {
  readonly rng = realWorld.rng
  /** Milliseconds since the epoch. */
  time = 1_700_000_000_000
  readonly #due = new Set<Due>()

  /** Timers of less than this many milliseconds are real: a store gathers its writes for a moment. */
  readonly #realBelowMs: number

  constructor(realBelowMs = 0) {
    this.#realBelowMs = realBelowMs
  }

  protected readonly stillClock: Clock = {
    now: () => this.time,
    monotonic: () => this.time,
    after: (ms, run) => {
      if (ms < this.#realBelowMs) return realWorld.clock.after(ms, run)
      const due = { at: this.time + ms, run }
      this.#due.add(due)
      return { cancel: () => void this.#due.delete(due) }
    },
    defer: (fn) => void setImmediate(fn),
  }

  readonly clock: Clock = this.stillClock

  /** Resolves when nothing is asked of the store; to be set by who opens one that answers from another process. */
  rests: (() => Promise<void>) | undefined

  /** Milliseconds until the next timer. */
  get next(): number | undefined {
    const times = [...this.#due].map((due) => due.at)
    return times.length === 0 ? undefined : Math.min(...times) - this.time
  }

  /** Moves the time on, runs the timers on the way in their order, and lets what they started come to rest. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms
    await this.#settle()
    for (;;) {
      const next = [...this.#due].filter((due) => due.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#due.delete(next)
      this.time = Math.max(this.time, next.at)
      next.run()
      await this.#settle()
    }
    this.time = end
  }

  /* What comes back from the store may ask it for more. */
  async #settle(): Promise<void> {
    await settle()
    for (let i = 0; this.rests && i < 2; i++) {
      await this.rests()
      await settle()
    }
  }
}

/** Some turns of the event loop: enough for work that waits for nothing but itself. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Pauses shorter than this are turns of the event loop: a store in this process pauses between its groups. */
const PAUSE_MS = 5

/** The same for a whole server with its store. */
export class ServerWorld extends ManualWorld {
  override readonly clock: Clock = this.#withPauses()

  #withPauses(): Clock {
    const still = this.stillClock
    return {
      ...still,
      after: (ms, run) => {
        if (ms >= PAUSE_MS) return still.after(ms, run)
        const turn = setImmediate(run)
        return { cancel: () => clearImmediate(turn) }
      },
    }
  }

  /** Also lets what was started reach the disk. */
  override async pass(ms: number): Promise<void> {
    await super.pass(ms)
    for (let i = 0; i < 10; i++) {
      await this.rests?.()
      await settle()
    }
  }
}
