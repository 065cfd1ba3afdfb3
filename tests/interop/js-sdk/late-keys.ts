/** Keys that come late: to a device that was away, when all one-time keys are gone, by request from another device. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientEvent } from 'matrix-js-sdk'
import { ENGINES, type EngineName, LiveServer } from '../../support/live-server.ts'
import { everybodyThere, Person, secretRoom, until, within } from './secret-person.ts'
import { verifyOwn } from './verifying.ts'

const V3 = '/_matrix/client/v3'
const TEST_MS_MAX = 600_000
/** A wait during which thousands of messages travel. */
const LONG_MS_MAX = 300_000
const FULL = process.env['MYELIN_TEST_FULL'] !== undefined
/** Messages that wait for a device that is away. */
const BACKLOG = FULL ? 10_000 : 1_000
const SENDERS = 8
/** More one-time keys than any client keeps on its server. */
const ONE_TIME_KEYS_MAX = 500
/** What the crypto keeps on the server. */
const ONE_TIME_KEYS = 50
const CURVE = 'signed_curve25519'
const NAMES = ['alice', 'bob', 'carol']
const passwordOf = (name: string): string => `${name} has a password`

class Scene {
  readonly server: LiveServer
  /** An account without a client. */
  readonly token: string
  readonly people: Person[] = []

  constructor(server: LiveServer, token: string) {
    this.server = server
    this.token = token
  }

  async login(name: string): Promise<Person> {
    const person = await Person.login(this.server.url, name, passwordOf(name))
    this.people.push(person)
    return person
  }

  /** Claims a key of somebody, as whoever begins to talk with them does. */
  async claim(person: Person): Promise<{ id: string; fallback: boolean }> {
    const wishes = { [person.userId]: { [person.deviceId]: CURVE } }
    const answer = await this.server.call('POST', `${V3}/keys/claim`, { one_time_keys: wishes }, this.token)
    const keys = answer['one_time_keys'] as Record<
      string,
      Record<string, Record<string, { fallback?: boolean }>>
    >
    const [found] = Object.entries(keys[person.userId]?.[person.deviceId] ?? {})
    assert.ok(found, 'there is always a key')
    return { id: found[0], fallback: found[1].fallback === true }
  }

  /** What the server tells a device about its keys. */
  async keysOf(person: Person): Promise<{ left: number; unused: readonly string[] }> {
    const filter = encodeURIComponent('{"room":{"rooms":[]},"presence":{"types":[]}}')
    const token = person.client.getAccessToken() ?? ''
    const answer = await this.server.call('GET', `${V3}/sync?filter=${filter}`, undefined, token)
    const counts = answer['device_one_time_keys_count'] as Record<string, number>
    return { left: counts[CURVE] ?? 0, unused: answer['device_unused_fallback_key_types'] as string[] }
  }
}

/** All one-time keys are gone while their owner is away: the fallback key serves, and new keys come with the owner. */
async function fallback(scene: Scene, [alice, bob, carol]: readonly [Person, Person, Person]): Promise<void> {
  await until('bob has uploaded his keys', async () => (await scene.keysOf(bob)).left === ONE_TIME_KEYS)
  assert.deepEqual((await scene.keysOf(bob)).unused, [CURVE])
  bob.line.cut = true
  const claimed = new Set<string>()
  for (;;) {
    const { id, fallback } = await scene.claim(bob)
    if (fallback) break
    assert.ok(!claimed.has(id), `${id} was given twice`)
    claimed.add(id)
    assert.ok(claimed.size < ONE_TIME_KEYS_MAX)
  }
  assert.equal(claimed.size, ONE_TIME_KEYS, 'each was given once')
  assert.deepEqual(await scene.keysOf(bob), { left: 0, unused: [] })

  const rooms: string[] = []
  for (const person of [alice, carol]) {
    const roomId = await within('a room for two', roomWhileAway(scene, person, bob))
    await person.send(roomId, `by the fallback key, ${person.userId}`)
    rooms.push(roomId)
  }
  bob.comeBack()
  await bob.reads(rooms[0]!, `by the fallback key, ${alice.userId}`)
  await bob.reads(rooms[1]!, `by the fallback key, ${carol.userId}`)
  /* The crypto keeps its fallback key for a week, used or not. */
  await until('bob has uploaded new keys', async () => (await scene.keysOf(bob)).left === ONE_TIME_KEYS)
  const { id, fallback } = await scene.claim(bob)
  assert.ok(!fallback && !claimed.has(id), 'a new key')
  await bob.send(rooms[0]!, 'bob is back')
  await alice.reads(rooms[0]!, 'bob is back')
}

/** An encrypted room with somebody whose client is away; they join by another way. */
async function roomWhileAway(scene: Scene, owner: Person, away: Person): Promise<string> {
  const roomId = await secretRoom(owner, [])
  await owner.client.invite(roomId, away.userId)
  await scene.server.call('POST', `${V3}/join/${roomId}`, {}, away.client.getAccessToken() ?? '')
  await until(
    `${owner.userId} sees ${away.userId} in the room`,
    () => owner.client.getRoom(roomId)?.getMember(away.userId)?.membership === 'join' || undefined,
  )
  return roomId
}

/** Thousands of messages wait for a device, room keys among them, and messages in the room: all of it is read. */
async function backlog(scene: Scene, [alice, bob]: readonly [Person, Person]): Promise<void> {
  const roomId = await secretRoom(alice, [bob], 1)
  await alice.send(roomId, 'before bob goes')
  await bob.reads(roomId, 'before bob goes')
  bob.line.cut = true
  let heard = 0
  bob.client.on(ClientEvent.ToDeviceEvent, (event) => {
    if (event.getType() === 'm.test.noise') heard++
  })
  const half = BACKLOG / 2
  await noise(scene, bob, 0, half)
  for (const text of ['in the middle', 'with a key of its own']) await alice.send(roomId, text)
  await noise(scene, bob, half, BACKLOG)
  await alice.send(roomId, 'at the end')
  bob.comeBack()
  for (const text of ['in the middle', 'with a key of its own', 'at the end']) {
    await bob.reads(roomId, text, LONG_MS_MAX)
  }
  await until('bob has heard all of the noise', () => heard >= BACKLOG || undefined, LONG_MS_MAX)
  assert.equal(heard, BACKLOG, 'each message came once')
  assert.deepEqual(bob.undecryptable(roomId), [])
}

async function noise(scene: Scene, to: Person, from: number, upto: number): Promise<void> {
  let next = from
  const one = async (): Promise<void> => {
    while (next < upto) {
      const n = next++
      const messages = { [to.userId]: { [to.deviceId]: { n } } }
      await scene.server.call('PUT', `${V3}/sendToDevice/m.test.noise/${n}`, { messages }, scene.token)
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, one))
}

/**
 * A verified device asks another one of the same user for the keys of what was said before it came. matrix-js-sdk
 * itself has switched these requests off and reads the backup; the crypto below it still asks, when it is allowed to,
 * and answers.
 */
async function keyRequest(scene: Scene, [alice, bob]: readonly [Person, Person]): Promise<void> {
  await alice.bootstrap()
  const roomId = await secretRoom(alice, [bob])
  const texts = ['said long ago', 'said by bob']
  await alice.send(roomId, texts[0]!)
  await bob.reads(roomId, texts[0]!)
  await bob.send(roomId, texts[1]!)
  await alice.reads(roomId, texts[1]!)
  const later = await scene.login('alice')
  await everybodyThere(roomId, [later])
  await until('the past is there, unreadable', () => later.undecryptable(roomId).length === texts.length)
  await verifyOwn(alice, later)
  await until('the old device trusts the new one', async () => {
    const status = await alice.crypto.getDeviceVerificationStatus(alice.userId, later.deviceId)
    return status?.isVerified() || undefined
  })
  assert.equal(later.undecryptable(roomId).length, texts.length, 'nobody has asked yet')
  later.asksForKeys()
  for (const event of later.undecryptable(roomId)) {
    const tried = event.attemptDecryption(later.crypto as never, { isRetry: true })
    await within('a message is tried again', tried)
  }
  for (const text of texts) await later.reads(roomId, text)
  await later.send(roomId, 'read it all')
  await alice.reads(roomId, 'read it all')
}

/** Declares the test, one for each file as with `secretTalk`. */
export function lateKeys(engine: EngineName): void {
  const skip = ENGINES.find((one) => one.engine === engine)!.skip
  test(`matrix-js-sdk gets keys late, ${engine}`, { skip, timeout: TEST_MS_MAX }, async (t) => {
    await using server = await LiveServer.start({ engine })
    for (const name of NAMES) await server.makeAccount(name, passwordOf(name))
    const { access_token: token } = await server.makeAccount('noisy', 'a password of no matter')
    const scene = new Scene(server, token)
    try {
      const people: Person[] = []
      for (const name of NAMES) people.push(await scene.login(name))
      const [alice, bob, carol] = people as [Person, Person, Person]
      await fallback(scene, [alice, bob, carol])
      t.diagnostic('one-time keys used up, the fallback key used, new keys')
      await keyRequest(scene, [alice, bob])
      t.diagnostic('history by a request for keys')
      await backlog(scene, [alice, bob])
      t.diagnostic(`${BACKLOG} messages to a device that was away, room keys among them`)
    } finally {
      for (const person of scene.people) person.close()
    }
    assert.equal(await server.stop(), 0)
  })
}
