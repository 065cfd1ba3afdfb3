/**
 * PostgreSQL databases for test servers. Making one costs a second, so they stay on the server of the tests, are taken
 * by one process at a time, and are emptied when taken.
 */
import { createHash } from 'node:crypto'
import pg from 'pg'
import { realWorld } from '#/base/world.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { MIGRATIONS } from '#/storage/migrations/index.ts'
import { Session } from '#/storage/postgres/session.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { runAsync } from '#/storage/sql/sql.ts'
import type { TestDatabase } from './test-database.ts'
import { testPostgres } from './test-postgres.ts'

/** Databases of one schema and server name that are used at the same time. */
const POOL_MAX = 64
const LOCK = 0x74657374

/** A database with the tables and rows of a new server. It is this process's until disposed. */
export async function pooledPostgres(serverName: ServerName): Promise<TestDatabase> {
  const { url, giveBack } = await take(serverName)
  const target = { connectionString: url }
  let beside: Session | undefined
  const session = async (): Promise<Session> => {
    beside ??= await Session.connect(target, onFatal)
    return beside
  }
  return {
    engine: 'postgres',
    /* Timers of a store on a network are the machine's, whatever the time is for the server. */
    open: () => openPostgres({ target, serverName, world: realWorld, onFatal }),
    ask: async (text, ...params) => (await session()).ask({ text, params }),
    async run(sql) {
      const snapshot = await session()
      await snapshot.command('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      try {
        return await runAsync(sql, snapshot.ask)
      } finally {
        await snapshot.command('COMMIT')
      }
    },
    async [Symbol.asyncDispose]() {
      await beside?.end()
      await giveBack()
    },
  }
}

const onFatal = (error: Error): void => {
  throw error
}

interface Taken {
  readonly url: string
  readonly giveBack: () => Promise<void>
}

async function take(serverName: ServerName): Promise<Taken> {
  const server = testPostgres()
  if (!server) throw new Error('MYELIN_TEST_ENGINE is postgres, and MYELIN_TEST_POSTGRES is not set')
  const schema = createHash('sha256')
    .update(JSON.stringify([MIGRATIONS, serverName]))
    .digest('hex')
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  for (let i = 0; i < POOL_MAX; i++) {
    const name = `pool_${schema.slice(0, 16)}_${i}`
    const lock = `${LOCK}, hashtext('${name}')`
    const { rows } = await client.query(`SELECT pg_try_advisory_lock(${lock}) AS got`)
    if (!rows[0].got) continue
    const url = new URL(server)
    url.pathname = `/${name}`
    await prepare(client, name, url.href, serverName)
    return { url: url.href, giveBack: () => client.end() }
  }
  await client.end()
  throw new Error(`more than ${POOL_MAX} test databases at a time`)
}

async function prepare(client: pg.Client, name: string, url: string, serverName: ServerName): Promise<void> {
  /* Connections of a process that was killed. */
  await client.query('SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1', [
    name,
  ])
  const { rows } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
  if (rows.length > 0 && (await emptied(url))) return
  await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  await client.query(`CREATE DATABASE ${name}`)
  const target = { connectionString: url }
  const store = await openPostgres({ target, serverName, world: realWorld, onFatal })
  await store[Symbol.asyncDispose]()
  await onDatabase(url, (database) => database.query(KEEP))
}

const TABLES = `SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind = 'r'`

/** Puts the rows of a new database by, in a schema beside; the definitions too, to see what a test has changed. */
const KEEP = `
  CREATE SCHEMA pristine;
  DO $$ DECLARE t record; BEGIN
    FOR t IN ${TABLES} LOOP
      EXECUTE format('CREATE TABLE pristine.%I AS TABLE public.%I', t.relname, t.relname);
    END LOOP;
  END $$`

const EMPTY = `
  BEGIN;
  DO $$ DECLARE t record; BEGIN
    FOR t IN ${TABLES} LOOP
      EXECUTE format('DELETE FROM public.%I', t.relname);
      EXECUTE format('INSERT INTO public.%I TABLE pristine.%I', t.relname, t.relname);
    END LOOP;
    FOR t IN SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relkind = 'S' LOOP
      EXECUTE format('ALTER SEQUENCE public.%I RESTART', t.relname);
    END LOOP;
  END $$;
  COMMIT`

/** False where the database is not as it was made, so that it must be made again. */
async function emptied(url: string): Promise<boolean> {
  try {
    await onDatabase(url, (database) => database.query(EMPTY))
    return true
  } catch (error) {
    if (error instanceof pg.DatabaseError) return false
    throw error
  }
}

async function onDatabase(url: string, run: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await run(client)
  } finally {
    await client.end()
  }
}
