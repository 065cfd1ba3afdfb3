/** From the configuration's database to the store, and to where the tools find it. */
import { existsSync } from 'node:fs'
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { POSTGRES_WRITERS_DEFAULT } from '#/storage/limits.ts'
import type { Target } from '#/storage/postgres/session.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import type { DatabaseLocation } from '#/storage/verify/location.ts'
import type { Config, DatabaseChoice } from './config/config.ts'
import { Secret } from './config/secret.ts'
import { readOwnFile } from './own-file.ts'

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
  if (target['host'] === undefined) Object.assign(target, localSocket())
  return { ...target, ...encryption(args) } as Target
}

/** Folders in which PostgreSQL's own library looks for a server when no host is given. */
const SOCKET_FOLDERS = ['/var/run/postgresql', '/tmp']
const PORT_DEFAULT = 5432

function localSocket(): { host?: string } {
  const host = SOCKET_FOLDERS.find((folder) => existsSync(`${folder}/.s.PGSQL.${PORT_DEFAULT}`))
  return host === undefined || process.env['PGHOST'] !== undefined ? {} : { host }
}

/** `sslmode` and its files, for pg's client and for PostgreSQL's programs. */
function encryption(args: Readonly<Record<string, unknown>>): object {
  const { sslmode } = args
  if (sslmode !== 'require' && sslmode !== 'verify-ca' && sslmode !== 'verify-full') return {}
  const libpq: Record<string, string> = { sslmode }
  const ssl: Record<string, unknown> = { rejectUnauthorized: sslmode !== 'require' }
  /* verify-ca asks who signed the certificate, and not for whom. */
  if (sslmode === 'verify-ca') ssl['checkServerIdentity'] = () => undefined
  for (const [key, name] of Object.entries({ sslrootcert: 'ca', sslcert: 'cert', sslkey: 'key' })) {
    const path = args[key]
    if (typeof path !== 'string' || path === '') continue
    libpq[key] = path
    if (path !== 'system') ssl[name] = readOwnFile(path, `\`${key}\` of the database`)
  }
  return { ssl, libpq }
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
