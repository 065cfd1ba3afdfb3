/**
 * The connections that write. A plan's lane chooses its connection; each takes the plans that wait for it as one batch.
 * Answers and notices go out when nothing older is under way, so that whoever is answered can read what was written.
 */
import { Slices } from '#/base/async/slices.ts'
import { StoreError } from '#/base/store-error.ts'
import { sleep, type World } from '#/base/world.ts'
import type { CommitResult, Op, Plan } from '#/ports/store/plan.ts'
import type { Announcer } from '../announcer.ts'
import {
  ANSWERS_PER_TURN,
  BATCH_PLANS_MAX,
  BATCH_RETRIES_MAX,
  BATCH_RETRY_MS_MAX,
  QUEUED_PLANS_MAX,
} from '../limits.ts'
import { Interned } from '../ops/context.ts'
import type { GroupOutcome } from '../outcome.ts'
import { settleAll, type Waiting } from '../waiting.ts'
import { withEvents } from '../written-events.ts'
import { applyBatch } from './batch.ts'
import { CommitInDoubt, isRetryable, unavailable } from './errors.ts'
import { type PositionBlock, Positions, positionsOf, type Reserve } from './positions.ts'
import type { Session } from './session.ts'

export interface WriteLanesOptions {
  readonly connect: (onLost: (error: Error) => void) => Promise<Session>
  readonly reserve: Reserve
  /** Number of connections. */
  readonly writers: number
  /** Plans in one transaction at most; BATCH_PLANS_MAX by default. */
  readonly batchPlans?: number
  readonly world: World
  readonly announcer: Announcer
  /** The last position that was given out before. */
  readonly position: number
}

interface Writer {
  queue: Waiting[]
  session: Session | undefined
  readonly interned: Interned
  busy: boolean
  scheduled: boolean
}

/** A batch that is on disk but not told yet. */
interface Told {
  readonly block: PositionBlock
  readonly tell: () => void
}

const RECONNECT_MS = 500
const RECONNECT_MS_MAX = 10_000
const XACT_STATUS = 'SELECT pg_xact_status(CAST(CAST(?1 AS TEXT) AS xid8)) AS status'

export class WriteLanes {
  readonly #options: WriteLanesOptions
  readonly #answers: Slices
  readonly #writers: Writer[] = []
  readonly #positions: Positions
  #finished: Told[] = []
  #queued = 0
  #running = 0
  /* The writer that runs or waits to run a batch while no other does. */
  #alone: Writer | undefined
  #paused: string | undefined
  #closed = false
  #probing = false
  #idle: (() => void) | undefined

  constructor(options: WriteLanesOptions) {
    this.#options = options
    this.#answers = new Slices(options.world.clock, ANSWERS_PER_TURN)
    for (let i = 0; i < options.writers; i++) {
      this.#writers.push({
        queue: [],
        session: undefined,
        interned: new Interned(),
        busy: false,
        scheduled: false,
      })
    }
    this.#positions = new Positions(options.position, options.reserve)
  }

  commit(plan: Plan): Promise<CommitResult> {
    if (this.#closed) return Promise.reject(new StoreError('closed', 'the store is closed'))
    if (this.#paused !== undefined) return Promise.reject(new StoreError('unavailable', this.#paused))
    if (this.#queued >= QUEUED_PLANS_MAX) {
      return Promise.reject(new StoreError('busy', 'too many writes wait for the database'))
    }
    const writer = this.#writers[hash(plan.lane) % this.#writers.length]!
    return new Promise((resolve, reject) => {
      this.#queued++
      writer.queue.push({ plan, resolve, reject })
      this.#schedule(writer)
    })
  }

  /** Refuses plans, those that wait as well, until `resume`. */
  pause(reason: string): void {
    this.#paused = reason
    if (!this.#alone?.busy) this.#alone = undefined
    this.#options.announcer.broke(reason)
    for (const writer of this.#writers) {
      const group = writer.queue
      writer.queue = []
      this.#queued -= group.length
      for (const { reject } of group) reject(new StoreError('unavailable', reason))
    }
    this.#checkIdle()
  }

  resume(): void {
    this.#paused = undefined
    this.#options.announcer.works()
  }

  /** Refuses new plans and resolves when those that wait are done. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#running > 0 || this.#queued > 0 || this.#finished.length > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    for (const writer of this.#writers) await writer.session?.end()
  }

  /* Plans made in one turn of the event loop travel together. */
  #schedule(writer: Writer): void {
    if (writer.scheduled || writer.busy) return
    writer.scheduled = true
    this.#options.world.clock.defer(() => {
      writer.scheduled = false
      this.#start(writer)
    })
  }

  #start(writer: Writer): void {
    if (writer.busy || writer.queue.length === 0) return
    if (this.#alone && this.#alone !== writer) return
    let size = 1
    if (isExclusive(writer.queue[0]!.plan)) {
      this.#alone = writer
      if (this.#running > 0) return
    } else {
      const limit = Math.min(writer.queue.length, this.#options.batchPlans ?? BATCH_PLANS_MAX)
      while (size < limit && !isExclusive(writer.queue[size]!.plan)) size++
    }
    const group = writer.queue.slice(0, size)
    writer.queue = writer.queue.slice(size)
    writer.busy = true
    this.#running++
    void this.#run(writer, group)
  }

  async #run(writer: Writer, group: Waiting[]): Promise<void> {
    let block: PositionBlock | undefined
    try {
      const plans = group.map((waiting) => waiting.plan)
      let count = 0
      for (const plan of plans) count += positionsOf(plan)
      block = await this.#positions.take(count)
      const outcome = await this.#apply(writer, plans, block)
      this.#options.announcer.works()
      this.#finished.push({ block, tell: () => this.#tell(group, outcome) })
    } catch (error) {
      const failure = unavailable(error)
      this.#options.announcer.broke(failure.message)
      for (const { reject } of group) reject(failure)
      this.#probe()
    }
    if (block) this.#positions.done(block)
    this.#release(writer, group.length)
    this.#tellSettled()
    this.#checkIdle()
  }

  #release(writer: Writer, plans: number): void {
    if (writer.interned.overfull) writer.interned.clear()
    /* What was deleted alone may be interned on any connection. */
    if (this.#alone === writer) {
      for (const each of this.#writers) each.interned.clear()
      this.#alone = undefined
    }
    writer.busy = false
    this.#running--
    this.#queued -= plans
    for (const each of this.#writers) if (each.queue.length > 0) this.#schedule(each)
  }

  #tell(group: Waiting[], outcome: GroupOutcome): void {
    settleAll(group, outcome.outcomes, this.#answers)
    this.#options.announcer.tell(withEvents(outcome.changes, group, outcome.outcomes))
  }

  #tellSettled(): void {
    const settled = this.#positions.settled
    this.#options.announcer.moveTo(settled)
    const ready = this.#finished.filter(({ block }) => block.end <= settled)
    if (ready.length === 0) return
    this.#finished = this.#finished.filter(({ block }) => block.end > settled)
    for (const { tell } of ready.sort((a, b) => a.block.start - b.block.start)) tell()
  }

  #checkIdle(): void {
    if (this.#running === 0 && this.#queued === 0 && this.#finished.length === 0) this.#idle?.()
  }

  async #apply(writer: Writer, plans: readonly Plan[], block: PositionBlock): Promise<GroupOutcome> {
    for (let attempt = 0; ; attempt++) {
      const session = await this.#sessionOf(writer)
      try {
        return await applyBatch(session, { plans, block, interned: writer.interned })
      } catch (error) {
        if (error instanceof CommitInDoubt) {
          if (await this.#wasCommitted(error)) return error.outcome
          throw error
        }
        if (!isRetryable(error) || attempt >= BATCH_RETRIES_MAX) throw error
      }
      /* Unequal pauses, so that two batches do not meet again. */
      const pause = this.#options.world.rng.below(Math.min(4 << attempt, BATCH_RETRY_MS_MAX))
      await sleep(this.#options.world.clock, pause)
    }
  }

  async #sessionOf(writer: Writer): Promise<Session> {
    if (writer.session && !writer.session.lost) return writer.session
    writer.interned.clear()
    writer.session = await this.#options.connect((error) => {
      this.#options.announcer.broke(`the connection to PostgreSQL was lost: ${error.message}`)
      this.#probe()
    })
    return writer.session
  }

  /** Asks the server, for as long as it takes, whether a transaction is on disk. */
  async #wasCommitted(doubt: CommitInDoubt): Promise<boolean> {
    this.#options.announcer.broke(doubt.message)
    for (let wait = RECONNECT_MS; ; wait = Math.min(wait * 2, RECONNECT_MS_MAX)) {
      try {
        const session = await this.#options.connect(() => {})
        try {
          const rows = await session.ask({ text: XACT_STATUS, params: [doubt.xid] })
          const status = rows[0]?.status
          if (status !== 'in progress') return status === 'committed'
        } finally {
          await session.end()
        }
      } catch (error) {
        this.#options.announcer.broke(unavailable(error).message)
        if (this.#closed) throw error
      }
      await sleep(this.#options.world.clock, wait)
    }
  }

  /** Looks from time to time whether the server is back, so that health turns green without a write. */
  #probe(): void {
    if (this.#probing) return
    this.#probing = true
    let wait = RECONNECT_MS
    const again = (): void => {
      this.#options.world.clock.after(wait, () => void attempt())
      wait = Math.min(wait * 2, RECONNECT_MS_MAX)
    }
    const attempt = async (): Promise<void> => {
      if (this.#closed) return
      try {
        for (const writer of this.#writers) if (!writer.busy) await this.#sessionOf(writer)
      } catch (error) {
        this.#options.announcer.broke(unavailable(error).message)
        return again()
      }
      this.#probing = false
      if (this.#paused === undefined) this.#options.announcer.works()
    }
    again()
  }
}

const EXCLUSIVE: ReadonlySet<Op['op']> = new Set(['room.delete', 'room.clear', 'room.purge', 'search.enable'])

/** What changes interned things of all connections: no other batch may be about to use them. */
function isExclusive(plan: Plan): boolean {
  return plan.ops.some((op) => EXCLUSIVE.has(op.op))
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
