/**
 * Durable timed work. A job is a row; it runs at or after its time, at least once, also after a restart, so handlers
 * must do no harm when they run twice. A handler that throws is tried again later and later.
 */
import type { Log } from '#/base/log.ts'
import type { Timer, World } from '#/base/world.ts'
import type { JobRow } from '#/ports/store/jobs.ts'
import type { Store } from '#/ports/store/store.ts'
import { JOBS_AT_ONCE, JOBS_PER_LOOK, LOOK_MS_MAX, RETRY_MS_FIRST, RETRY_MS_MAX } from './limits.ts'

/** Does the work; returns the time (ms) of the next run of a repeating job, or nothing when it is done. */
export type JobHandler = (job: JobRow) => Promise<number | undefined>

export class JobScheduler {
  readonly #store: Store
  readonly #world: World
  readonly #log: Log
  readonly #handlers = new Map<string, JobHandler>()
  readonly #running = new Map<string, Promise<void>>()
  #timer: Timer | undefined
  #looking = false
  #again = false
  #closed = false

  constructor(deps: { store: Store; world: World; log: Log }) {
    this.#store = deps.store
    this.#world = deps.world
    this.#log = deps.log.child({ name: 'jobs' })
  }

  /** Names the handler of a kind. All are named before `start`. */
  handle(kind: string, handler: JobHandler): void {
    if (this.#handlers.has(kind)) throw new Error(`job kind ${kind} has two handlers`)
    this.#handlers.set(kind, handler)
  }

  /** Begins to look for due jobs. */
  start(): void {
    this.poke()
  }

  /** Looks now: a job was added. */
  poke(): void {
    if (this.#closed) return
    this.#timer?.cancel()
    if (this.#looking) {
      this.#again = true
      return
    }
    this.#looking = true
    void this.#look()
  }

  /** Starts nothing more and waits for what runs. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await Promise.all(this.#running.values())
  }

  async #look(): Promise<void> {
    let pause = LOOK_MS_MAX
    try {
      do {
        this.#again = false
        const now = this.#world.clock.now()
        /* Jobs of other kinds, of a newer release for example, must not stand in the way of these. */
        const kinds = [...this.#handlers.keys()]
        for (const job of await this.#store.jobs.due(now, JOBS_PER_LOOK, kinds)) this.#begin(job)
        const next = await this.#store.jobs.next(kinds)
        if (next !== undefined) pause = Math.min(LOOK_MS_MAX, Math.max(0, next - now))
      } while (this.#again && !this.#closed)
      /* A job that is due still found no place, and runs when one ends. */
      if (pause === 0) pause = RETRY_MS_FIRST
    } catch (error) {
      this.#log.error('cannot read the jobs', { error })
    }
    this.#looking = false
    if (!this.#closed) this.#timer = this.#world.clock.after(pause, () => this.poke())
  }

  #begin(job: JobRow): void {
    const name = `${job.kind}\0${job.key}`
    const handler = this.#handlers.get(job.kind)
    if (this.#closed || !handler || this.#running.has(name) || this.#running.size >= JOBS_AT_ONCE) return
    const run = this.#run(job, handler).finally(() => {
      this.#running.delete(name)
      this.poke()
    })
    this.#running.set(name, run)
  }

  async #run(job: JobRow, handler: JobHandler): Promise<void> {
    const { kind, key } = job
    try {
      const next = await handler(job)
      const op =
        next === undefined
          ? ({ op: 'job.done', kind, key, dueTs: job.dueTs } as const)
          : ({ op: 'job.put', kind, key, dueTs: next, data: job.data } as const)
      await this.#store.commit({ lane: 'jobs', ops: [op] })
    } catch (error) {
      this.#log.warn('a job failed and will be tried again', { kind, attempts: job.attempts + 1, error })
      await this.#retry(job)
    }
  }

  async #retry(job: JobRow): Promise<void> {
    const pause = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** Math.min(job.attempts, 20))
    const dueTs = this.#world.clock.now() + pause
    try {
      await this.#store.commit({
        lane: 'jobs',
        ops: [{ op: 'job.retry', kind: job.kind, key: job.key, dueTs }],
      })
    } catch (error) {
      this.#log.error('cannot put off a failed job; it stays due', { kind: job.kind, error })
    }
  }
}
