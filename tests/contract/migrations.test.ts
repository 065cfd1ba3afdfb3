/** The schema over time: a start that dies at any statement goes on there, and the release before can still open it. */
import assert from 'node:assert/strict'
import { mkdtempDisposableSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import pg from 'pg'
import { realWorld } from '#/base/world.ts'
import { inspectSchema, MIGRATIONS, migrate, putMeta, SCHEMA_NUMBER } from '#/storage/migrations/index.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { postgresText } from '#/storage/sql/dialect.ts'
import { type Row, runAsync, type Statement } from '#/storage/sql/sql.ts'
import { Connection } from '#/storage/sqlite/connection.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import { postgresSkip, testDatabase } from '../support/test-postgres.ts'

const SERVER = 'contract.example'
const CRASH = 'the process dies here'
/** Between two points of death; over all of them every statement of a step is one. */
const STRIDE = 11

const onFatal = (error: Error): void => {
  throw error
}

/** Statements of a first start, at most. */
const ALL = MIGRATIONS.reduce((sum, step) => sum + step.statements.length + 4, 8)

class SqlitePlace {
  readonly path: string
  constructor(path: string) {
    this.path = path
  }

  /** A start that dies before its `last`-th statement. True when it lived. */
  start(last: number): boolean {
    const connection = new Connection({ path: this.path })
    let count = 0
    const execute = (statement: Statement): Row[] => {
      if (++count > last) throw new Error(CRASH)
      return connection.execute(statement)
    }
    try {
      connection.prepareForWriting()
      const sql = migrate('sqlite', SERVER, connection.run(inspectSchema('sqlite', SERVER)))
      for (let step = sql.next(); !step.done; ) step = sql.next(execute(step.value))
      return true
    } catch (error) {
      assert.equal((error as Error).message, CRASH)
      return false
    } finally {
      connection.close()
    }
  }

  schema(): unknown {
    const connection = new Connection({ path: this.path, readOnly: true })
    try {
      const text = 'SELECT type, name, sql FROM sqlite_master ORDER BY type, name'
      return connection.execute({ text, params: [] })
    } finally {
      connection.close()
    }
  }
}

test('SQLite: a start that dies at any statement is finished by the next one', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'migrations-'))
  const whole = new SqlitePlace(join(folder.path, 'whole.db'))
  assert.ok(whole.start(Number.POSITIVE_INFINITY))
  const expected = whole.schema()
  let deaths = 0
  for (let last = 0; last < ALL; last += STRIDE) {
    const place = new SqlitePlace(join(folder.path, `${last}.db`))
    if (!place.start(last)) deaths++
    /* Dies a second time, further on. */
    place.start(STRIDE)
    const store = await openSqlite({ path: place.path, serverName: SERVER, world: realWorld, onFatal })
    await store[Symbol.asyncDispose]()
    assert.equal(store.epoch, 1)
    assert.deepEqual(place.schema(), expected, `after a death at statement ${last}`)
    rmSync(place.path)
  }
  assert.ok(deaths > 5, `${deaths}`)
})

async function ask(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows as Row[]
  } finally {
    await client.end()
  }
}

async function startPostgres(url: string, last: number): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  let count = 0
  const execute = async ({ text, params }: Statement): Promise<Row[]> => {
    if (++count > last) throw new Error(CRASH)
    return (await client.query(postgresText(text), [...params])).rows as Row[]
  }
  try {
    const from = await runAsync(inspectSchema('postgres', SERVER), execute)
    await runAsync(migrate('postgres', SERVER, from), execute)
  } catch (error) {
    assert.equal((error as Error).message, CRASH)
  } finally {
    await client.end()
  }
}

const COLUMNS = `SELECT table_name, column_name, data_type, is_nullable, collation_name
  FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2`
const INDEXES = `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`

test('PostgreSQL: a start that dies is finished by the next one', { skip: postgresSkip }, async () => {
  const schemaOf = async (deaths: readonly number[]) => {
    await using database = await testDatabase()
    for (const last of deaths) await startPostgres(database.url, last)
    const target = { connectionString: database.url }
    await using store = await openPostgres({ target, serverName: SERVER, world: realWorld, onFatal })
    assert.equal(store.epoch, 1)
    return [await ask(database.url, COLUMNS), await ask(database.url, INDEXES)]
  }
  const expected = await schemaOf([])
  for (const deaths of [[3], [9, 20], [60], [100, 12, 31]]) {
    assert.deepEqual(await schemaOf(deaths), expected, `after deaths at ${deaths.join(', ')}`)
  }
})

/** What a later release leaves: its number, and that this one may still open it. */
const LATER = { schema: SCHEMA_NUMBER + 1, compat: SCHEMA_NUMBER }
const ACCOUNT_DATA = {
  lane: '@a:x',
  ops: [{ op: 'account_data.put', user: '@a:x', room: 0, type: 'one', content: '{}' }],
} as const

test('SQLite: a database that a later release has changed compatibly opens, and stays as it was', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'migrations-'))
  const path = join(folder.path, 'store.db')
  const open = () => openSqlite({ path, serverName: SERVER, world: realWorld, onFatal })
  await (await open())[Symbol.asyncDispose]()
  const connection = new Connection({ path })
  for (const [name, number] of Object.entries(LATER)) connection.run(putMeta(name, String(number)))
  connection.execute({ text: 'CREATE TABLE of_a_later_release (x INTEGER) STRICT', params: [] })
  connection.close()
  await using store = await open()
  assert.ok((await store.commit(ACCOUNT_DATA)).ok)
  const look = new Connection({ path, readOnly: true })
  const text = `SELECT value FROM myelin_meta WHERE name = 'schema'`
  assert.deepEqual(
    look.execute({ text, params: [] }).map((row) => row['value']),
    [String(SCHEMA_NUMBER + 1)],
  )
  look.close()
})

test('PostgreSQL: a database that a later release has changed compatibly opens', {
  skip: postgresSkip,
}, async () => {
  await using database = await testDatabase()
  const target = { connectionString: database.url }
  const open = () => openPostgres({ target, serverName: SERVER, world: realWorld, onFatal })
  await (await open())[Symbol.asyncDispose]()
  for (const [name, number] of Object.entries(LATER))
    await ask(database.url, `UPDATE myelin_meta SET value = '${number}' WHERE name = '${name}'`)
  await ask(database.url, 'CREATE TABLE of_a_later_release (x int)')
  await using store = await open()
  assert.ok((await store.commit(ACCOUNT_DATA)).ok)
})
