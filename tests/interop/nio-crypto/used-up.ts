import assert from 'node:assert/strict'
import type { LiveServer } from '../../support/live-server.ts'
import { until } from '../conversation.ts'
import { allKnown, enter, type NioDevice, type NioLogin, tellAll } from './devices.ts'
import { rawClaim, rawLogin } from './raw.ts'
import type { Stage } from './talk.ts'

/** What nio uploads at a time. */
const ONE_TIME_KEYS = 50

/**
 * All one-time keys of a device that is away are used up. matrix-nio uploads no fallback key by itself: without one,
 * who claims gets none, leaves the device out, and it reads later by asking another device of its user. With one
 * (made by the library beneath nio), it is given to everybody, and the device reads at once.
 */
export async function keysUsedUp(stage: Stage): Promise<void> {
  const { server, devices } = stage
  const bob2 = devices.find(({ who }) => who === 'bob2')!
  const carol = await rawLogin(server, 'carol')
  await bob2.stop()
  await takeAll(server, carol, bob2)
  assert.equal(await rawClaim(server, carol, bob2), undefined)

  /* A device that has no session with bob2 yet: it has to claim a key, and there is none. */
  const alice4 = await enter(stage, 'alice', 'alice4')
  await tellAll(alice4, stage, 'without a key for you')
  await bob2.reopen()
  await until(
    () => bob2.unreadable.length > 0,
    () => 'bob2 has a message it cannot read',
  )
  for (const event of [...bob2.unreadable]) {
    if (!bob2.read.some(({ eventId }) => eventId === event)) await bob2.ask('requestKey', { event })
  }
  await bob2.reads('without a key for you')
  await withFallback(stage, bob2, carol)
}

/** The device that is back uploads keys anew and a fallback key; both are used up. */
async function withFallback(stage: Stage, bob2: NioDevice, carol: NioLogin): Promise<void> {
  const { server, devices } = stage
  await newKeys(bob2)
  const [fallbackId] = (await bob2.ask('uploadFallback')) as string[]
  await bob2.stop()
  await takeAll(server, carol, bob2)
  for (let i = 0; i < 2; i++) {
    const claimed = await rawClaim(server, carol, bob2)
    assert.deepEqual([claimed?.id, claimed?.fallback], [fallbackId, true])
  }
  const alice5 = await enter(stage, 'alice', 'alice5')
  await tellAll(alice5, stage, 'by the fallback key')
  await bob2.reopen()
  await bob2.reads('by the fallback key')
  await newKeys(bob2)
  await allKnown(devices)
  await tellAll(devices[0]!, stage, 'all have keys again')
}

/** The device that was told of none has uploaded anew. */
async function newKeys(device: NioDevice): Promise<void> {
  await until(
    async () => (await device.ask('keysLeft')) !== 0,
    () => `${device.who} uploads keys`,
  )
}

/** Claims until only a fallback key or nothing is left: every key once. */
async function takeAll(server: LiveServer, by: NioLogin, of: NioDevice): Promise<void> {
  const taken = new Set<string>()
  for (;;) {
    const claimed = await rawClaim(server, by, of)
    if (!claimed || claimed.fallback) break
    assert.ok(!taken.has(claimed.key), 'a key was given twice')
    taken.add(claimed.key)
  }
  assert.ok(taken.size > ONE_TIME_KEYS / 2 && taken.size <= ONE_TIME_KEYS, `${taken.size} keys`)
}
