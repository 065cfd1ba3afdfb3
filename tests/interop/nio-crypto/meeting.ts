import assert from 'node:assert/strict'
import { allKnown, type NioDevice, type NioHouse, tellAll } from './devices.ts'
import type { Stage } from './talk.ts'
import { compareSigns } from './verification.ts'

/** Two users with two devices each meet in an encrypted room, and all know all devices. */
export async function meet(house: NioHouse): Promise<{ room: string; devices: NioDevice[] }> {
  const devices: NioDevice[] = []
  for (const [name, who] of [
    ['alice', 'alice1'],
    ['alice', 'alice2'],
    ['bob', 'bob1'],
    ['bob', 'bob2'],
  ] as const) {
    devices.push(await house.login(name, who))
  }
  const [alice1, , bob1] = devices as [NioDevice, NioDevice, NioDevice, NioDevice]
  const room = (await alice1.ask('createRoom', { invite: [bob1.userId] })) as string
  await bob1.join(room)
  for (const device of devices) await device.isIn(room)
  await allKnown(devices)
  return { room, devices }
}

/** Each device sends, all others read, those of the same user included. */
export async function bothWays(stage: Stage): Promise<void> {
  const { devices } = stage
  for (const device of devices) {
    const reads = await tellAll(device, stage, `hello from ${device.who}`)
    assert.equal(reads.length, devices.length - 1)
  }
}

/** Verification between two users and between two devices of one; what the verified device sends shows it. */
export async function verification(stage: Stage): Promise<void> {
  const [alice1, alice2, bob1, bob2] = stage.devices as [NioDevice, NioDevice, NioDevice, NioDevice]
  await compareSigns(alice1, bob1)
  await compareSigns(alice2, alice1)
  await compareSigns(bob2, bob1)
  const text = 'from a verified device'
  await tellAll(alice1, stage, text)
  const seen = await Promise.all([alice2, bob1, bob2].map((one) => one.reads(text)))
  const verified = seen.map((read) => read.verified)
  assert.deepEqual(verified, [true, true, false], 'there is no cross-signing: bob2 has not verified alice1')
}
