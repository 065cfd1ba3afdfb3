import assert from 'node:assert/strict'
import { join } from 'node:path'
import { until } from '../conversation.ts'
import { enter, type NioDevice, tellAll } from './devices.ts'
import type { Stage } from './talk.ts'
import { compareSigns } from './verification.ts'

/** A new device asks its user's other device for the keys of what was said before, after they have verified each other. */
export async function historyByRequest(stage: Stage): Promise<void> {
  const [alice1, , bob1] = stage.devices as [NioDevice, NioDevice, NioDevice]
  const alice3 = await enter(stage, 'alice', 'alice3')
  const before = history(alice3, alice1)
  await compareSigns(alice1, alice3)
  for (const event of before) await alice3.ask('requestKey', { event })
  await readsAll(alice3, before)
  await tellAll(bob1, stage, 'to the new device as well')
}

/** A new device imports what another device of its user has exported to a file. */
export async function historyByExport(stage: Stage): Promise<void> {
  const bob1 = stage.devices[2]!
  const bob3 = await enter(stage, 'bob', 'bob3')
  const before = history(bob3, bob1)
  const file = { path: join(stage.house.folder, 'keys.txt'), passphrase: 'a phrase of the tests' }
  await bob1.ask('export', file)
  await bob3.ask('import', file)
  await readsAll(bob3, before)
}

/** A new device has all messages that an old one has read, and can read none. Gives their ids. */
function history(fresh: NioDevice, old: NioDevice): readonly string[] {
  const read = old.read.map(({ eventId }) => eventId)
  assert.ok(read.length > 0 && read.every((id) => fresh.before.includes(id)))
  assert.deepEqual(fresh.read, [], 'a new device has no keys')
  return fresh.before
}

async function readsAll(device: NioDevice, events: readonly string[]): Promise<void> {
  const missing = () => events.filter((id) => !device.read.some(({ eventId }) => eventId === id))
  await until(
    () => missing().length === 0,
    () => `${device.who} still cannot read ${missing().length} of ${events.length}`,
  )
}
