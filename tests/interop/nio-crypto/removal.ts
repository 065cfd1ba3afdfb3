import assert from 'node:assert/strict'
import { until } from '../conversation.ts'
import { allKnown, passwordOf, tellAll } from './devices.ts'
import { rawLogin, rawToDevice } from './raw.ts'
import type { Stage } from './talk.ts'

/** A removed device hears nothing more; the others hear of it and share no key with it; its name holds nothing later. */
export async function removal(stage: Stage): Promise<void> {
  const { server, house, devices } = stage
  const alice1 = devices[0]!
  const [gone] = devices.splice(1, 1)
  assert.ok(gone)
  await alice1.ask('removeDevice', { device: gone.deviceId, password: passwordOf('alice') })
  await until(
    () => gone.lost === 'M_UNKNOWN_TOKEN',
    () => `the removed device is told so: ${gone.lost}`,
  )
  await allKnown(devices)
  const before = { syncs: gone.syncs.length, read: gone.read.length }
  await tellAll(devices[1]!, stage, 'after the removal')
  await nothingUnderItsName(server, gone)
  assert.deepEqual({ syncs: gone.syncs.length, read: gone.read.length }, before)
  house.devices.splice(house.devices.indexOf(gone), 1)
}

/** What is sent to a removed device is for nobody, also when a later login takes its id. */
async function nothingUnderItsName(
  server: Stage['server'],
  gone: { readonly userId: string; readonly deviceId: string },
): Promise<void> {
  const carol = await rawLogin(server, 'carol')
  const message = { type: 'org.example.late', txn: 'late', content: { n: 0 } }
  await rawToDevice(server, carol, gone, message)
  const later = await rawLogin(server, 'alice', gone.deviceId)
  const sync = await server.call('GET', '/_matrix/client/v3/sync', undefined, later.accessToken)
  assert.equal(sync['to_device'], undefined)
  const counts = (sync['device_one_time_keys_count'] ?? {}) as Record<string, number>
  assert.equal(counts['signed_curve25519'] ?? 0, 0, 'nor are its keys there')
  await server.call('POST', '/_matrix/client/v3/logout', {}, later.accessToken)
}
