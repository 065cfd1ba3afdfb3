import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { memoryLog, silentLog } from '#/base/log.ts'
import { StoreError } from '#/base/store-error.ts'
import { realWorld } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { commitAll, type Filled, fill, tempFolder } from '../../../tests/support/filled-database.ts'
import { SCRIPT_SERVER } from '../../../tests/support/room-script.ts'
import { postgresSkip, testDatabase } from '../../../tests/support/test-postgres.ts'
import { openPostgres } from '../postgres/store.ts'
import { openSqlite } from '../sqlite/store.ts'
import type { DatabaseLocation } from '../verify/location.ts'
import { backup } from './backup.ts'
import { RESTORE_POSITIONS_AHEAD } from './limits.ts'
import { isInside } from './manifest.ts'
import { connectionTexts } from './programs.ts'
import { restore } from './restore.ts'

const onFatal = (error: Error): never => assert.fail(error)
const refused = (text: RegExp) => (error: unknown) =>
  error instanceof StoreError && error.kind === 'refused' && text.test(error.message)

let folder: string
before(() => {
  folder = tempFolder('backup')
  mkdirSync(join(folder, 'server/media/ab'), { recursive: true })
  mkdirSync(join(folder, 'server/conf.d'))
  writeFileSync(join(folder, 'server/signing.key'), 'ed25519 a_test c2VlZA\n')
  writeFileSync(join(folder, 'server/homeserver.yaml'), 'server_name: test.example\n')
  writeFileSync(join(folder, 'server/conf.d/homeserver.yaml'), 'enable_registration: false\n')
  writeFileSync(join(folder, 'server/media/ab/cd'), Buffer.alloc(100_000, 7))
})
after(() => rmSync(folder, { recursive: true }))

const parts = () => ({
  signingKeyPath: join(folder, 'server/signing.key'),
  configPaths: [join(folder, 'server/homeserver.yaml'), join(folder, 'server/conf.d')],
  mediaPath: join(folder, 'server/media'),
  version: '0.1.0',
  world: realWorld,
  log: silentLog,
})

/** Sends messages without a pause until it is told to stop; gives how many were acknowledged. */
async function sendOn(store: Store, filled: Filled, stop: { now: boolean }): Promise<number> {
  const room = filled.rooms[0]
  assert.ok(room)
  let sent = 0
  while (!stop.now) {
    const plans = Array.from({ length: 20 }, (_, i) => room.message(`later ${sent + i}`))
    await Promise.all(plans.map(({ plan }) => commitAll(store, plan)))
    sent += plans.length
  }
  return sent
}

/** The whole life of a backup: written under sends, restored after the server went on. */
async function lifeOfABackup(
  name: string,
  database: DatabaseLocation,
  target: DatabaseLocation,
  open: (location: DatabaseLocation) => Promise<Store>,
): Promise<void> {
  const out = join(folder, `${name}-out`)
  let last: number
  {
    await using store = await open(database)
    const filled = await fill(store)
    const before = store.position()
    const stop = { now: false }
    const sending = sendOn(store, filled, stop)
    const { manifest, report } = await backup({ ...parts(), database, out })
    stop.now = true
    assert.ok((await sending) > 0)
    assert.deepEqual(report.findings, [])
    assert.ok(manifest.position >= before, 'the counter of PostgreSQL may be ahead of what is given out')
    assert.equal(manifest.serverName, SCRIPT_SERVER)
    assert.deepEqual(manifest.files.map((file) => file.path).sort(), [
      'config/2-homeserver.yaml',
      'config/homeserver.yaml',
      `database.${database.engine === 'sqlite' ? 'sqlite3' : 'pgdump'}`,
      'key/signing.key',
      'media/ab/cd',
    ])
    for (const { path } of manifest.files) assert.equal(statSync(join(out, path)).mode & 0o077, 0, path)
    assert.equal(statSync(out).mode & 0o077, 0)
    /* The server goes on: these positions are given out and then lost. */
    const again = { now: false }
    const reached = store.position()
    const more = sendOn(store, filled, again)
    await new Promise((resolve) => setTimeout(resolve, 100))
    again.now = true
    await more
    last = store.position()
    assert.ok(last > reached)
  }
  const into = {
    database: target,
    signingKeyPath: join(folder, `${name}/signing.key`),
    configFolder: join(folder, `${name}/config`),
    mediaPath: join(folder, `${name}/media`),
  }
  const result = await restore({ from: out, into, log: silentLog })
  assert.equal(result.report.ok, true)
  for (const [path, from] of [
    ['signing.key', 'signing.key'],
    ['config/homeserver.yaml', 'homeserver.yaml'],
    ['config/2-homeserver.yaml', 'conf.d/homeserver.yaml'],
    ['media/ab/cd', 'media/ab/cd'],
  ] as const) {
    assert.deepEqual(readFileSync(join(folder, name, path)), readFileSync(join(folder, 'server', from)))
  }
  await using restored = await open(target)
  assert.equal(restored.epoch, 2, 'tokens of before carry epoch 1')
  assert.equal(restored.position(), result.position)
  assert.ok(result.position >= result.manifest.position + RESTORE_POSITIONS_AHEAD && result.position > last)
  const token = await restored.accounts.token('0'.repeat(64))
  assert.equal(token?.device, 'DEVICE', 'access tokens keep working')
  const changed = await commitAll(restored, {
    lane: 'test',
    ops: [{ op: 'room.create', roomId: '!new:test.example', version: '11' }],
  })
  assert.ok((changed[0] as number) > last, 'a new row id is above all that were ever given out')
  await assert.rejects(restore({ from: out, into, log: silentLog }), refused(/not touched/))
}

describe('backup and restore', () => {
  it('carry an embedded database over, written while sends go on', async () => {
    const at = (name: string) => ({ engine: 'sqlite', path: join(folder, name) }) as const
    await lifeOfABackup('embedded', at('homeserver.db'), at('restored.db'), (location) => {
      assert.ok(location.engine === 'sqlite')
      return openSqlite({ path: location.path, serverName: SCRIPT_SERVER, world: realWorld, onFatal })
    })
    assert.equal(existsSync(join(folder, 'embedded-out.partial')), false)
  })

  it('carry a PostgreSQL database over, written while sends go on', { skip: postgresSkip }, async () => {
    await using one = await testDatabase()
    await using two = await testDatabase()
    const at = (connectionString: string) => ({ engine: 'postgres', target: { connectionString } }) as const
    await lifeOfABackup('postgres', at(one.url), at(two.url), (location) => {
      assert.ok(location.engine === 'postgres')
      const { target } = location
      return openPostgres({ target, serverName: SCRIPT_SERVER, world: realWorld, onFatal })
    })
  })

  it('refuse what would overwrite, and what is not whole', async () => {
    const path = join(folder, 'small.db')
    const database = { engine: 'sqlite', path } as const
    await (await openSqlite({ path, serverName: SCRIPT_SERVER, world: realWorld, onFatal }))[
      Symbol.asyncDispose
    ]()
    const out = join(folder, 'small-out')
    await backup({ ...parts(), database, out })
    const options = { ...parts(), database }
    await assert.rejects(backup({ ...options, out }), refused(/not empty/))
    const absent = { engine: 'sqlite', path: join(folder, 'absent.db') } as const
    await assert.rejects(
      backup({ ...options, database: absent, out: `${out}2` }),
      refused(/there is no database/),
    )

    const into = { database: absent }
    const from = (change: (file: string) => void, file: string, error: RegExp) => {
      const kept = readFileSync(join(out, file))
      change(join(out, file))
      const rejected = assert.rejects(restore({ from: out, into, log: silentLog }), refused(error))
      return rejected.then(() => writeFileSync(join(out, file), kept))
    }
    await from((file) => appendFileSync(file, 'x'), 'media/ab/cd', /media\/ab\/cd is not what/)
    await from((file) => rmSync(file), 'key/signing.key', /lacks key\/signing.key/)
    await from((file) => writeFileSync(file, '{}'), 'manifest.json', /not one of ours/)
    await from((file) => rmSync(file), 'manifest.json', /cannot be read/)
    const outside = readFileSync(join(out, 'manifest.json'), 'utf8').replace(
      'media/ab/cd',
      '../../etc/passwd',
    )
    await from((file) => writeFileSync(file, outside), 'manifest.json', /outside/)
    const taken = join(folder, 'server/homeserver.yaml')
    await assert.rejects(
      restore({ from: out, into: { ...into, signingKeyPath: taken }, log: silentLog }),
      refused(/differs/),
    )
    await assert.rejects(
      restore({ from: out, into: { database }, log: silentLog }),
      refused(/small.db exists/),
    )
    assert.equal(existsSync(absent.path), false)
  })

  it('keep a backup of a damaged database, and say so', async () => {
    const path = join(folder, 'damaged.db')
    const database = { engine: 'sqlite', path } as const
    await (await openSqlite({ path, serverName: SCRIPT_SERVER, world: realWorld, onFatal }))[
      Symbol.asyncDispose
    ]()
    const db = new DatabaseSync(path)
    db.exec(`INSERT INTO profiles VALUES ('@a:test.example', '{')`)
    db.close()
    const out = join(folder, 'damaged-out')
    const { manifest, report } = await backup({ ...parts(), database, out })
    assert.equal(manifest.verified, false)
    assert.equal(report.counts['profiles.fields'], 1)
    const lines: Parameters<typeof memoryLog>[0] = []
    const into = { database: { engine: 'sqlite', path: join(folder, 'damaged2.db') } as const }
    const restored = await restore({ from: out, into, log: memoryLog(lines) })
    assert.equal(restored.report.ok, false)
    assert.ok(lines.some((line) => line.level === 'warn'))
  })
})

describe('paths and passwords', () => {
  it('a path of a manifest stays inside', () => {
    for (const path of ['media/a', 'a..b', 'a/../b']) assert.equal(isInside(path), true, path)
    for (const path of ['', '/etc/passwd', '..', '../a', 'a/../../b'])
      assert.equal(isInside(path), false, path)
  })

  it('a password never becomes an argument', () => {
    const url = connectionTexts({ connectionString: 'postgres://u:p%40ss@db/x?sslmode=require' }, '/tmp/f')
    assert.deepEqual(url, {
      dbname: 'postgres://u@db/x?sslmode=require&passfile=%2Ftmp%2Ff',
      password: 'p@ss',
    })
    const fields = connectionTexts({ host: 'db', user: "o'k", password: 'secret', database: 'x' }, '/tmp/f')
    assert.deepEqual(fields, {
      dbname: "host='db' user='o\\'k' dbname='x' passfile='/tmp/f'",
      password: 'secret',
    })
  })
})
