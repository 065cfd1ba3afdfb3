/** A full disk: writes are refused, reads go on, and writing works again when there is room. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { StoreError } from '#/base/store-error.ts'
import { realWorld } from '#/base/world.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import { verifySqlite } from '#/storage/verify/verify-sqlite.ts'
import { commitAll, tempFolder } from '../support/filled-database.ts'
import { RoomScript, SCRIPT_SERVER } from '../support/room-script.ts'

const DISK_BYTES = 4 * 1024 * 1024
const BALLAST_BYTES = 1024 * 1024

/** Only root may mount a small disk. Where tests must not be left out, anything else is a failure. */
const missing = process.getuid?.() === 0 ? false : 'only root can mount a small file system'
if (missing && process.env['CI']) throw new Error(missing)

describe('on a full disk', { skip: missing }, () => {
  let disk: string
  before(() => {
    disk = tempFolder('full')
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk])
    assert.equal(mounted.status, 0, mounted.stderr.toString())
  })
  after(() => {
    spawnSync('umount', [disk])
    rmSync(disk, { recursive: true })
  })

  it('writes are refused, reads go on, and nothing acknowledged is lost', async () => {
    const path = join(disk, 'homeserver.db')
    const ballast = join(disk, 'ballast')
    const onFatal = (error: Error): never => assert.fail(error)
    const acknowledged: string[] = []
    {
      await using store = await openSqlite({ path, serverName: SCRIPT_SERVER, world: realWorld, onFatal })
      const room = new RoomScript('full')
      room.created(await commitAll(store, room.create().plan))
      writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES))
      const refusals: unknown[] = []
      for (let i = 0; refusals.length < 5 && i < 20_000; i++) {
        const mark = room.mark
        const { plan, eventIds } = room.message(`message ${i}`.padEnd(2000, '.'))
        try {
          assert.equal((await store.commit(plan)).ok, true)
          acknowledged.push(...eventIds)
        } catch (error) {
          refusals.push(error)
          room.rewind(mark)
        }
      }
      assert.equal(refusals.length, 5)
      assert.ok(acknowledged.length > 50, `${acknowledged.length} acknowledged before the disk was full`)
      for (const error of refusals)
        assert.ok(error instanceof StoreError && error.kind === 'unavailable', `${error}`)
      const health = store.health()
      assert.equal(health.writable, false)
      assert.match(health.reason ?? '', /disk is full/)
      assert.equal((await store.events.byId(acknowledged.at(-1)!))?.eventId, acknowledged.at(-1))
      assert.equal((await store.state.currentAll(room.nid)).length, 4)

      rmSync(ballast)
      for (let i = 0; i < 20; i++) {
        const { plan, eventIds } = room.message(`there is room again ${i}`)
        await commitAll(store, plan)
        acknowledged.push(...eventIds)
      }
      assert.deepEqual(store.health(), { writable: true })
    }
    await using store = await openSqlite({ path, serverName: SCRIPT_SERVER, world: realWorld, onFatal })
    for (const id of acknowledged) assert.ok(await store.events.byId(id), `acknowledged and missing: ${id}`)
    assert.deepEqual(verifySqlite(path, () => {}).findings, [])
  })
})
