import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  CURVE,
  claim,
  deviceKeys,
  KEYS,
  oneTimeKeys,
  publicOf,
  query,
  signed,
  signedCurve,
  upload,
} from '../../support/key-calls.ts'
import { sync, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'POST /_matrix/client/v3/keys/upload',
  'POST /_matrix/client/v3/keys/query',
  'POST /_matrix/client/v3/keys/claim',
)

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(async () => {
  assert.deepEqual(
    server.log.filter((line) => line.level === 'error'),
    [],
  )
  await server.close()
})

test('keys of a device are uploaded, and given to whoever asks', async () => {
  const device = await server.device(alice)
  await device.put(`${V3}/devices/${device.deviceId}`, { display_name: 'A phone' })
  const keys = deviceKeys(device)
  const { one_time_key_counts: counts } = await upload(device, {
    device_keys: { ...keys, unsigned: { mine: true } },
    one_time_keys: oneTimeKeys(device, 'AAAA', 'AAAB'),
  })
  assert.deepEqual(counts, { [CURVE]: 2 })
  const found = await query(bob, alice)
  assert.deepEqual(found.device_keys[alice.userId][device.deviceId], {
    ...keys,
    unsigned: { device_display_name: 'A phone' },
  })
  assert.deepEqual(found.failures, {})
  assert.equal(found.device_keys[alice.userId][alice.deviceId], undefined, 'it has no keys')
  const wanted = { [alice.userId]: [device.deviceId, 'NONE'], [bob.userId]: ['NONE'], '@no body:x': [] }
  const some = await bob.post(`${KEYS}/query`, { device_keys: wanted, timeout: 10 })
  assert.deepEqual(Object.keys(some.device_keys[alice.userId]), [device.deviceId])
  assert.deepEqual(some.device_keys[bob.userId], {})
  const unknown = await bob.post(`${KEYS}/query`, { device_keys: { '@nobody:test.example': [] } })
  assert.deepEqual(unknown.device_keys, {}, '§5.12 an unknown user of a reachable server is just absent')
})

test('the same keys again change nothing, and keep what others signed', async () => {
  const device = await server.device(alice)
  await upload(device, { device_keys: deviceKeys(device) })
  const { next_batch: since } = await sync(alice)
  await upload(device, { device_keys: deviceKeys(device) })
  assert.equal((await sync(alice, { since })).device_lists, undefined)
  await upload(device, { device_keys: deviceKeys(device, { algorithms: ['m.new'] }) })
  assert.deepEqual((await sync(alice, { since })).device_lists.changed, [alice.userId])
})

test('adv-38: identity keys that are not as they should be are refused', async () => {
  const good = deviceKeys(alice)
  const { deviceId, userId } = alice
  const bad: Json[] = [
    { ...good, user_id: bob.userId },
    { ...good, device_id: 'OTHER' },
    { ...good, algorithms: 'm.olm' },
    { ...good, algorithms: [5] },
    { ...good, algorithms: Array.from({ length: 51 }, () => 'm.a') },
    { ...good, keys: [] },
    { ...good, keys: { [`ed25519:${deviceId}`]: { key: 'x' } } },
    { ...good, keys: { ed25519: 'x' } },
    { ...good, keys: { 'ed25519:\0': 'x' } },
    { ...good, keys: undefined },
    { ...good, signatures: undefined },
    { ...good, signatures: { [userId]: 'x' } },
    { ...good, signatures: { [userId]: { [`ed25519:${deviceId}`]: 5 } } },
    { ...good, more: 'x'.repeat(20_000) },
    { ...good, more: 'a\0b' },
  ]
  for (const device_keys of bad) {
    await alice.refused('400 M_BAD_JSON', 'POST', `${KEYS}/upload`, { device_keys })
  }
  await alice.refused('400 M_BAD_JSON', 'POST', `${KEYS}/upload`, { device_keys: 'x' })
  const float = JSON.stringify({ device_keys: { ...good, n: 0 } }).replace('"n":0', '"n":0.5')
  await alice.refused('400 M_BAD_JSON', 'POST', `${KEYS}/upload`, float)
  assert.deepEqual((await query(bob, alice)).device_keys[userId][deviceId], undefined)
})

test('adv-38: one-time keys that are not as they should be are refused, all or nothing', async () => {
  const device = await server.device(alice)
  const good = oneTimeKeys(device, 'GOOD')
  const key = signedCurve(device, 'x')
  const bad: Json[] = [
    { noname: key },
    { [`${CURVE}:`]: key },
    { [`:${CURVE}`]: key },
    { [`${CURVE}:${'x'.repeat(300)}`]: key },
    { [`${CURVE}:A`]: 5 },
    { [`${CURVE}:A`]: null },
    { [`${CURVE}:A`]: {} },
    { [`${CURVE}:A`]: { key: 5, signatures: {} } },
    { [`${CURVE}:A`]: { key: 'x', signatures: [] } },
    { [`${CURVE}:A`]: { ...key, fallback: 'yes' } },
    { [`${CURVE}:A`]: { ...key, more: 'x'.repeat(9000) } },
    { [`${CURVE}:A\0`]: key },
    { [`${CURVE}:A`]: { ...key, more: '\0' } },
    Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`${CURVE}:${i}`, 'x'])),
  ]
  for (const keys of bad) {
    for (const name of ['one_time_keys', 'fallback_keys']) {
      const body = { one_time_keys: good, [name]: { ...good, ...keys } }
      await device.refused('400 M_BAD_JSON', 'POST', `${KEYS}/upload`, body)
    }
  }
  const twice = oneTimeKeys(device, 'F1', 'F2')
  await device.refused('400 M_BAD_JSON', 'POST', `${KEYS}/upload`, { fallback_keys: twice })
  assert.deepEqual(await upload(device, {}), { one_time_key_counts: { [CURVE]: 0 } })
})

test('§5.12 a key id with another content is refused, with the same content taken', async () => {
  const device = await server.device(alice)
  await upload(device, { one_time_keys: oneTimeKeys(device, 'A') })
  const again = await upload(device, { one_time_keys: oneTimeKeys(device, 'A', 'B') })
  assert.deepEqual(again.one_time_key_counts, { [CURVE]: 2 })
  const other = { [`${CURVE}:A`]: signedCurve(device, 'other') }
  const error = await device.refused('400 M_INVALID_PARAM', 'POST', `${KEYS}/upload`, {
    one_time_keys: { ...oneTimeKeys(device, 'C'), ...other },
  })
  assert.match(error.error, /signed_curve25519:A/)
  assert.deepEqual((await upload(device, {})).one_time_key_counts, { [CURVE]: 2 })
})

test('a device cannot fill the server with one-time keys', async () => {
  const device = await server.device(alice)
  const many = (from: number) =>
    Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`a:${from + i}`, 'key']))
  await upload(device, { one_time_keys: many(0) })
  await upload(device, { one_time_keys: many(500) })
  await device.refused('400 M_INVALID_PARAM', 'POST', `${KEYS}/upload`, { one_time_keys: many(1000) })
})

test('§5.12 keys are claimed in the order of uploading, then the fallback key, which stays', async () => {
  const device = await server.device(alice)
  const fallback = { [`${CURVE}:F`]: signedCurve(device, 'F', { fallback: true }) }
  await upload(device, { one_time_keys: oneTimeKeys(device, 'Z', 'Y'), fallback_keys: fallback })
  await upload(device, { one_time_keys: oneTimeKeys(device, 'A') })
  const first = await sync(device)
  assert.deepEqual(first.device_one_time_keys_count, { [CURVE]: 3 })
  assert.deepEqual(first.device_unused_fallback_key_types, [CURVE])
  const ids = []
  for (let i = 0; i < 3; i++) ids.push(await claim(bob, device))
  assert.deepEqual(ids, ['Z', 'Y', 'A'])
  const used = await sync(device, { since: first.next_batch })
  assert.deepEqual(used.device_one_time_keys_count, { [CURVE]: 0 })
  assert.deepEqual(used.device_unused_fallback_key_types, [CURVE])
  assert.deepEqual([await claim(bob, device), await claim(bob, device)], ['F', 'F'])
  const last = await sync(device, { since: used.next_batch })
  assert.deepEqual(last.device_unused_fallback_key_types, [])
  await upload(device, { fallback_keys: { [`${CURVE}:G`]: signedCurve(device, 'G', { fallback: true }) } })
  assert.deepEqual((await sync(device, { since: last.next_batch })).device_unused_fallback_key_types, [CURVE])
  assert.equal(await claim(bob, device), 'G')
})

test('a claim gives what was uploaded, for several devices at once, and leaves out what there is not', async () => {
  const [one, two] = [await server.device(alice), await server.device(bob)]
  const keys = oneTimeKeys(one, 'A')
  await upload(one, { one_time_keys: keys })
  await upload(two, { one_time_keys: { 'other:A': 'a text' } })
  const { one_time_keys: claimed, failures } = await bob.post(`${KEYS}/claim`, {
    one_time_keys: {
      [alice.userId]: { [one.deviceId]: CURVE, NONE: CURVE, 'N O': CURVE },
      [bob.userId]: { [two.deviceId]: 'other' },
      '@nobody:test.example': { A: CURVE },
      nonsense: { A: CURVE },
    },
    timeout: 1000,
  })
  assert.deepEqual(claimed, {
    [alice.userId]: { [one.deviceId]: keys },
    [bob.userId]: { [two.deviceId]: { 'other:A': 'a text' } },
  })
  assert.deepEqual(failures, {})
})

test('the next sync is woken once when a key is claimed', async () => {
  const device = await server.device(alice)
  await upload(device, { one_time_keys: oneTimeKeys(device, 'A', 'B') })
  const { next_batch: since } = await sync(device)
  const waiting = sync(device, { since, timeout: 10_000 })
  await claim(bob, device)
  const woken = await waiting
  assert.deepEqual(woken.device_one_time_keys_count, { [CURVE]: 1 })
  const started = performance.now()
  const other = await sync(device, { since: woken.next_batch, timeout: 50 })
  assert.ok(performance.now() - started >= 45, 'there is nothing more to tell')
  assert.deepEqual(other.device_one_time_keys_count, { [CURVE]: 1 })
})

test('keys go with their device', async () => {
  for (const way of ['logout', 'delete']) {
    const device = await server.device(alice)
    await upload(device, { device_keys: deviceKeys(device), one_time_keys: oneTimeKeys(device, 'A') })
    const { next_batch: since } = await sync(alice)
    if (way === 'logout') await device.post(`${V3}/logout`)
    else {
      const identifier = { type: 'm.id.user', user: alice.userId }
      const auth = { type: 'm.login.password', identifier, password: 'a password' }
      await alice.ok('DELETE', `${V3}/devices/${device.deviceId}`, { auth })
    }
    assert.equal((await query(bob, alice)).device_keys[alice.userId][device.deviceId], undefined)
    assert.equal(await claim(bob, device), undefined)
    assert.deepEqual((await sync(alice, { since })).device_lists.changed, [alice.userId])
  }
})

test('a device with the same id that comes later has none of the former keys', async () => {
  const device = await server.device(alice)
  await upload(device, { device_keys: deviceKeys(device), one_time_keys: oneTimeKeys(device, 'A') })
  assert.deepEqual((await sync(device)).device_one_time_keys_count, { [CURVE]: 1 })
  await device.post(`${V3}/logout`)
  const again = server.anonymous()
  const identifier = { type: 'm.id.user', user: alice.userId }
  again.become(
    await again.post(`${V3}/login`, {
      type: 'm.login.password',
      identifier,
      password: 'a password',
      device_id: device.deviceId,
    }),
  )
  assert.deepEqual((await sync(again)).device_one_time_keys_count, { [CURVE]: 0 })
  assert.deepEqual((await upload(again, {})).one_time_key_counts, { [CURVE]: 0 })
  assert.equal((await query(bob, alice)).device_keys[alice.userId][device.deviceId], undefined)
})

test('adv-23: an upload brings no signatures by others along', async () => {
  const device = await server.device(alice)
  let keys = signed(deviceKeys(device), alice.userId, publicOf('forged'), 'forged')
  keys = signed(keys, bob.userId, 'BOBS', 'forged')
  await upload(device, { device_keys: keys })
  const { signatures } = (await query(bob, alice)).device_keys[alice.userId][device.deviceId]
  assert.deepEqual(signatures, deviceKeys(device).signatures)
})

test('requests without rights, and bad ones', async () => {
  const nobody = server.anonymous()
  for (const [path, body] of [
    ['upload', {}],
    ['query', { device_keys: {} }],
    ['claim', { one_time_keys: {} }],
  ] as const) {
    await nobody.refused('401 M_MISSING_TOKEN', 'POST', `${KEYS}/${path}`, body)
  }
  await alice.refused('400 M_MISSING_PARAM', 'POST', `${KEYS}/query`, {})
  await alice.refused('400 M_BAD_JSON', 'POST', `${KEYS}/query`, { device_keys: { [bob.userId]: 'x' } })
  await alice.refused('400 M_MISSING_PARAM', 'POST', `${KEYS}/claim`, {})
  await alice.refused('400 M_BAD_JSON', 'POST', `${KEYS}/claim`, { one_time_keys: { [bob.userId]: [] } })
  const users = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`@u${i}:x`, []]))
  await alice.refused('413 M_TOO_LARGE', 'POST', `${KEYS}/query`, { device_keys: users })
  const devices = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`D${i}`, CURVE]))
  await alice.refused('413 M_TOO_LARGE', 'POST', `${KEYS}/claim`, {
    one_time_keys: { [bob.userId]: devices },
  })
})

test('1000 claims at a time of 100 keys: each key once, ever', async () => {
  const device = await server.device(alice)
  const ids = Array.from({ length: 100 }, (_, i) => `K${i}`)
  await upload(device, { one_time_keys: oneTimeKeys(device, ...ids) })
  const claimed = await Promise.all(Array.from({ length: 1000 }, () => claim(bob, device)))
  const got = claimed.filter((id) => id !== undefined)
  assert.deepEqual(got.sort(), ids.sort())
})
