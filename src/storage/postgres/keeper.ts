/**
 * The connection that makes this process the only one that writes. It holds an advisory lock; when it breaks, writing
 * stops until the lock is ours again, and the process ends if another one had it in between.
 */
import { StoreError } from '#/base/store-error.ts'
import { sleep, type World } from '#/base/world.ts'
import { metaText, putMeta } from '../migrations/index.ts'
import { type Row, runAsync } from '../sql/sql.ts'
import { sqlState, unavailable } from './errors.ts'
import { Session, type Target } from './session.ts'

/** First keys of our advisory locks; the second is a hash of the schema, since one database may hold several. */
const LOCK_PROCESS = 0x4d79656c
const LOCK_WRITERS = 0x4d79656d

/** How long connections of a process that has just ended may still be busy with their last commit. */
const OLD_WRITERS_MS_MAX = 15_000
const RETRY_MS = 250
const RETRY_MS_MAX = 5000
/** How long the lock may be held by what is perhaps our own broken connection. */
const REGAIN_MS_MAX = 60_000

const SERVER_VERSION_MIN = 130_000

/** Takes the shared lock by which a later process sees that a writing connection is still there. */
export const MARK_WRITER = `SELECT 1 AS held FROM pg_advisory_lock_shared(${LOCK_WRITERS}, hashtext(current_schema()))`

export interface KeeperEvents {
  /** The lock is lost; nothing may be written. */
  paused(reason: string): void
  resumed(): void
  /** Another process took the database. */
  fatal(error: Error): void
}

export class Keeper {
  readonly #target: Target
  readonly #world: World
  #session: Session
  #owner = ''
  #closed = false
  events: KeeperEvents | undefined

  private constructor(target: Target, world: World, session: Session) {
    this.#target = target
    this.#world = world
    this.#session = session
  }

  /** Connects, checks the server and takes the lock. Throws `refused` without having written anything. */
  static async open(target: Target, world: World): Promise<Keeper> {
    let keeper: Keeper | undefined
    const session = await Session.connect(target, () => void keeper?.lost())
    keeper = new Keeper(target, world, session)
    try {
      await checkServer(session)
      if (!(await tryLock(session))) {
        throw new StoreError('refused', 'another process uses this PostgreSQL database')
      }
    } catch (error) {
      await session.end()
      throw error
    }
    return keeper
  }

  get session(): Session {
    return this.#session
  }

  /** Waits for the last commits of a process that ended, then signs the database as ours. */
  async takeOver(): Promise<void> {
    await this.#session.command(`SET lock_timeout = ${OLD_WRITERS_MS_MAX}`)
    try {
      await this.#session.command(`SELECT pg_advisory_lock(${LOCK_WRITERS}, hashtext(current_schema()))`)
    } catch (error) {
      if (sqlState(error) !== '55P03') throw error
      throw new StoreError('refused', 'connections of another process still write to this database')
    }
    await this.#session.command(`SELECT pg_advisory_unlock(${LOCK_WRITERS}, hashtext(current_schema()))`)
    await this.#session.command('SET lock_timeout = 0')
    this.#owner = this.#world.rng.bytes(16).toString('hex')
    await runAsync(putMeta('owner', this.#owner), this.#session.ask)
  }

  /** Runs a statement on the keeper's connection, outside any batch. */
  ask(text: string, params: readonly number[]): Promise<Row[]> {
    return this.#session.ask({ text, params })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#session.end()
  }

  /** Called when the connection broke: tries until the lock is ours again. */
  async lost(): Promise<void> {
    if (this.#closed) return
    this.events?.paused('the connection to PostgreSQL that holds the lock was lost')
    const since = this.#world.clock.monotonic()
    for (let wait = RETRY_MS; !this.#closed; wait = Math.min(wait * 2, RETRY_MS_MAX)) {
      await sleep(this.#world.clock, wait)
      try {
        if (await this.#regain()) return this.events?.resumed()
        if (this.#world.clock.monotonic() - since > REGAIN_MS_MAX) {
          throw new StoreError('refused', 'another process holds the lock of this database')
        }
      } catch (error) {
        if (error instanceof StoreError && error.kind === 'refused') return this.events?.fatal(error)
        this.events?.paused(unavailable(error).message)
      }
    }
  }

  async #regain(): Promise<boolean> {
    const session = await Session.connect(this.#target, () => void this.lost())
    if (!(await tryLock(session))) {
      await session.end()
      return false
    }
    const owner = await runAsync(metaText('owner'), session.ask)
    if (owner !== this.#owner || this.#closed) {
      await session.end()
      if (this.#closed) return true
      throw new StoreError('refused', 'another process has written to this database')
    }
    this.#session = session
    return true
  }
}

async function tryLock(session: Session): Promise<boolean> {
  const rows = await session.command(
    `SELECT CAST(pg_try_advisory_lock(${LOCK_PROCESS}, hashtext(current_schema())) AS INTEGER) AS got`,
  )
  return rows[0]?.got === 1
}

async function checkServer(session: Session): Promise<void> {
  const rows = await session.command(
    `SELECT CAST(current_setting('server_version_num') AS INTEGER) AS version,
       current_setting('server_encoding') AS encoding, current_schema() AS schema`,
  )
  const { version, encoding, schema } = rows[0]!
  if ((version as number) < SERVER_VERSION_MIN) {
    throw new StoreError('refused', 'PostgreSQL 13 or newer is needed')
  }
  if (encoding !== 'UTF8') {
    throw new StoreError(
      'refused',
      `this PostgreSQL database has the encoding ${encoding}. It was not touched. Make one with ENCODING 'UTF8'`,
    )
  }
  if (schema === null) {
    throw new StoreError('refused', 'the search_path of this PostgreSQL database names no schema that exists')
  }
}
