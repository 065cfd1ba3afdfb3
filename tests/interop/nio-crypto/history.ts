import assert from 'node:assert/strict'
import { join } from 'node:path'
import { until } from '../conversation.ts'
import { allKnown, type NioDevice, tellAll } from './devices.ts'
import type { Stage } from './talk.ts'
import { compareSigns } from './verification.ts'

/** A new device asks its user's other device for the keys of what was said before, after they have verified each other. */
export async function historyByRequest({ house, devices, room }: Stage): Promise<void> {
  const alice1 = devices[0]!
  const alice3 = await house.login('alice', 'alice3')
  const before = await history(alice3, room, alice1)
  devices.push(alice3)
  await allKnown(devices)
  assert.deepEqual(alice3.read, [], 'a new device has no keys')
  await compareSigns(alice1, alice3)
  for (const event of before) await alice3.ask('requestKey', { event })
  await readsAll(alice3, before)
  await tellAll(devices[2]!, devices, room, 'to the new device as well')
}

/** A new device imports what another device of its user has exported to a file. */
export async function historyByExport({ house, devices, room }: Stage): Promise<void> {
  const bob1 = devices[2]!
  const bob3 = await house.login('bob', 'bob3')
  const before = await history(bob3, room, bob1)
  devices.push(bob3)
  await allKnown(devices)
  const file = { path: join(house.folder, 'keys.txt'), passphrase: 'a phrase of the tests' }
  await bob1.ask('export', file)
  await bob3.ask('import', file)
  await readsAll(bob3, before)
}

/** Waits until a new device has got as many messages as an old one has; gives their ids. None is readable. */
async function history(fresh: NioDevice, room: string, old: NioDevice): Promise<string[]> {
  await fresh.isIn(room)
  const sent = new Set(old.read.map(({ eventId }) => eventId))
  await until(
    () => [...sent].every((id) => fresh.unreadable.includes(id)),
    () => `${fresh.who} has ${fresh.unreadable.length} messages of ${sent.size}`,
  )
  return [...fresh.unreadable]
}

async function readsAll(device: NioDevice, events: readonly string[]): Promise<void> {
  const missing = () => events.filter((id) => !device.read.some(({ eventId }) => eventId === id))
  await until(
    () => missing().length === 0,
    () => `${device.who} still cannot read ${missing().length} of ${events.length}`,
  )
}
