/** `kill -9` under 20 writers: nothing acknowledged is missing, nothing is doubled, the restart is quick. */
import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { silentLog } from '#/base/log.ts'
import { realWorld } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import type { DatabaseLocation } from '#/storage/verify/location.ts'
import { runVerify } from '#/storage/verify/run-verify.ts'
import { tempFolder } from '../support/filled-database.ts'
import { SCRIPT_SERVER } from '../support/room-script.ts'
import { postgresSkip, testDatabase } from '../support/test-postgres.ts'
import { type Acknowledged, liveAndDie } from './lives.ts'

const LIVES = process.env['MYELIN_TEST_FULL'] ? 20 : 5
const WRITERS = 20
/** From opening to the first commit, after a crash. */
const READY_MS_MAX = 2000
const onFatal = (error: Error): never => assert.fail(error)

let folder: string
before(() => {
  folder = tempFolder('crash')
})
after(() => rmSync(folder, { recursive: true }))

/** Every life but the first begins where the one before was killed. */
async function liveOften(
  t: TestContext,
  database: DatabaseLocation,
  look: () => DatabaseLocation,
): Promise<Acknowledged> {
  const all: Acknowledged = { rooms: new Set(), events: new Map() }
  /* Before the first: killed while the database is made, of which the next one must make something. */
  const unborn = { database, life: 0, writers: WRITERS, writes: 1_000_000 }
  await liveAndDie(unborn, { killAfterMs: 100 + Math.random() * 400, early: true }, all)
  for (let life = 1; life <= LIVES; life++) {
    /* One life in five ends while it starts, when it recovers what the last one left. */
    const early = life % 5 === 4
    const killAfterMs = early ? 100 + Math.random() * 500 : Math.random() * 800
    const task = { database, life, writers: WRITERS, writes: 1_000_000 }
    const { ready, acknowledged } = await liveAndDie(task, { killAfterMs, early }, all)
    t.diagnostic(
      `life ${life}: ready in ${ready?.toFixed(0)} ms, killed after ${killAfterMs.toFixed(0)} ms, ${acknowledged} acknowledged`,
    )
    if (ready !== undefined) assert.ok(ready < READY_MS_MAX, `ready only after ${ready} ms`)
    const report = await runVerify({ database: look(), log: silentLog })
    assert.deepEqual(report.findings, [])
  }
  assert.ok(all.events.size > 100, `only ${all.events.size} writes were acknowledged`)
  return all
}

/** Each acknowledged event is there under its transaction id, and no transaction gave two events. */
async function checkAcknowledged(store: Store, { rooms, events }: Acknowledged): Promise<void> {
  const ids = [...events.keys()]
  for (let i = 0; i < ids.length; i += 200) {
    const some = ids.slice(i, i + 200)
    const found = new Set((await store.events.byIds(some)).map((event) => event.eventId))
    for (const id of some) assert.ok(found.has(id), `acknowledged and missing: ${id}`)
  }
  for (const [id, { sender, txn, room }] of events) {
    if (txn === undefined) continue
    const scope = `PUT /send/${room}/m.room.message`
    assert.equal(await store.events.byTxn(sender, 'DEVICE', scope, txn), id)
  }
  for (const roomId of rooms) {
    const room = await store.rooms.byId(roomId)
    assert.ok(room, `acknowledged and missing: ${roomId}`)
    const bodies = new Set<string>()
    for (let after = 0; ; ) {
      const page = await store.events.timeline({ room: room.nid, after, upto: 2 ** 50, limit: 200, dir: 'f' })
      for (const { type, json } of page) {
        if (type !== 'm.room.message') continue
        const { body } = (JSON.parse(json) as { content: { body: string } }).content
        assert.ok(!bodies.has(body), `doubled: ${body}`)
        bodies.add(body)
      }
      const last = page.at(-1)
      if (!last) break
      after = last.arrival ?? 0
    }
  }
}

describe(`kill -9 under ${WRITERS} writers, ${LIVES} times`, { concurrency: true }, () => {
  it('on SQLite', async (t) => {
    const path = join(folder, 'homeserver.db')
    /* Verified on a copy, so that the next life recovers the files as the kill left them. */
    const look = (): DatabaseLocation => {
      const copy = join(folder, 'look')
      rmSync(copy, { recursive: true, force: true })
      mkdirSync(copy)
      for (const end of ['', '-wal']) {
        if (existsSync(path + end)) copyFileSync(path + end, join(copy, `homeserver.db${end}`))
      }
      return { engine: 'sqlite', path: join(copy, 'homeserver.db') }
    }
    const all = await liveOften(t, { engine: 'sqlite', path }, look)
    await using store = await openSqlite({ path, serverName: SCRIPT_SERVER, world: realWorld, onFatal })
    await checkAcknowledged(store, all)
  })

  it('on PostgreSQL', { skip: postgresSkip }, async (t) => {
    await using made = await testDatabase()
    const target = { connectionString: made.url }
    const database = { engine: 'postgres', target } as const
    const all = await liveOften(t, database, () => database)
    await using store = await openPostgres({ target, serverName: SCRIPT_SERVER, world: realWorld, onFatal })
    await checkAcknowledged(store, all)
  })
})
