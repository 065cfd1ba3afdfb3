/** From the configuration's database to the store, and to where the tools find it. */
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { POSTGRES_WRITERS_DEFAULT } from '#/storage/limits.ts'
import type { Target } from '#/storage/postgres/session.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import type { DatabaseLocation } from '#/storage/verify/location.ts'
import type { Config, DatabaseChoice } from './config/config.ts'
import { Secret } from './config/secret.ts'

/** Names that psycopg2 and pg's client give to the same setting. */
const CLIENT_NAMES: Readonly<Record<string, string>> = {
  dbname: 'database',
  database: 'database',
  user: 'user',
  password: 'password',
  host: 'host',
  port: 'port',
  connect_timeout: 'connectionTimeoutMillis',
  application_name: 'application_name',
}

/** Seconds in Synapse's settings, milliseconds in pg's. */
const MS_PER_SECOND = 1000

/** Where the database of a configuration is. */
export function databaseLocation(choice: DatabaseChoice): DatabaseLocation {
  if (choice.engine === 'sqlite') return { engine: 'sqlite', path: choice.path }
  return { engine: 'postgres', target: postgresTarget(choice.args) }
}

function postgresTarget(args: Readonly<Record<string, unknown>>): Target {
  const target: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(args)) {
    const name = CLIENT_NAMES[key]
    if (name === undefined) continue
    const plain = value instanceof Secret ? value.reveal() : value
    target[name] = name === 'connectionTimeoutMillis' ? Number(plain) * MS_PER_SECOND : plain
  }
  const { sslmode } = args
  if (sslmode === 'verify-full' || sslmode === 'verify-ca') target['ssl'] = true
  else if (sslmode === 'require') target['ssl'] = { rejectUnauthorized: false }
  return target as Target
}

/** Connections for reads when `cp_max` bounds all of them; without it the engine's own number. */
export function readersOf(choice: DatabaseChoice): number | undefined {
  const most = choice.engine === 'postgres' ? Number(choice.args['cp_max']) : Number.NaN
  return Number.isInteger(most) ? Math.max(1, most - POSTGRES_WRITERS_DEFAULT - 1) : undefined
}

/** Opens the database of a configuration. Throws a StoreError `refused` when it is not ours. */
export function openStore(config: Config, world: World, onFatal: (error: Error) => void): Promise<Store> {
  const location = databaseLocation(config.database)
  const { serverName } = config.server
  if (location.engine === 'sqlite') {
    const { path } = location
    const { readerThreads } = config.myelin
    return openSqlite({ path, serverName, world, onFatal, readerThreads })
  }
  const { target } = location
  return openPostgres({ target, serverName, world, onFatal, poolSize: readersOf(config.database) })
}
