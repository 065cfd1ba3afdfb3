import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import { LIMITS } from '#/http/limit-names.ts'
import { RateLimiter } from '#/http/rate-limiter.ts'
import type { ApiClient, Json, Method } from '../../support/api-client.ts'
import { createRoom, inRoom, roomOf, say, sync, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

/** Three of each, and then nothing for a long while. */
const RATE = { perSecond: 0.001, burst: 3 }

let server: TestServer
before(async () => {
  const free = { perSecond: 1000, burst: 1000 }
  server = await TestServer.start({
    limits: new RateLimiter(realWorld.clock, {
      ...LIMITS,
      rc_registration: free,
      rc_room_creation: { perSecond: 0.001, burst: 12 },
      rc_message: RATE,
      'rc_joins.local': RATE,
      rc_joins_per_room: { perSecond: 0.001, burst: 4 },
      'rc_invites.per_user': RATE,
      'rc_invites.per_issuer': free,
      'rc_invites.per_room': { perSecond: 0.001, burst: 5 },
    }),
  })
})
after(() => server.close())

/** The fourth call is refused, with the time to wait. */
async function limitedAfterThree(
  who: ApiClient,
  method: Method,
  url: (i: number) => string,
  body: Json,
): Promise<void> {
  for (let i = 0; i < 3; i++) await who.ok(method, url(i), body)
  const { status, json, headers } = await who.call(method, url(3), body)
  assert.deepEqual([status, json.errcode], [429, 'M_LIMIT_EXCEEDED'])
  assert.ok(Number.isInteger(json.retry_after_ms) && json.retry_after_ms > 1000)
  assert.ok(Number(headers['Retry-After']) >= 1)
}

test('messages beyond rc_message are refused with retry_after_ms, and are not sent', async () => {
  const alice = await server.user('alice')
  const roomId = await createRoom(alice)
  const url = (i: number) => inRoom(roomId, 'send', 'm.room.message', `t${i}`)
  await limitedAfterThree(alice, 'PUT', url, { msgtype: 'm.text', body: 'x' })
  const { timeline } = (await sync(alice)).rooms.join[roomId]
  assert.equal(timeline.events.filter((event: Json) => event.type === 'm.room.message').length, 3)
})

test('messages, state and redactions of one user share the limit; others are not touched', async () => {
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const roomId = await roomOf([alice, bob])
  const first = await say(alice, roomId, 'x')
  await alice.put(inRoom(roomId, 'state', 'm.room.name', ''), { name: 'n' })
  await alice.put(inRoom(roomId, 'redact', first, 't'), {})
  const name = inRoom(roomId, 'state', 'm.room.name', '')
  await alice.refused('429 M_LIMIT_EXCEEDED', 'PUT', name, { name: 'm' })
  await say(bob, roomId, 'y')
})

test('joins beyond rc_joins.local are refused', async () => {
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const rooms = [1, 2, 3, 4].map(() => createRoom(alice, { preset: 'public_chat' }))
  const ids = await Promise.all(rooms)
  await limitedAfterThree(bob, 'POST', (i) => inRoom(ids[i]!, 'join'), {})
  assert.equal((await bob.get(`${V3}/joined_rooms`)).joined_rooms.length, 3)
})

test('joins into one room beyond rc_joins_per_room are refused, whoever joins', async () => {
  const alice = await server.user('alice')
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  const verdicts: number[] = []
  for (let i = 0; i < 5; i++) {
    const user = await server.user('joiner')
    verdicts.push((await user.call('POST', inRoom(roomId, 'join'), {})).status)
  }
  assert.deepEqual(verdicts, [200, 200, 200, 200, 429])
})

test('one user is invited only so often, and one room invites only so often', async () => {
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const ids = await Promise.all([1, 2, 3, 4].map(() => createRoom(alice)))
  await limitedAfterThree(alice, 'POST', (i) => inRoom(ids[i]!, 'invite'), { user_id: bob.userId })
  const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => server.user('guest')))
  const verdicts: number[] = []
  const room = await createRoom(alice)
  for (const { userId } of others) {
    verdicts.push((await alice.call('POST', inRoom(room, 'invite'), { user_id: userId })).status)
  }
  assert.deepEqual(verdicts, [200, 200, 200, 200, 200, 429])
})

test('invites of createRoom count as well', async () => {
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await limitedAfterThree(alice, 'POST', () => `${V3}/createRoom`, { invite: [bob.userId] })
})

test('rooms beyond rc_room_creation are refused', async () => {
  const alice = await server.user('alice')
  for (let i = 0; i < 12; i++) await createRoom(alice)
  await alice.refused('429 M_LIMIT_EXCEEDED', 'POST', `${V3}/createRoom`, {})
})
