import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENGINES, type EngineName, LiveServer } from '../../support/live-server.ts'
import { Person, secretRoom, until, within } from './secret-person.ts'
import { verifyOther, verifyOwn } from './verifying.ts'

const TEST_MS_MAX = 120_000

async function talkSecretly(
  server: LiveServer,
  people: Person[],
  note: (text: string) => void,
): Promise<void> {
  const [alice, bob] = people as [Person, Person]
  await Promise.all([alice.bootstrap(), bob.bootstrap()])
  const roomId = await secretRoom(alice, [bob])
  await alice.send(roomId, 'from alice')
  await bob.reads(roomId, 'from alice')
  await bob.send(roomId, 'from bob')
  await alice.reads(roomId, 'from bob')
  note('an encrypted room, both ways')

  await verifyOther(alice, bob, roomId)
  for (const [one, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    await until('the other user is verified', async () => {
      const status = await one.crypto.getUserVerificationStatus(other.userId)
      return status.isCrossSigningVerified() || undefined
    })
  }
  note('SAS between two users')

  const second = await Person.login(server.url, 'alice', 'alice has a password')
  people.push(second)
  await verifyOwn(alice, second)
  await until('the new device is signed', async () => {
    const status = await bob.crypto.getDeviceVerificationStatus(alice.userId, second.deviceId)
    return status?.signedByOwner || undefined
  })
  await until('the new device has the keys', async () => {
    const status = await second.crypto.getCrossSigningStatus()
    return status.privateKeysCachedLocally.masterKey || undefined
  })
  note('SAS between two devices, and their secrets')

  await second.room(roomId)
  await bob.send(roomId, 'to both devices')
  await Promise.all([alice.reads(roomId, 'to both devices'), second.reads(roomId, 'to both devices')])
  await second.send(roomId, 'from the second')
  await Promise.all([alice.reads(roomId, 'from the second'), bob.reads(roomId, 'from the second')])
  note('two devices of one user')

  await within('the second device logs out', second.client.logout(true))
  await until('bob knows that the device is gone', async () => {
    const devices = await bob.crypto.getUserDeviceInfo([alice.userId])
    return devices.get(alice.userId)?.has(second.deviceId) === false || undefined
  })
  await bob.send(roomId, 'after the logout')
  await alice.reads(roomId, 'after the logout')
  note('a device that is gone')
}

/**
 * A test of what two people do with encryption. One for each file: what a client leaves behind when it is stopped
 * disturbs those that come after it in the same process.
 */
export function secretTalk(engine: EngineName): void {
  const skip = ENGINES.find((one) => one.engine === engine)!.skip
  const name = `matrix-js-sdk with its Rust crypto talks secretly, ${engine}`
  test(name, { skip, timeout: TEST_MS_MAX }, async (t) => {
    await using server = await LiveServer.start({ engine })
    for (const name of ['alice', 'bob']) await server.makeAccount(name, `${name} has a password`)
    const people: Person[] = []
    try {
      for (const name of ['alice', 'bob']) {
        people.push(await Person.login(server.url, name, `${name} has a password`))
      }
      await talkSecretly(server, people, (text) => t.diagnostic(text))
    } finally {
      for (const person of people) person.close()
    }
    assert.equal(await server.stop(), 0)
  })
}
