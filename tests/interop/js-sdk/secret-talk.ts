import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CryptoEvent,
  type ShowSasCallbacks,
  type VerificationRequest,
  type Verifier,
  VerifierEvent,
} from 'matrix-js-sdk/lib/crypto-api/index.js'
import { ENGINES, type EngineName, LiveServer } from '../../support/live-server.ts'
import { Person, until } from './secret-person.ts'

const TEST_MS_MAX = 120_000

const ENCRYPTION = { algorithm: 'm.megolm.v1.aes-sha2' }

/*
 * The library reaches its requests and verifiers by weak references alone. While a test waits for one of them nothing
 * else holds it, and once it is collected as garbage it never ends.
 */
const held: (VerificationRequest | Verifier)[] = []

/** Both show the same signs and say so. */
async function compareSigns(one: VerificationRequest, other: VerificationRequest): Promise<void> {
  const signs: string[] = []
  const agree = async (request: VerificationRequest): Promise<void> => {
    const verifier = await until('a verification has begun', () => request.verifier)
    held.push(verifier)
    verifier.on(VerifierEvent.ShowSas, (sas: ShowSasCallbacks) => {
      signs.push(JSON.stringify(sas.sas.decimal))
      void sas.confirm()
    })
    await verifier.verify()
  }
  const first = await one.startVerification('m.sas.v1')
  assert.ok(first)
  await Promise.all([agree(one), agree(other)])
  assert.equal(signs.length, 2)
  assert.equal(signs[0], signs[1])
}

/** Takes the next request to verify. */
function nextRequest(person: Person): Promise<VerificationRequest> {
  return new Promise((resolve) => {
    person.client.once(CryptoEvent.VerificationRequestReceived, resolve)
  })
}

/** A new device of the same user is verified by the one that has the keys. */
async function verifyOwn(old: Person, fresh: Person): Promise<void> {
  const asked = nextRequest(old)
  const request = await fresh.crypto.requestOwnUserVerification()
  const received = await asked
  held.push(request, received)
  await received.accept()
  await until('the request is accepted', () => request.phase === 3 || undefined)
  await compareSigns(request, received)
}

/** Two users in a room of their own verify each other. */
async function verifyOther(alice: Person, bob: Person, roomId: string): Promise<void> {
  const asked = nextRequest(bob)
  const request = await alice.crypto.requestVerificationDM(bob.userId, roomId)
  const received = await asked
  held.push(request, received)
  await received.accept()
  await until('the request is accepted', () => request.phase === 3 || undefined)
  await compareSigns(request, received)
}

async function talkSecretly(
  server: LiveServer,
  people: Person[],
  note: (text: string) => void,
): Promise<void> {
  const [alice, bob] = people as [Person, Person]
  await Promise.all([alice.bootstrap(), bob.bootstrap()])
  const { room_id: roomId } = await alice.client.createRoom({
    invite: [bob.userId],
    initial_state: [{ type: 'm.room.encryption', state_key: '', content: ENCRYPTION }],
  })
  await bob.client.joinRoom(roomId)
  await alice.room(roomId)
  await bob.room(roomId)
  await until(
    'alice sees bob in the room',
    () => alice.client.getRoom(roomId)?.getMember(bob.userId)?.membership === 'join' || undefined,
  )
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

  await second.client.logout(true)
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
