/** The connections that read. A query has one to itself; what needs one state of the database gets a transaction. */
import { StoreError } from '#/base/store-error.ts'
import { type Clock, turn } from '#/base/world.ts'
import { QUEUED_READS_MAX } from '../limits.ts'
import type { Query } from '../queries/query.ts'
import { runAsync, type Statement } from '../sql/sql.ts'
import { ConnectionLost, isShutdown, unavailable } from './errors.ts'
import type { Session } from './session.ts'

const BEGIN: Statement = { text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', params: [] }
const COMMIT: Statement = { text: 'COMMIT', params: [] }

interface Waiter {
  readonly resolve: (session: Session | undefined) => void
  readonly reject: (error: Error) => void
}

export class ReadPool {
  readonly #connect: () => Promise<Session>
  readonly #size: number
  readonly #clock: Clock
  readonly #idle: Session[] = []
  #waiting: Waiter[] = []
  #busy = 0
  #closed = false
  #drained: (() => void) | undefined

  constructor(connect: () => Promise<Session>, size: number, clock: Clock) {
    this.#connect = connect
    this.#size = size
    this.#clock = clock
  }

  read = async <Args extends readonly unknown[], T>(query: Query<Args, T>, args: Args): Promise<T> => {
    for (let attempt = 0; ; attempt++) {
      const { session, fresh } = await this.#acquire()
      try {
        return await readOn(session, query, args, () => turn(this.#clock))
      } catch (error) {
        /* A connection that broke while it was idle says so only now; a read can be done again. */
        const broken = error instanceof ConnectionLost || isShutdown(error)
        if (broken && !fresh && attempt <= this.#size) continue
        throw unavailable(error)
      } finally {
        this.#release(session)
      }
    }
  }

  /** Refuses new reads and resolves when those under way are done. */
  async close(): Promise<void> {
    this.#closed = true
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(closed())
    if (this.#busy > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve
      })
    }
    await Promise.all(this.#idle.map((session) => session.end()))
  }

  async #acquire(): Promise<{ session: Session; fresh: boolean }> {
    if (this.#closed) throw closed()
    let session = this.#take()
    if (!session && this.#busy >= this.#size) {
      if (this.#waiting.length >= QUEUED_READS_MAX) {
        throw new StoreError('busy', 'too many reads wait for a connection')
      }
      session = await new Promise<Session | undefined>((resolve, reject) => {
        this.#waiting.push({ resolve, reject })
      })
      /* The place of the one that was released is ours already. */
      if (session) return { session, fresh: false }
    } else {
      this.#busy++
      if (session) return { session, fresh: false }
    }
    try {
      return { session: await this.#connect(), fresh: true }
    } catch (error) {
      this.#pass(undefined)
      throw unavailable(error)
    }
  }

  #take(): Session | undefined {
    for (;;) {
      const session = this.#idle.pop()
      if (!session?.lost) return session
    }
  }

  #release(session: Session): void {
    this.#pass(session.lost ? undefined : session)
  }

  /** Gives a place, with its connection if there is one, to who waits longest. */
  #pass(session: Session | undefined): void {
    const next = this.#waiting.shift()
    if (next) {
      next.resolve(session)
      return
    }
    if (session) this.#idle.push(session)
    this.#busy--
    if (this.#busy === 0) this.#drained?.()
  }
}

function closed(): StoreError {
  return new StoreError('closed', 'the store is closed')
}

async function readOn<Args extends readonly unknown[], T>(
  session: Session,
  query: Query<Args, T>,
  args: Args,
  pause: () => Promise<void>,
): Promise<T> {
  if (!query.snapshot) return runAsync(query.run(...args), session.ask, pause)
  session.tell(BEGIN)
  try {
    return await runAsync(query.run(...args), session.ask, pause)
  } finally {
    if (!session.lost) session.tell(COMMIT)
  }
}
