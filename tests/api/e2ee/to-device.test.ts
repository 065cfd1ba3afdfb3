import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import { LIMITS } from '#/http/limit-names.ts'
import { RateLimiter } from '#/http/rate-limiter.ts'
import { TO_DEVICE_CONTENT_BYTES_MAX, TO_DEVICE_DEVICES_MAX } from '#/services/e2ee/limits.ts'
import { TO_DEVICE_CHARS_MAX } from '#/services/sync/limits.ts'
import type { ApiClient } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { sync, V3 } from '../../support/room-calls.ts'
import { SlidingLoop } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'
import { receive, receiveAll, sendUrl, tell } from '../../support/to-device-calls.ts'
import { until } from '../../support/until.ts'

covers('PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}')

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

const waiting = (): Promise<number> => server.count('SELECT COUNT(*) AS n FROM inbox_messages')

test('§5.12 messages are kept until the client returns with the position that covers them, in order of arrival', async () => {
  const { next: start } = await receiveAll(bob)
  for (let n = 1; n <= 3; n++) await tell(alice, bob, n)
  const first = await receive(bob, start)
  assert.deepEqual(first.got, [1, 2, 3])
  assert.deepEqual((await receive(bob, start)).got, [1, 2, 3], 'a repeated since repeats')
  await tell(alice, bob, 4)
  assert.deepEqual((await receive(bob, start)).got, [1, 2, 3, 4])
  const second = await receive(bob, first.next)
  assert.deepEqual(second.got, [4])
  await server.restart()
  assert.deepEqual((await receive(bob, first.next)).got, [4], 'and outlives a restart')
  assert.deepEqual((await receive(bob, second.next)).got, [])
  await until('no message waits', async () => (await waiting()) === 0)
})

test('an event has sender, type and content', async () => {
  const { next } = await receiveAll(bob)
  const content = { a: { b: [1, 'é'] } }
  await alice.put(sendUrl('m.some/type', alice.txn()), {
    messages: { [bob.userId]: { [bob.deviceId]: content } },
  })
  const { to_device: got } = await sync(bob, { since: next })
  assert.deepEqual(got, { events: [{ sender: alice.userId, type: 'm.some/type', content }] })
})

test('a transaction is carried out once, also after a restart; another type or device has its own', async () => {
  const { next } = await receiveAll(bob)
  const second = await server.device(alice)
  for (let i = 0; i < 2; i++) await tell(alice, bob, 1, [bob.deviceId], 'same')
  await Promise.all([1, 2, 3].map(() => tell(alice, bob, 2, [bob.deviceId], 'at once')))
  await server.restart()
  await tell(alice, bob, 3, [bob.deviceId], 'same')
  await tell(second, bob, 4, [bob.deviceId], 'same')
  const messages = { [bob.userId]: { [bob.deviceId]: { n: 5 } } }
  await alice.put(sendUrl('m.other', 'same'), { messages })
  assert.deepEqual((await receiveAll(bob, next)).got, [1, 2, 4, 5])
})

test('§5.12 `*` is all devices of a user; devices and users that are not there are left out', async () => {
  const carol = await server.user('carol')
  const phone = await server.device(carol)
  await tell(alice, carol, 1, ['*'])
  await tell(alice, carol, 2, ['*', phone.deviceId])
  await tell(alice, carol, 3, [phone.deviceId, 'NOTHERE'])
  const messages = {
    '@nobody:test.example': { '*': { n: 4 } },
    '@far:away.example': { D: { n: 5 } },
    'not a user': { D: {} },
  }
  await alice.put(sendUrl('m.test', alice.txn()), { messages })
  assert.deepEqual((await receiveAll(carol)).got, [1, 2])
  assert.deepEqual((await receiveAll(phone)).got, [1, 2, 3])
  const later = await server.device(carol)
  assert.deepEqual((await receiveAll(later)).got, [], 'a new device begins with nothing')
})

test('§5.12 an answer gives a hundred messages, and the next one comes at once', async () => {
  const { next: start } = await receiveAll(bob)
  const numbers = Array.from({ length: 250 }, (_, n) => n)
  for (const n of numbers) await tell(alice, bob, n)
  const first = await receive(bob, start, 30_000)
  const second = await receive(bob, first.next, 30_000)
  assert.deepEqual((await receive(bob, first.next, 30_000)).got, second.got)
  const third = await receive(bob, second.next, 30_000)
  assert.deepEqual([...first.got, ...second.got, ...third.got], numbers)
  assert.deepEqual([first.got.length, second.got.length], [100, 100])
  assert.deepEqual((await receive(bob, third.next)).got, [])
  await until('no message waits', async () => (await waiting()) === 0)
})

test('an answer stays small where messages are large', async () => {
  const { next: start } = await receiveAll(bob)
  const size = TO_DEVICE_CONTENT_BYTES_MAX - 100
  const count = Math.floor(TO_DEVICE_CHARS_MAX / size) + 3
  for (let i = 0; i < count; i++) {
    const messages = { [bob.userId]: { '*': { n: i, filler: 'x'.repeat(size) } } }
    await alice.put(sendUrl('m.test', alice.txn()), { messages })
  }
  const first = await receive(bob, start)
  assert.ok(first.got.length < count, `${first.got.length} of ${count}`)
  const rest = await receiveAll(bob, first.next)
  assert.equal(first.got.length + rest.got.length, count)
})

test('a waiting sync hears of a message at once, and only the device that it is for', async () => {
  const phone = await server.device(bob)
  const [here, there] = [await receiveAll(bob), await receiveAll(phone)]
  const waits = receive(bob, here.next, 20_000)
  const other = receive(phone, there.next, 400)
  await new Promise((resolve) => setTimeout(resolve, 50))
  await tell(alice, bob, 'now')
  assert.deepEqual((await waits).got, ['now'])
  assert.deepEqual((await other).got, [])
})

test('a position of the answer works for reading rooms too', async () => {
  const { next: start } = await receiveAll(bob)
  for (let n = 0; n < 101; n++) await tell(alice, bob, n)
  const { next_batch: token } = await sync(bob, { since: start })
  assert.match(token, /d\d+$/)
  await bob.get(`${V3}/events`, { from: token, timeout: 0 })
  for (const bad of [`${token}x`, token.replace(/d\d+$/, 'd'), token.replace(/d\d+$/, 'd-1'), `${token}d1`]) {
    await bob.refused('400 M_INVALID_PARAM', 'GET', `${V3}/sync?since=${bad}`)
  }
  assert.equal((await receiveAll(bob, token)).got.length, 1)
})

test('messages end with their device, and with the account', async () => {
  const dave = await server.user('dave')
  const phone = await server.device(dave)
  await tell(alice, dave, 1, ['*'])
  await phone.post(`${V3}/logout`)
  const again = server.anonymous()
  const identifier = { type: 'm.id.user', user: dave.userId }
  const login = { type: 'm.login.password', identifier, password: 'a password', device_id: phone.deviceId }
  again.become(await again.post(`${V3}/login`, login))
  assert.deepEqual((await receive(again, undefined)).got, [], 'a device of the same name begins anew')
  const auth = { type: 'm.login.password', identifier, password: 'a password' }
  await dave.post(`${V3}/account/deactivate`, { auth })
  await tell(alice, dave, 2, ['*'])
  await server.store.commit({ lane: '', ops: [{ op: 'job.sweep', now: 0, limit: 1000 }] })
  const text = 'SELECT COUNT(*) AS n FROM inboxes WHERE user_id = ?1 OR user_id IS NULL'
  assert.equal(await server.count(text, dave.userId), 0)
})

test('sliding sync gives messages by a position of their own', async () => {
  const loop = new SlidingLoop(bob, { lists: {}, extensions: { to_device: { enabled: true } } })
  let since: string | undefined
  const next = async (more: object = {}, query: object = {}) => {
    const toDevice = { enabled: true, ...(since === undefined ? {} : { since }), ...more }
    const answer = await loop.next({ extensions: { to_device: toDevice } }, { ...query })
    const { events, next_batch: token } = answer.extensions.to_device
    return { got: events.map((event: { content: { n: unknown } }) => event.content.n), token }
  }
  for (;;) {
    const { got, token } = await next()
    since = token
    if (got.length === 0) break
  }
  for (let n = 1; n <= 5; n++) await tell(alice, bob, n)
  const first = await next({ limit: 2 }, { timeout: 30_000 })
  assert.deepEqual(first.got, [1, 2])
  assert.deepEqual((await next({ limit: 2 })).got, [1, 2], 'a repeated since repeats')
  since = first.token
  const second = await next({}, { timeout: 30_000 })
  assert.deepEqual(second.got, [3, 4, 5], 'what waits is given at once')
  since = second.token
  const waits = next({}, { timeout: 20_000 })
  await new Promise((resolve) => setTimeout(resolve, 50))
  await tell(alice, bob, 6)
  const third = await waits
  assert.deepEqual(third.got, [6])
  since = third.token
  assert.deepEqual((await next()).got, [])
  await until('no message waits', async () => (await waiting()) === 0)
  const url = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
  const foreign = { extensions: { to_device: { enabled: true, since: '123' } } }
  const { extensions } = await bob.post(url, foreign)
  assert.deepEqual(extensions.to_device.events, [], 'a token of another program begins anew')
})

test('what is no message is refused, and nothing of it is sent', async () => {
  const { next } = await receiveAll(bob)
  const put = (code: string, body: unknown) =>
    alice.refused(code, 'PUT', sendUrl('m.test', alice.txn()), body)
  const to = (content: unknown) => ({ messages: { [bob.userId]: { [bob.deviceId]: content } } })
  await put('400 M_MISSING_PARAM', {})
  await put('400 M_NOT_JSON', 'no')
  await put('400 M_NOT_JSON', '{"messages":{}')
  await put('400 M_BAD_JSON', { messages: [] })
  await put('400 M_BAD_JSON', { messages: { [bob.userId]: [] } })
  for (const content of ['text', null, [1]]) await put('400 M_BAD_JSON', to(content))
  const raw = (content: string) => `{"messages":{"${bob.userId}":{"*":${content}}}}`
  await put('400 M_BAD_JSON', raw('{"a":1.5}'))
  await put('400 M_BAD_JSON', raw('{"a":1,"a":2}'))
  await put('400 M_BAD_JSON', raw('{"a":"\\ud800"}'))
  await put('400 M_BAD_JSON', `{"messages":{"${bob.userId}":{},"${bob.userId}":{}}}`)
  await put('413 M_TOO_LARGE', to({ a: 'x'.repeat(TO_DEVICE_CONTENT_BYTES_MAX) }))
  const many = Object.fromEntries(Array.from({ length: TO_DEVICE_DEVICES_MAX + 1 }, (_, i) => [`D${i}`, {}]))
  await put('413 M_TOO_LARGE', { messages: { [bob.userId]: many } })
  const long = sendUrl('m.test', 't'.repeat(300))
  await alice.refused('400 M_INVALID_PARAM', 'PUT', long, to({}))
  await alice.refused('400 M_INVALID_PARAM', 'PUT', sendUrl('m.\0', 't'), to({}))
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'PUT', sendUrl('m.test', 't'), to({}))
  assert.deepEqual((await receiveAll(bob, next)).got, [])
  await tell(alice, bob, 1, [bob.deviceId, 'x\0y'])
  assert.deepEqual((await receiveAll(bob, next)).got, [1], 'a NUL in a name is a name of no device')
})

/** A request for keys, or its cancellation. */
function request(from: ApiClient, n: number, action = 'request'): object {
  const body = { algorithm: 'm.megolm.v1.aes-sha2', room_id: '!r:x', session_id: 's', sender_key: 'k' }
  const asked = action === 'request' ? { body } : {}
  return { n, action, request_id: `r${n}`, requesting_device_id: from.deviceId, ...asked }
}

test('a request for keys that was not given yet goes with its cancellation; one that was given stays, as does the cancellation', async () => {
  const [awake, asleep] = [await server.device(alice), await server.device(alice)]
  const here = await receiveAll(awake)
  const send = (n: number, action?: string, from = alice) =>
    alice.put(sendUrl('m.room_key_request', alice.txn()), {
      messages: { [alice.userId]: { '*': request(from, n, action) } },
    })
  await send(1)
  await send(2)
  await send(1, 'request_cancellation', bob)
  const given = await receive(awake, here.next)
  assert.deepEqual(given.got, [1, 2, 1], 'another device cancels nothing')
  await send(1, 'request_cancellation')
  await send(3)
  await send(3, 'request_cancellation')
  assert.deepEqual((await receive(awake, here.next)).got, [1, 2, 1, 1], 'what was given repeats')
  assert.deepEqual((await receive(awake, given.next)).got, [1])
  assert.deepEqual((await receiveAll(asleep)).got, [2, 1], 'who heard of nothing yet hears of what is left')
  const sleeper = await server.device(alice)
  await send(5)
  await server.restart()
  await send(5, 'request_cancellation')
  assert.deepEqual(
    (await receiveAll(sleeper)).got,
    [5, 5],
    'who may have been given it before a restart hears of both',
  )
})

test('requests for keys beyond rc_key_requests are left out; those to own devices are not counted', async () => {
  const limits = new RateLimiter(realWorld.clock, {
    ...LIMITS,
    rc_registration: { perSecond: 100, burst: 100 },
    'rc_login.address': { perSecond: 100, burst: 100 },
    'rc_login.account': { perSecond: 100, burst: 100 },
    rc_key_requests: { perSecond: 0.001, burst: 2 },
  })
  const limited = await TestServer.start({ limits })
  const [one, two] = [await limited.user('one'), await limited.user('two')]
  const ask = (to: ApiClient, n: number, type = 'm.room_key_request') =>
    one.put(sendUrl(type, one.txn()), { messages: { [to.userId]: { [to.deviceId]: request(one, n) } } })
  for (let n = 0; n < 4; n++) await ask(two, n)
  for (let n = 0; n < 4; n++) await ask(one, n)
  await ask(two, 9, 'm.test')
  assert.deepEqual((await receiveAll(two)).got, [0, 1, 9])
  assert.deepEqual((await receiveAll(one)).got, [0, 1, 2, 3])
  await limited.close()
})
