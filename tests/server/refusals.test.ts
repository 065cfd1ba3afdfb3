import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import pg from 'pg'
import { ENGINES, freePort, LiveServer, plainListener, run, temporary } from '../support/live-server.ts'
import { postgresSkip, testDatabase } from '../support/test-postgres.ts'

/** Tables as Synapse makes them, with a row each: enough to be known by, and to lose. */
const SYNAPSE = [
  `CREATE TABLE schema_version (Lock CHAR(1) NOT NULL DEFAULT 'X' UNIQUE, version INTEGER NOT NULL, upgraded BOOL NOT NULL)`,
  `CREATE TABLE applied_schema_deltas (version INTEGER NOT NULL, file TEXT NOT NULL)`,
  `CREATE TABLE users (name TEXT, password_hash TEXT, creation_ts BIGINT, admin SMALLINT DEFAULT 0 NOT NULL)`,
  `CREATE TABLE state_groups_state (state_group BIGINT NOT NULL, room_id TEXT NOT NULL, type TEXT NOT NULL, state_key TEXT NOT NULL, event_id TEXT NOT NULL)`,
  `INSERT INTO schema_version (version, upgraded) VALUES (93, true)`,
  `INSERT INTO applied_schema_deltas VALUES (93, '93/01_add_delayed_events.sql')`,
  `INSERT INTO users VALUES ('@alice:example.org', 'a hash', 1, 1)`,
  `INSERT INTO state_groups_state VALUES (1, '!a:example.org', 'm.room.create', '', '$a')`,
]

/** Writes a configuration with the given database; gives its path. */
async function configured(folder: string, database: string, more = ''): Promise<string> {
  const path = join(folder, 'homeserver.yaml')
  const lines = [
    'server_name: example.org',
    `listeners:\n${plainListener(await freePort())}`,
    `database: ${database}`,
    `signing_key_path: ${folder}/example.org.signing.key`,
    'report_stats: false',
    more,
  ]
  writeFileSync(path, lines.join('\n'))
  return path
}

function hashesOf(folder: string, names: (name: string) => boolean): Record<string, string> {
  const found = readdirSync(folder)
    .filter((name) => names(name) && statSync(join(folder, name)).size > 0)
    .sort()
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex')
  return Object.fromEntries(found.map((name) => [name, hash(name)]))
}

for (const journal of ['DELETE', 'WAL']) {
  test(`a Synapse database is refused, and not a byte of it changes (journal ${journal})`, async () => {
    using place = temporary()
    const { folder } = place
    const db = new DatabaseSync(join(folder, 'homeserver.db'))
    db.exec(`PRAGMA journal_mode = ${journal}`)
    for (const text of SYNAPSE) db.exec(text)
    db.close()
    const database = `{ name: sqlite3, args: { database: '${folder}/homeserver.db' } }`
    const config = await configured(folder, database)
    const own = (name: string) => /^homeserver\.db(-wal|-journal)?$/.test(name)
    const before = hashesOf(folder, own)
    const backup = ['backup', '-o', join(folder, 'backup')]
    for (const command of [['serve'], ['verify'], backup]) {
      const { code, stderr } = await run([...command, '--config-path', config])
      assert.equal(code, 1, command.join(' '))
      assert.match(stderr, /Synapse|not a database of/i, command.join(' '))
      assert.doesNotMatch(stderr, /\n\s+at /, 'a sentence, not a stack')
      assert.deepEqual(hashesOf(folder, own), before, command.join(' '))
      assert.ok(!existsSync(join(folder, 'homeserver.db.lock')), command.join(' '))
    }
  })
}

test('a Synapse database on PostgreSQL is refused, and no table is added', {
  skip: postgresSkip,
}, async () => {
  using place = temporary()
  await using owned = await testDatabase()
  const client = new pg.Client({ connectionString: owned.url })
  await client.connect()
  try {
    for (const text of SYNAPSE) await client.query(text)
    const tables = 'SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1'
    const before = (await client.query(tables)).rows
    const { hostname, port, username, pathname } = new URL(owned.url)
    const args = `host: ${hostname}, port: ${port}, user: ${username}, dbname: ${pathname.slice(1)}`
    const config = await configured(place.folder, `{ name: psycopg2, args: { ${args} } }`)
    const { code, stderr } = await run(['serve', '--config-path', config])
    assert.equal(code, 1)
    assert.match(stderr, /this is a Synapse database\. It was not touched/)
    assert.deepEqual((await client.query(tables)).rows, before)
    assert.deepEqual((await client.query('SELECT name FROM users')).rows, [{ name: '@alice:example.org' }])
  } finally {
    await client.end()
  }
})

for (const { engine, skip } of ENGINES) {
  test(`a second process on the same data and one of another name are refused (${engine})`, {
    skip,
  }, async () => {
    await using server = await LiveServer.start({ engine })
    const text = readFileSync(server.configPath, 'utf8')
    const elsewhere = text.replace(/port: \d+, bind/, `port: ${await freePort()}, bind`)
    const second = join(server.folder, 'second.yaml')
    writeFileSync(second, elsewhere)
    const busy = await run(['serve', '-c', second])
    assert.equal(busy.code, 1)
    assert.match(busy.stderr, /another process uses th/)
    await server.call('GET', '/_matrix/client/versions')

    await server.stop()
    writeFileSync(second, elsewhere.replace('server_name: live.test', 'server_name: other.test'))
    const other = await run(['serve', '-c', second])
    assert.equal(other.code, 1)
    assert.match(other.stderr, /belongs to the server live\.test.*says other\.test/)
    await server.resume()
  })
}

test('a port in use ends the start with a sentence, and everything is closed again', async () => {
  await using server = await LiveServer.start({ engine: 'sqlite' })
  using place = temporary()
  const database = `{ name: sqlite3, args: { database: '${place.folder}/homeserver.db' } }`
  const config = await configured(place.folder, database)
  const { port } = new URL(server.url)
  writeFileSync(config, readFileSync(config, 'utf8').replace(/port: \d+, bind/, `port: ${port}, bind`))
  const { code, stderr } = await run(['serve', '-c', config])
  assert.equal(code, 1)
  assert.match(stderr, new RegExp(`address already in use 127\\.0\\.0\\.1:${port}`))
  assert.ok(!readdirSync(place.folder).includes('homeserver.db-wal'), 'the database was closed in order')
})

test('a wrong configuration refuses the start with file, line, key and what was expected', async () => {
  using place = temporary()
  const database = `{ name: sqlite3, args: { database: '${place.folder}/homeserver.db' } }`
  const more = 'rc_message: { per_second: often }\nmax_upload_size: [50M]\n'
  const config = await configured(place.folder, database, more)
  const lineOf = (text: string) =>
    readFileSync(config, 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(text)) + 1
  const { code, stderr, stdout } = await run(['serve', '--config-path', config])
  assert.equal(code, 1)
  assert.ok(
    stderr.includes(`${config}:${lineOf('rc_message')}: rc_message.per_second: expected a number`),
    stderr,
  )
  assert.ok(stderr.includes(`${config}:${lineOf('max_upload')}: max_upload_size: expected`), stderr)
  assert.doesNotMatch(stderr + stdout, /\n\s+at /)
  assert.deepEqual(readdirSync(place.folder), ['homeserver.yaml'], 'nothing was made')

  const checked = await run(['check-config', '-c', config])
  assert.equal(checked.code, 1)
  assert.match(checked.stdout, /rc_message\.per_second/)
  const misspelt = await configured(place.folder, database, 'enable_registraton: true\n')
  const warned = await run(['check-config', '-c', misspelt])
  assert.equal(warned.code, 0)
  assert.match(warned.stdout, /enable_registraton.*enable_registration/, 'the nearest name')

  const absent = await run(['serve', '-c', join(place.folder, 'nothing.yaml')])
  assert.equal(absent.code, 1)
  assert.match(absent.stderr, /nothing\.yaml/)
})
