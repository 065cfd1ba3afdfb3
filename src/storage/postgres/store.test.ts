import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import pg from 'pg'
import { StoreError } from '#/base/store-error.ts'
import { realWorld } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { postgresSkip, testDatabase, testPostgres } from '../../../tests/support/test-postgres.ts'
import { openPostgres } from './store.ts'

type Database = Awaited<ReturnType<typeof testDatabase>>

const open = (url: string, onFatal = (error: Error): void => assert.fail(error)): Promise<Store> =>
  openPostgres({ target: { connectionString: url }, serverName: 'a.example', world: realWorld, onFatal })

async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const put = (user: string, type: string): { lane: string; ops: Op[] } => ({
  lane: user,
  ops: [{ op: 'account_data.put', user, room: 0, type, content: '{}' }],
})

/** Ends our connections that match, as an administrator or a broken network would. */
const terminate = (url: string, where: string) =>
  ask(
    url,
    `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'myelin' AND pid <> pg_backend_pid() AND ${where}`,
  )

const WRITERS = `pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock')`
const KEEPER = `pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock')`

async function until(what: string, test: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (test()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.fail(`not in time: ${what}`)
}

const refusedWith = (part: string) => (error: unknown) =>
  error instanceof StoreError && error.kind === 'refused' && error.message.includes(part)

describe('PostgreSQL store', { skip: postgresSkip }, () => {
  async function refuses(part: string, ...texts: string[]): Promise<void> {
    await using database = await testDatabase()
    for (const text of texts) await ask(database.url, text)
    const look = () =>
      ask(
        database.url,
        `SELECT relname, relkind, relfilenode FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`,
      )
    const before = await look()
    await assert.rejects(open(database.url), refusedWith(part))
    assert.deepEqual(await look(), before)
  }

  it('refuses databases of others, untouched', async () => {
    await refuses('Synapse', 'CREATE TABLE schema_version (v int)')
    await refuses('another program', 'CREATE TABLE things (v int)')
    const meta = (name: string, value: string) => [
      'CREATE TABLE myelin_meta (name text PRIMARY KEY, value text)',
      `INSERT INTO myelin_meta VALUES ('${name}', '${value}')`,
    ]
    await refuses('belongs to the server b.example', ...meta('server_name', 'b.example'))
    await refuses('newer release', ...meta('compat', '999999'))
  })

  it('refuses a database that is not in UTF8, and one without a schema', async () => {
    await using database = await testDatabase()
    const name = `${new URL(database.url).pathname.slice(1)}_latin1`
    await ask(database.url, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`)
    try {
      const url = new URL(testPostgres()!)
      url.pathname = `/${name}`
      await assert.rejects(open(url.href), refusedWith('LATIN1'))
      assert.deepEqual(await ask(url.href, `SELECT 1 FROM pg_tables WHERE schemaname = 'public'`), [])
    } finally {
      await ask(database.url, `DROP DATABASE ${name} WITH (FORCE)`)
    }
    const url = new URL(database.url)
    url.searchParams.set('options', '-c search_path=nowhere')
    /* An escaped space; a plus sign would be taken as it is. */
    await assert.rejects(open(url.href.replaceAll('+', '%20')), refusedWith('search_path'))
  })

  it('is refused a second time while open, and goes on at greater positions when opened again', async () => {
    await using database = await testDatabase()
    let position: number
    {
      await using store = await open(database.url)
      await assert.rejects(open(database.url), refusedWith('another process'))
      assert.ok((await store.commit(put('@a:x', 'one'))).ok)
      position = store.position()
    }
    await using store = await open(database.url)
    assert.ok(store.position() >= position)
    const result = await store.commit(put('@a:x', 'two'))
    assert.ok(result.ok && result.position > position)
    assert.ok(await store.accountData.get('@a:x', 0, 'one'))
  })

  it('waits for what is under way when it is closed, and then refuses', async () => {
    await using database = await testDatabase()
    const store = await open(database.url)
    const results = Promise.all(
      Array.from({ length: 50 }, (_, i) => store.commit(put(`@${i % 7}:x`, `${i}`))),
    )
    const read = store.accounts.count()
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()])
    assert.ok((await results).every((result) => result.ok))
    assert.equal(await read, 0)
    const closed = (error: unknown) => error instanceof StoreError && error.kind === 'closed'
    await assert.rejects(store.commit(put('@a:x', 'late')), closed)
    await assert.rejects(store.accounts.count(), closed)
    assert.deepEqual(await ask(database.url, 'SELECT COUNT(*) AS n FROM account_data'), [{ n: '50' }])
  })

  it('acknowledges exactly what is on disk while its connections are ended again and again', async () => {
    await using database = await testDatabase()
    await using store = await open(database.url)
    const outcomes = new Map<string, boolean>()
    let done = false
    const breaking = breakWriters(database, () => done)
    const write = async (user: string): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        const type = `${i}`
        outcomes.set(
          `${user} ${type}`,
          await store.commit(put(user, type)).then(
            (result) => result.ok,
            (error: unknown) => {
              assert.ok(error instanceof StoreError && error.kind === 'unavailable', String(error))
              return false
            },
          ),
        )
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    }
    await Promise.all(Array.from({ length: 10 }, (_, i) => write(`@${i}:x`)))
    done = true
    assert.ok((await breaking) > 3)
    const rows = await ask(database.url, 'SELECT user_id, type FROM account_data')
    const kept = new Set(rows.map((row) => `${row['user_id']} ${row['type']}`))
    for (const [name, ok] of outcomes) assert.equal(kept.has(name), ok, name)
    assert.ok([...outcomes.values()].filter(Boolean).length > 300)
    await until('health is green', () => store.health().writable)
    assert.ok((await store.commit(put('@a:x', 'after'))).ok)
  })

  it('finds idle connections broken, and reads and writes on without an error to anyone', async () => {
    await using database = await testDatabase()
    await using store = await open(database.url)
    assert.ok((await store.commit(put('@a:x', 'before'))).ok)
    await Promise.all(Array.from({ length: 5 }, () => store.accounts.count()))
    await terminate(database.url, `NOT (${KEEPER})`)
    await until('the loss is noticed', () => !store.health().writable)
    assert.equal(await store.accounts.count(), 0)
    await until('health is green without a write', () => store.health().writable)
    assert.ok((await store.commit(put('@a:x', 'after'))).ok)
  })

  it('writes nothing while its lock is lost, and goes on when it has it again', async () => {
    await using database = await testDatabase()
    await using store = await open(database.url)
    await terminate(database.url, KEEPER)
    await until('the loss is noticed', () => !store.health().writable)
    await assert.rejects(store.commit(put('@a:x', 'without')), { kind: 'unavailable' })
    await until('the lock is back', () => store.health().writable)
    assert.ok((await store.commit(put('@a:x', 'with'))).ok)
    await assert.rejects(open(database.url), refusedWith('another process'))
  })

  it('ends when another process had the database in the meantime', async () => {
    await using database = await testDatabase()
    let fatal: Error | undefined
    await using store = await open(database.url, (error) => {
      fatal = error
    })
    await ask(database.url, `UPDATE myelin_meta SET value = 'other' WHERE name = 'owner'`)
    await terminate(database.url, KEEPER)
    await until('the process is told to end', () => fatal !== undefined)
    assert.ok(refusedWith('another process')(fatal))
    await assert.rejects(store.commit(put('@a:x', 'late')), { kind: 'unavailable' })
  })
})

async function breakWriters(database: Database, done: () => boolean): Promise<number> {
  let times = 0
  while (!done()) {
    await new Promise((resolve) => setTimeout(resolve, 60))
    await terminate(database.url, WRITERS)
    times++
  }
  return times
}
