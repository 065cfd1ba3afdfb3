/** The PostgreSQL engine. docs/decisions/0001-write-path.md */
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { Announcer } from '../announcer.ts'
import { POSTGRES_READERS_DEFAULT, POSTGRES_WRITERS_DEFAULT } from '../limits.ts'
import { inspectSchema, migrate, type OpenedSchema, readMeta } from '../migrations/index.ts'
import { readerOver } from '../reader.ts'
import { postgresText } from '../sql/dialect.ts'
import { type Row, runAsync, type Statement } from '../sql/sql.ts'
import { Keeper, MARK_WRITER } from './keeper.ts'
import { RESERVE } from './positions.ts'
import { ReadPool } from './read-pool.ts'
import { Session, type Target } from './session.ts'
import { WriteLanes } from './write-lanes.ts'

export interface PostgresOptions {
  /** A URL or the fields of pg's client configuration. */
  readonly target: Target
  readonly serverName: string
  readonly world: World
  /** Called when another process has taken the database; this one must stop. */
  readonly onFatal: (error: Error) => void
  /** Connections for reads. */
  readonly poolSize?: number | undefined
  /** Connections that write. */
  readonly writers?: number
}

const LAST_POSITION = `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM myelin_positions`

/** Opens a database, making or migrating it first. Throws a StoreError `refused` when it is not ours. */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const { target, world } = options
  const keeper = await Keeper.open(target, world)
  try {
    const meta = await prepare(keeper, options.serverName)
    const announcer = new Announcer(meta.position)
    const lanes = new WriteLanes({
      connect: (onLost) => connectWriter(target, onLost),
      reserve: async (count) => (await keeper.ask(RESERVE, [count]))[0]!.last as number,
      writers: options.writers ?? POSTGRES_WRITERS_DEFAULT,
      world,
      announcer,
      position: meta.position,
    })
    keeper.events = {
      paused: (reason) => lanes.pause(reason),
      resumed: () => lanes.resume(),
      fatal: options.onFatal,
    }
    const pool = new ReadPool(
      () => connectReader(target),
      options.poolSize ?? POSTGRES_READERS_DEFAULT,
      world.clock,
    )
    return assemble(keeper, lanes, pool, announcer, meta)
  } catch (error) {
    await keeper.close()
    throw error
  }
}

async function prepare(keeper: Keeper, serverName: string): Promise<OpenedSchema> {
  const { session } = keeper
  /* Texts of the schema run once; preparing them would only fill the connection. */
  const execute = (statement: Statement): Promise<Row[]> =>
    statement.params.length === 0 ? session.command(postgresText(statement.text)) : session.ask(statement)
  const from = await runAsync(inspectSchema('postgres', serverName), execute)
  if (from !== undefined) await keeper.takeOver()
  await runAsync(migrate('postgres', serverName, from), execute)
  if (from === undefined) await keeper.takeOver()
  const { epoch } = await runAsync(readMeta(), execute)
  const rows = await session.command(LAST_POSITION)
  return { epoch, position: rows[0]!.last as number }
}

async function connectWriter(target: Target, onLost: (error: Error) => void): Promise<Session> {
  const session = await Session.connect(target, onLost)
  try {
    await session.command(MARK_WRITER)
    /* Every statement of a write goes by an index; a plan made while a table was small must not scan it for ever. */
    await session.command('SET enable_seqscan = off')
    const rows = await session.command(`SELECT current_setting('synchronous_commit') AS mode`)
    /* Acknowledged means on disk, whatever the role's default is. */
    if (rows[0]?.mode === 'off') await session.command('SET synchronous_commit = on')
    return session
  } catch (error) {
    await session.end()
    throw error
  }
}

async function connectReader(target: Target): Promise<Session> {
  return Session.connect(target, () => {})
}

function assemble(
  keeper: Keeper,
  lanes: WriteLanes,
  pool: ReadPool,
  announcer: Announcer,
  meta: OpenedSchema,
): Store {
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await lanes.close()
    await pool.close()
    await keeper.close()
  }
  return {
    ...readerOver(pool.read),
    epoch: meta.epoch,
    commit: (plan) => lanes.commit(plan),
    position: () => announcer.position,
    onChange: (listener) => announcer.onChange(listener),
    health: () => announcer.health(),
    async [Symbol.asyncDispose]() {
      closing ??= close()
      await closing
    },
  }
}
