import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CHANGES_PER_USER, UNENCRYPTED_FACES_MAX } from '#/services/sync/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers, coversPart } from '../../support/covers.ts'
import { claim, deviceKeys, KEYS, oneTimeKeys, upload } from '../../support/key-calls.ts'
import {
  createRoom,
  inRoom,
  invite,
  join,
  leave,
  roomOf,
  say,
  setState,
  sync,
  V3,
} from '../../support/room-calls.ts'
import { SlidingLoop } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('GET /_matrix/client/v3/keys/changes')
coversPart('GET /_matrix/client/v3/sync')

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
})
after(async () => {
  assert.deepEqual(
    server.log.filter((line) => line.level === 'error'),
    [],
  )
  await server.close()
})

async function people(): Promise<void> {
  alice = await server.user('alice')
  bob = await server.user('bob')
}

const encrypted = {
  initial_state: [
    { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
  ],
}

const since = async (who: ApiClient): Promise<string> => (await sync(who)).next_batch

/** `changed` and `left` since a token, sorted; by sync and by /keys/changes, which must agree. */
async function news(who: ApiClient, token: string): Promise<{ changed: string[]; left: string[] }> {
  const { device_lists: lists, next_batch: to } = await sync(who, { since: token })
  const asked = await who.get(`${KEYS}/changes`, { from: token, to })
  const sorted = (list: string[] = []) => [...list].sort()
  const told = { changed: sorted(lists?.changed), left: sorted(lists?.left) }
  assert.deepEqual({ changed: sorted(asked.changed), left: sorted(asked.left) }, told)
  return told
}

const NONE = { changed: [], left: [] }
const changedOf = (...who: ApiClient[]) => ({ changed: who.map(({ userId }) => userId).sort(), left: [] })
const leftOf = (...who: ApiClient[]) => ({ changed: [], left: who.map(({ userId }) => userId).sort() })

test('§5.12 adv-53 changed devices are told to those who share a room, and to the own devices', async () => {
  await people()
  const carol = await server.user('carol')
  await roomOf([alice, bob])
  const tokens = [await since(alice), await since(bob), await since(carol)] as const
  await upload(bob, { device_keys: deviceKeys(bob) })
  assert.deepEqual(await news(alice, tokens[0]), changedOf(bob))
  assert.deepEqual(await news(bob, tokens[1]), changedOf(bob))
  assert.deepEqual(await news(carol, tokens[2]), NONE, 'nobody else hears of it')
  assert.equal((await sync(alice)).device_lists, undefined, 'only on incremental syncs')
})

test('new, renamed and deleted devices are told; what changes nothing is not', async () => {
  await people()
  await roomOf([alice, bob])
  let token = await since(alice)
  const step = async (): Promise<Json> => {
    const told = await news(alice, token)
    token = await since(alice)
    return told
  }
  const second = await server.device(bob)
  assert.deepEqual(await step(), changedOf(bob))
  await second.put(`${V3}/devices/${second.deviceId}`, { display_name: 'A name' })
  assert.deepEqual(await step(), changedOf(bob))
  await second.put(`${V3}/devices/${second.deviceId}`, { display_name: 'A name' })
  assert.deepEqual(await step(), NONE)
  await upload(second, { one_time_keys: oneTimeKeys(second, 'A') })
  await claim(alice, second)
  assert.deepEqual(await step(), NONE, 'one-time keys are no device list')
  await second.post(`${V3}/logout`)
  assert.deepEqual(await step(), changedOf(bob))
})

test('a waiting sync is woken once by a changed device list', async () => {
  await people()
  await roomOf([alice, bob])
  const token = await since(alice)
  const waiting = sync(alice, { since: token, timeout: 10_000 })
  await upload(bob, { device_keys: deviceKeys(bob) })
  const woken = await waiting
  assert.deepEqual(woken.device_lists, { changed: [bob.userId], left: [] })
  const started = performance.now()
  assert.equal((await sync(alice, { since: woken.next_batch, timeout: 50 })).device_lists, undefined)
  assert.ok(performance.now() - started >= 45)
})

for (const [kind, options] of [
  ['an encrypted', encrypted],
  ['a plain', {}],
] as const) {
  test(`§5.12 users are told who newly share ${kind} room, and left when they share none`, async () => {
    await people()
    const roomId = await createRoom(alice, { preset: 'public_chat', ...options })
    const tokens = [await since(alice), await since(bob)] as const
    await join(bob, roomId)
    assert.deepEqual(await news(alice, tokens[0]), changedOf(bob), 'who was there')
    assert.deepEqual(await news(bob, tokens[1]), changedOf(alice), 'who came')
    const before = [await since(alice), await since(bob)] as const
    await leave(bob, roomId)
    assert.deepEqual(await news(alice, before[0]), leftOf(bob))
    assert.deepEqual(await news(bob, before[1]), leftOf(alice))
    await upload(bob, { device_keys: deviceKeys(bob) })
    assert.deepEqual(await news(alice, before[0]), leftOf(bob), 'no longer any of her business')
  })
}

test('who shares another room is neither new nor gone', async () => {
  await people()
  const first = await roomOf([alice, bob], encrypted)
  const token = await since(alice)
  const second = await roomOf([alice, bob], encrypted)
  assert.deepEqual(await news(alice, token), NONE)
  const later = await since(alice)
  await leave(bob, first)
  assert.deepEqual(await news(alice, later), NONE)
  await leave(alice, second)
  assert.deepEqual(await news(alice, later), leftOf(bob))
})

test('who left and came back between two syncs is told as changed only when a device changed', async () => {
  await people()
  const roomId = await roomOf([alice, bob], encrypted)
  const token = await since(alice)
  await leave(bob, roomId)
  await join(bob, roomId)
  assert.deepEqual(await news(alice, token), NONE)
  await leave(bob, roomId)
  await upload(bob, { device_keys: deviceKeys(bob) })
  await join(bob, roomId)
  assert.deepEqual(await news(alice, token), changedOf(bob))
})

test('a change of a name is no change of a device list', async () => {
  await people()
  await roomOf([alice, bob], encrypted)
  const token = await since(alice)
  await bob.put(`${V3}/profile/${bob.userId}/displayname`, { displayname: 'Robert' })
  assert.deepEqual(await news(alice, token), NONE)
})

test('a kick and an invite: only those who are joined share a room', async () => {
  await people()
  const roomId = await createRoom(alice, encrypted)
  const token = await since(alice)
  await invite(alice, roomId, bob)
  assert.deepEqual(await news(alice, token), NONE)
  await join(bob, roomId)
  const joined = await since(bob)
  await alice.post(inRoom(roomId, 'kick'), { user_id: bob.userId })
  assert.deepEqual(await news(bob, joined), leftOf(alice))
})

test('who left hears nothing of those who came later (adv-52)', async () => {
  await people()
  const [carol, dave] = [await server.user('carol'), await server.user('dave')]
  const roomId = await roomOf([alice, bob, carol], encrypted)
  const token = await since(bob)
  await leave(carol, roomId)
  await leave(bob, roomId)
  await join(dave, roomId)
  assert.deepEqual(await news(bob, token), leftOf(alice, carol))
  await invite(alice, roomId, bob)
  assert.deepEqual(await news(bob, token), leftOf(alice, carol))
})

test('an old token gets the same answer from the store', async () => {
  await people()
  const carol = await server.user('carol')
  const dave = await server.user('dave')
  const erin = await server.user('erin')
  const [shared, departed] = [await roomOf([alice, bob, dave]), await roomOf([alice, erin])]
  const next = await createRoom(carol, { preset: 'public_chat', ...encrypted })
  const token = await since(alice)
  await upload(bob, { device_keys: deviceKeys(bob) })
  await upload(carol, { device_keys: deviceKeys(carol) })
  await leave(dave, shared)
  await leave(alice, departed)
  await join(alice, next)
  const expected = {
    changed: [bob.userId, carol.userId].sort(),
    left: [dave.userId, erin.userId].sort(),
  }
  assert.deepEqual(await news(alice, token), expected)
  await server.restart()
  assert.deepEqual(await news(alice, token), expected, 'nothing is remembered')
  for (let i = 0; i < CHANGES_PER_USER + 10; i++) await say(alice, shared, `${i}`)
  assert.deepEqual(await news(alice, token), expected, 'what is remembered begins later')
})

test('a large room without encryption makes nobody new', async () => {
  await people()
  const roomId = await createRoom(bob, { preset: 'public_chat' })
  const room = (await server.store.rooms.byId(roomId))!
  const joined = server.store.keys.joined.bind(server.store.keys)
  const all = await joined(room.nid, 10)
  assert.deepEqual(all, [bob.userId])
  const many = Array.from({ length: UNENCRYPTED_FACES_MAX + 1 }, (_, i) => `@u${i}:test.example`)
  const store = server.store as { keys: { joined: unknown } }
  store.keys.joined = async () => many
  try {
    const token = await since(alice)
    await join(alice, roomId)
    assert.deepEqual(await news(alice, token), NONE)
  } finally {
    store.keys.joined = joined
  }
})

test('the e2ee extension of sliding sync tells the same, once', async () => {
  await people()
  const roomId = await roomOf([alice, bob], encrypted)
  await upload(alice, { one_time_keys: oneTimeKeys(alice, 'A', 'B') })
  const loop = new SlidingLoop(alice, { extensions: { e2ee: { enabled: true } } })
  const first = await loop.next()
  assert.deepEqual(first.extensions.e2ee, {
    device_one_time_keys_count: { signed_curve25519: 2 },
    device_unused_fallback_key_types: [],
  })
  const waiting = loop.next({}, { timeout: 10_000 })
  await upload(bob, { device_keys: deviceKeys(bob) })
  assert.deepEqual((await waiting).extensions.e2ee.device_lists, { changed: [bob.userId], left: [] })
  assert.equal((await loop.next()).extensions.e2ee.device_lists, undefined)
  const claimed = loop.next({}, { timeout: 10_000 })
  await claim(bob, alice)
  assert.deepEqual((await claimed).extensions.e2ee.device_one_time_keys_count, { signed_curve25519: 1 })
  await leave(bob, roomId)
  assert.deepEqual((await loop.next()).extensions.e2ee.device_lists, { changed: [], left: [bob.userId] })
})

test('another member in many rooms costs one name, however many messages there are', async () => {
  await people()
  const rooms = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const token = await since(alice)
  for (const roomId of rooms) await say(bob, roomId, 'hello')
  await setState(alice, rooms[0]!, 'm.room.topic', { topic: 'x' })
  assert.deepEqual(await news(alice, token), NONE)
  await upload(bob, { device_keys: deviceKeys(bob) })
  await upload(bob, { device_keys: deviceKeys(bob, { algorithms: [] }) })
  assert.deepEqual(await news(alice, token), changedOf(bob))
})

test('requests for changes without rights, and bad ones', async () => {
  await people()
  const token = await since(alice)
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', `${KEYS}/changes?from=${token}&to=${token}`)
  await alice.refused('400 M_MISSING_PARAM', 'GET', `${KEYS}/changes?from=${token}`)
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${KEYS}/changes?from=nonsense&to=${token}`)
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${KEYS}/changes?from=${token}&to=x`)
})
