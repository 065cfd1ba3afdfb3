import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  bootstrap,
  CROSS,
  crossKey,
  crossKeys,
  deviceKeyName,
  deviceKeys,
  publicOf,
  query,
  SIGNATURES,
  signed,
  upload,
} from '../../support/key-calls.ts'
import { roomOf, sync, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('POST /_matrix/client/v3/keys/device_signing/upload', 'POST /_matrix/client/v3/keys/signatures/upload')

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

/** Two users who share a room, whose devices have keys. */
async function pair(): Promise<void> {
  alice = await server.user('alice')
  bob = await server.user('bob')
  await roomOf([alice, bob])
  for (const who of [alice, bob]) await upload(who, { device_keys: deviceKeys(who) })
}

const passwordOf = (who: ApiClient, password = 'a password'): Json => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: who.userId },
  password,
})

test('three keys are published; the user-signing key is for its owner alone', async () => {
  await pair()
  const keys = await bootstrap(alice)
  const mine = await query(alice, alice)
  assert.deepEqual(mine.master_keys[alice.userId], keys.master_key)
  assert.deepEqual(mine.self_signing_keys[alice.userId], keys.self_signing_key)
  assert.deepEqual(mine.user_signing_keys[alice.userId], keys.user_signing_key)
  const others = await query(bob, alice)
  assert.deepEqual(others.self_signing_keys[alice.userId], keys.self_signing_key)
  assert.deepEqual(others.user_signing_keys, {}, '§5.12 user_signing keys go to the owner only')
})

test('§5.12 the first upload and an identical one need no password, another one does', async () => {
  await pair()
  const keys = await bootstrap(alice)
  await alice.post(CROSS, keys)
  await alice.post(CROSS, { self_signing_key: keys.self_signing_key })
  const others = crossKeys(alice.userId, 'others')
  const asked = await alice.call('POST', CROSS, others)
  assert.equal(asked.status, 401)
  assert.deepEqual(asked.json.flows, [{ stages: ['m.login.password'] }])
  const { session } = asked.json
  const wrong = await alice.call('POST', CROSS, {
    ...others,
    auth: { ...passwordOf(alice, 'wrong'), session },
  })
  assert.equal(wrong.status, 401)
  assert.deepEqual((await query(alice, alice)).master_keys[alice.userId].keys, keys.master_key.keys)
  const mixed = { ...keys, self_signing_key: others.self_signing_key }
  assert.equal((await alice.call('POST', CROSS, mixed)).status, 401, 'one of them is new')
  await alice.post(CROSS, { ...others, auth: { ...passwordOf(alice), session } })
  assert.deepEqual((await query(bob, alice)).master_keys[alice.userId].keys, others.master_key.keys)
})

test('§5.12 the master key must have signed the others', async () => {
  await pair()
  const keys = crossKeys(alice.userId, 'good')
  await alice.refused('400 M_MISSING_PARAM', 'POST', CROSS, { self_signing_key: keys.self_signing_key })
  const forged = crossKeys(alice.userId, 'forged')
  for (const name of ['self_signing_key', 'user_signing_key']) {
    await alice.refused('400 M_INVALID_SIGNATURE', 'POST', CROSS, { ...keys, [name]: forged[name] })
    const bare = { ...keys[name], signatures: undefined }
    await alice.refused('400 M_INVALID_SIGNATURE', 'POST', CROSS, { ...keys, [name]: bare })
  }
  assert.deepEqual((await query(alice, alice)).master_keys, {}, 'all or nothing')
  await alice.post(CROSS, { master_key: keys.master_key })
  const rest = { self_signing_key: keys.self_signing_key, user_signing_key: keys.user_signing_key }
  const { session } = (await alice.call('POST', CROSS, rest)).json
  await alice.post(CROSS, { ...rest, auth: { ...passwordOf(alice), session } })
  assert.deepEqual((await query(bob, alice)).self_signing_keys[alice.userId], keys.self_signing_key)
})

test('a user-signing key alone is news for its owner alone', async () => {
  await pair()
  const { master_key, self_signing_key, user_signing_key } = crossKeys(alice.userId, 'quiet')
  await alice.post(CROSS, { master_key, self_signing_key })
  const [alices, bobs] = [(await sync(alice)).next_batch, (await sync(bob)).next_batch]
  await alice.call('POST', CROSS, { user_signing_key })
  const { session } = (await alice.call('POST', CROSS, { user_signing_key })).json
  await alice.post(CROSS, { user_signing_key, auth: { ...passwordOf(alice), session } })
  assert.deepEqual((await sync(alice, { since: alices })).device_lists.changed, [alice.userId])
  assert.equal((await sync(bob, { since: bobs })).device_lists, undefined)
})

test('adv-38: cross-signing keys that are not as they should be are refused', async () => {
  await pair()
  const good = crossKeys(alice.userId, 'shape').master_key
  const other = publicOf('other')
  const bad: Json[] = [
    { ...good, user_id: bob.userId },
    { ...good, usage: ['self_signing'] },
    { ...good, usage: 'master' },
    { ...good, keys: {} },
    { ...good, keys: { ...good.keys, [`ed25519:${other}`]: other } },
    { ...good, keys: { 'ed25519:name': other } },
    { ...good, keys: { 'ed25519:c2hvcnQ': 'c2hvcnQ' } },
    { ...good, keys: { [`ed25519:${other}=`]: `${other}=` } },
    { ...good, keys: { 'ed25519:x': 5 } },
    { ...good, signatures: { [alice.userId]: 5 } },
    { ...good, more: 'x'.repeat(20_000) },
    { ...good, more: '\0' },
  ]
  for (const master_key of bad) await alice.refused('400 M_BAD_JSON', 'POST', CROSS, { master_key })
  await alice.refused('400 M_BAD_JSON', 'POST', CROSS, { master_key: 'x' })
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', CROSS, {})
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', SIGNATURES, {})
})

test('§5.12 a key that is named like a device is refused', async () => {
  await pair()
  const device = server.anonymous()
  device.become(
    await device.post(`${V3}/login`, { ...passwordOf(alice), device_id: publicOf('named master') }),
  )
  await alice.refused('403 M_FORBIDDEN', 'POST', CROSS, crossKeys(alice.userId, 'named'))
})

/** The device keys of a user signed by the self-signing key of a set. */
const signedDevice = (who: ApiClient, set: string): Json =>
  signed(deviceKeys(who), who.userId, publicOf(`${set} self_signing`), `${set} self_signing`)

test('own devices are signed, and the own master key by them; everybody sees it', async () => {
  await pair()
  const set = alice.userId
  const { master_key: master } = await bootstrap(alice)
  const { next_batch: since } = await sync(bob)
  const device = signedDevice(alice, set)
  const signedMaster = signed(master, alice.userId, alice.deviceId, deviceKeyName(alice))
  const { failures } = await alice.post(SIGNATURES, {
    [alice.userId]: { [alice.deviceId]: device, [publicOf(`${set} master`)]: signedMaster },
  })
  assert.deepEqual(failures, {})
  const found = await query(bob, alice)
  assert.deepEqual(found.device_keys[alice.userId][alice.deviceId].signatures, device.signatures)
  assert.deepEqual(found.master_keys[alice.userId], signedMaster)
  assert.deepEqual((await sync(bob, { since })).device_lists.changed, [alice.userId])
  await upload(alice, { device_keys: deviceKeys(alice) })
  const again = await query(bob, alice)
  assert.deepEqual(again.device_keys[alice.userId][alice.deviceId].signatures, device.signatures)
  await upload(alice, { device_keys: deviceKeys(alice, { algorithms: [] }) })
  const fresh = await query(bob, alice)
  const { signatures } = fresh.device_keys[alice.userId][alice.deviceId]
  assert.equal(Object.keys(signatures[alice.userId]).length, 1, 'other keys are not signed')
})

test("somebody else's master key is signed for the signer alone", async () => {
  await pair()
  await bootstrap(alice)
  const { master_key: bobs } = await bootstrap(bob)
  const second = await server.device(alice)
  const { next_batch: since } = await sync(second)
  const { next_batch: bobsSince } = await sync(bob)
  const name = publicOf(`${bob.userId} master`)
  const usk = `${alice.userId} user_signing`
  const object = signed(bobs, alice.userId, publicOf(usk), usk)
  assert.deepEqual(await alice.post(SIGNATURES, { [bob.userId]: { [name]: object } }), { failures: {} })
  assert.deepEqual((await query(second, bob)).master_keys[bob.userId], object)
  assert.deepEqual((await query(bob, bob)).master_keys[bob.userId].signatures, undefined)
  assert.deepEqual((await sync(second, { since })).device_lists.changed, [bob.userId])
  assert.equal((await sync(bob, { since: bobsSince })).device_lists, undefined)
  const others = crossKeys(bob.userId, 'bobs new')
  const { session } = (await bob.call('POST', CROSS, others)).json
  await bob.post(CROSS, { ...others, auth: { ...passwordOf(bob), session } })
  assert.deepEqual((await query(alice, bob)).master_keys[bob.userId].signatures, undefined)
})

test('§5.12 adv-23: every signature is verified, failures are told by key, and no other relation is taken', async () => {
  await pair()
  const set = alice.userId
  const { master_key: master } = await bootstrap(alice)
  const { master_key: bobs } = await bootstrap(bob)
  const bobsMaster = publicOf(`${bob.userId} master`)
  const own = publicOf(`${set} master`)
  const sskName = publicOf(`${set} self_signing`)
  const usk = `${set} user_signing`
  const tampered = signedDevice(alice, set)
  const forged = { ...tampered, signatures: structuredClone(tampered.signatures) }
  forged.signatures[alice.userId][`ed25519:${sskName}`] = 'A'.repeat(86)
  const cases: [user: string, name: string, object: Json, errcode: string][] = [
    [alice.userId, alice.deviceId, forged, 'M_INVALID_SIGNATURE'],
    [alice.userId, alice.deviceId, deviceKeys(alice), 'M_INVALID_SIGNATURE'],
    [alice.userId, alice.deviceId, { ...signedDevice(alice, set), extra: 1 }, 'M_INVALID_SIGNATURE'],
    [alice.userId, alice.deviceId, 'text', 'M_INVALID_SIGNATURE'],
    [alice.userId, 'NONE', signedDevice(alice, set), 'M_NOT_FOUND'],
    [alice.userId, 'N\0', signedDevice(alice, set), 'M_NOT_FOUND'],
    /* The own master key by a key that is no device of the user. */
    [alice.userId, own, signed(master, alice.userId, 'NONE', 'none'), 'M_INVALID_SIGNATURE'],
    [alice.userId, own, signed(master, alice.userId, alice.deviceId, 'wrong'), 'M_INVALID_SIGNATURE'],
    [alice.userId, own, master, 'M_INVALID_SIGNATURE'],
    /* Somebody else's device, by the user-signing key. */
    [bob.userId, bob.deviceId, signed(deviceKeys(bob), alice.userId, publicOf(usk), usk), 'M_NOT_FOUND'],
    /* Somebody else's master key, by the self-signing key and by the own device. */
    [
      bob.userId,
      bobsMaster,
      signed(bobs, alice.userId, sskName, `${set} self_signing`),
      'M_INVALID_SIGNATURE',
    ],
    [
      bob.userId,
      bobsMaster,
      signed(bobs, alice.userId, alice.deviceId, deviceKeyName(alice)),
      'M_INVALID_SIGNATURE',
    ],
    /* In the name of the other one. */
    [
      bob.userId,
      bobsMaster,
      signed(bobs, bob.userId, bob.deviceId, deviceKeyName(bob)),
      'M_INVALID_SIGNATURE',
    ],
    ['@nobody:test.example', own, signed(master, alice.userId, publicOf(usk), usk), 'M_NOT_FOUND'],
    ['nonsense', own, master, 'M_NOT_FOUND'],
  ]
  for (const [user, name, object, errcode] of cases) {
    const { failures } = await alice.post(SIGNATURES, { [user]: { [name]: object } })
    assert.equal(failures[user]?.[name]?.errcode, errcode, `${user} ${name}`)
  }
  const found = await query(bob, alice, bob)
  const { signatures } = found.device_keys[alice.userId][alice.deviceId]
  assert.deepEqual(signatures, deviceKeys(alice).signatures)
  assert.deepEqual(found.master_keys[alice.userId].signatures, undefined)
  assert.deepEqual((await query(alice, bob)).master_keys[bob.userId].signatures, undefined)
  await alice.refused('400 M_BAD_JSON', 'POST', SIGNATURES, { [alice.userId]: 'x' })
})

test('a good signature is kept though another one of the request is refused', async () => {
  await pair()
  await bootstrap(alice)
  const object = signedDevice(alice, alice.userId)
  const { failures } = await alice.post(SIGNATURES, {
    [alice.userId]: { [alice.deviceId]: object, NONE: object },
  })
  assert.deepEqual(Object.keys(failures[alice.userId]), ['NONE'])
  const found = await query(bob, alice)
  assert.deepEqual(found.device_keys[alice.userId][alice.deviceId].signatures, object.signatures)
})

test('a master key keeps the signatures that come with it where they fit', async () => {
  await pair()
  const key = crossKey(alice.userId, 'master', 'signed master')
  let master = signed(key, alice.userId, alice.deviceId, deviceKeyName(alice))
  const fitting = signed(master, alice.userId, publicOf('signed master'), 'signed master')
  master = signed(fitting, alice.userId, 'NONE', 'none')
  master = signed(master, bob.userId, bob.deviceId, deviceKeyName(bob))
  await alice.post(CROSS, { master_key: master })
  assert.deepEqual((await query(bob, alice)).master_keys[alice.userId].signatures, fitting.signatures)
})

test('deactivation takes all keys along', async () => {
  await pair()
  await bootstrap(alice)
  const { next_batch: since } = await sync(bob)
  await alice.post(`${V3}/account/deactivate`, { auth: passwordOf(alice) })
  const found = await query(bob, alice)
  assert.deepEqual(found.device_keys[alice.userId], {})
  assert.deepEqual([found.master_keys, found.self_signing_keys], [{}, {}])
  const { changed, left } = (await sync(bob, { since })).device_lists
  assert.deepEqual([...changed, ...left], [alice.userId])
})
