/** `delete_stale_devices_after` */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceKeys, query, upload } from '../../support/key-calls.ts'
import { ManualWorld } from '../../support/manual-world.ts'
import { roomOf, sync, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

const HOUR = 3_600_000

test('a device that nobody used for so long is logged out and deleted with its keys', async () => {
  const world = new ManualWorld(100)
  const server = await TestServer.start({
    world,
    configure: (plain) => ({ ...plain, staleDevicesMs: 20 * HOUR }),
  })
  try {
    const alice = await server.user('alice')
    const bob = await server.user('bob')
    await roomOf([alice, bob])
    const old = await server.device(alice)
    await upload(old, { device_keys: deviceKeys(old) })
    await world.pass(23 * HOUR)
    for (const who of [alice, bob]) await who.get(`${V3}/account/whoami`)
    assert.deepEqual(Object.keys((await query(bob, alice)).device_keys[alice.userId]), [old.deviceId])
    const { next_batch: since } = await sync(bob)
    await world.pass(2 * HOUR)
    await old.refused('401 M_UNKNOWN_TOKEN', 'GET', `${V3}/account/whoami`)
    assert.deepEqual((await query(bob, alice)).device_keys[alice.userId], {})
    assert.deepEqual((await sync(bob, { since })).device_lists.changed, [alice.userId])
    assert.equal((await alice.get(`${V3}/devices`)).devices.length, 1)
  } finally {
    await server.close()
  }
})
