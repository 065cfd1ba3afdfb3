import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DEHYDRATED_BYTES_MAX } from '#/services/e2ee/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { CURVE, deviceKeys, oneTimeKeys, query } from '../../support/key-calls.ts'
import { V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'
import { sendUrl } from '../../support/to-device-calls.ts'

covers(
  'PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device',
  'GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device',
  'DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device',
  'GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events',
  'POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events',
)

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'

let server: TestServer
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  bob = await server.user('bob')
})
after(async () => {
  assert.deepEqual(
    server.log.filter((line) => line.level === 'error'),
    [],
  )
  await server.close()
})

const DATA = { algorithm: 'm.dehydration.v2', device_pickle: 'abc', nonce: 'é' }

/** A request for a dehydrated device with this id. */
function body(who: ApiClient, device: string, more: Json = {}): Json {
  const owner = { userId: who.userId, deviceId: device } as ApiClient
  const { keys, ...rest } = deviceKeys(owner)
  return {
    device_id: device,
    device_data: DATA,
    initial_device_display_name: 'Dehydrated',
    device_keys: { ...rest, keys, dehydrated: true },
    one_time_keys: oneTimeKeys(owner, 'AAAA'),
    ...more,
  }
}

const events = (device: string) => `${PATH}/${encodeURIComponent(device)}/events`
const devicesOf = async (who: ApiClient): Promise<string[]> =>
  (await who.get(`${V3}/devices`)).devices.map((device: Json) => device.device_id).sort()

async function tell(who: ApiClient, n: number): Promise<void> {
  await bob.put(sendUrl('m.test', bob.txn()), { messages: { [who.userId]: { '*': { n } } } })
}

const numbers = (answer: Json): number[] => answer.events.map((event: Json) => event.content.n)

test('a dehydrated device is put, shown, replaced and deleted', async () => {
  const who = await server.user('who')
  await who.refused('404 M_NOT_FOUND', 'GET', PATH)
  await who.refused('404 M_NOT_FOUND', 'DELETE', PATH)
  assert.deepEqual(await who.put(PATH, body(who, 'DRY+/1')), { device_id: 'DRY+/1' })
  assert.deepEqual(await who.get(PATH), { device_id: 'DRY+/1', device_data: DATA })
  assert.deepEqual(await devicesOf(who), ['DRY+/1', who.deviceId].sort())
  const found = (await query(bob, who)).device_keys[who.userId]['DRY+/1']
  assert.equal(found.dehydrated, true)
  assert.equal(found.unsigned.device_display_name, 'Dehydrated')
  const claimed = await bob.post(`${V3}/keys/claim`, { one_time_keys: { [who.userId]: { 'DRY+/1': CURVE } } })
  assert.equal(Object.keys(claimed.one_time_keys[who.userId]['DRY+/1']).length, 1)
  await who.put(PATH, body(who, 'DRY2'))
  assert.deepEqual(await devicesOf(who), ['DRY2', who.deviceId].sort(), 'there is one at most')
  await who.put(PATH, body(who, 'DRY2', { device_data: { ...DATA, nonce: 'n' } }))
  assert.equal((await who.get(PATH)).device_data.nonce, 'n')
  await server.restart()
  assert.deepEqual(await who.ok('DELETE', PATH), { device_id: 'DRY2' })
  await who.refused('404 M_NOT_FOUND', 'GET', PATH)
  assert.deepEqual(await devicesOf(who), [who.deviceId])
})

test('its messages are read in pages and stay', async () => {
  const who = await server.user('who')
  await who.put(PATH, body(who, 'DRY'))
  for (let n = 0; n < 5; n++) await tell(who, n)
  const all = await who.get(events('DRY'))
  assert.deepEqual(numbers(all), [0, 1, 2, 3, 4])
  assert.equal(all.next_batch, undefined, 'a token comes only where there is more')
  const first = await who.get(events('DRY'), { limit: 2 })
  const second = await who.get(events('DRY'), { limit: 2, from: first.next_batch })
  const third = await who.get(events('DRY'), { limit: 2, from: second.next_batch })
  assert.deepEqual([first, second, third].map(numbers), [[0, 1], [2, 3], [4]])
  assert.equal(third.next_batch, undefined)
  assert.deepEqual(numbers(await who.get(events('DRY'))), [0, 1, 2, 3, 4], 'nothing was deleted')
  const got: number[] = []
  for (let token: string | undefined; ; ) {
    const page = await who.post(`${events('DRY')}?limit=2`, token === undefined ? {} : { next_batch: token })
    assert.match(page.next_batch, /^d\d+$/)
    token = page.next_batch
    if (page.events.length === 0) break
    got.push(...numbers(page))
  }
  assert.deepEqual(got, [0, 1, 2, 3, 4], 'the earlier draft ends with an empty page')
})

test('what is no dehydrated device is refused, and the one before stays', async () => {
  const who = await server.user('who')
  const other = await server.device(who)
  await who.put(PATH, body(who, 'DRY'))
  await tell(who, 1)
  const put = (code: string, more: Json, device = 'NEW') =>
    who.refused(code, 'PUT', PATH, { ...body(who, device), ...more })
  await put('400 M_MISSING_PARAM', { device_keys: undefined })
  await put('400 M_MISSING_PARAM', { device_data: undefined })
  await put('400 M_BAD_JSON', { device_data: {} })
  await put('400 M_BAD_JSON', { device_keys: { ...body(who, 'ANOTHER').device_keys } })
  await put('400 M_BAD_JSON', { one_time_keys: { x: 5 } })
  await put('413 M_TOO_LARGE', { device_data: { ...DATA, more: 'x'.repeat(DEHYDRATED_BYTES_MAX) } })
  await put('400 M_INVALID_PARAM', {}, other.deviceId)
  await put('400 M_INVALID_PARAM', { device_id: 'a\0' })
  assert.deepEqual(await devicesOf(who), ['DRY', other.deviceId, who.deviceId].sort())
  assert.deepEqual(numbers(await who.get(events('DRY'))), [1])
  await who.refused('403 M_FORBIDDEN', 'GET', events('NEW'))
  await who.refused('403 M_FORBIDDEN', 'GET', events(who.deviceId))
  await bob.refused('403 M_FORBIDDEN', 'GET', events('DRY'))
  await bob.refused('403 M_FORBIDDEN', 'POST', events('DRY'), {})
  for (const from of ['x', '5', 'd', 'd-1', 'd1.5', 'd01']) {
    await who.refused('400 M_INVALID_PARAM', 'GET', `${events('DRY')}?from=${from}`)
  }
  await who.refused('400 M_INVALID_PARAM', 'POST', events('DRY'), { next_batch: 'x' })
  for (const [method, url] of [
    ['PUT', PATH],
    ['GET', PATH],
    ['DELETE', PATH],
    ['GET', events('DRY')],
  ] as const) {
    await server.anonymous().refused('401 M_MISSING_TOKEN', method, url)
  }
})

test('it ends with all sessions and with the account', async () => {
  const who = await server.user('who')
  await who.put(PATH, body(who, 'DRY'))
  await who.post(`${V3}/logout/all`)
  const text = 'SELECT COUNT(*) AS n FROM dehydrated_devices WHERE user_id = ?1'
  assert.equal(await server.count(text, who.userId), 0)
})
