import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { REASON_CHARS_MAX } from '#/services/rooms/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { createRoom, getState, inRoom, invite, join, leave, say, sync, V3 } from '../../support/room-calls.ts'
import { SERVER_NAME, TestServer } from '../../support/test-server.ts'

covers('POST /_matrix/client/v3/knock/{roomIdOrAlias}')

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const path = (text: string): string => `${V3}/knock/${encodeURIComponent(text)}`
const knock = (who: ApiClient, text: string, body: Json = {}): Promise<Json> => who.post(path(text), body)

function knockable(rule = 'knock', more: Json = {}): Promise<string> {
  const rules = { type: 'm.room.join_rules', content: { join_rule: rule } }
  return createRoom(alice, { name: 'Behind the door', initial_state: [rules], ...more })
}

const membership = async (roomId: string, of: ApiClient): Promise<Json> =>
  getState(alice, roomId, 'm.room.member', of.userId)

test('§5.9 a knock shows stripped state with the create event, and an invite answers it', async () => {
  const roomId = await knockable()
  const { next_batch: since } = await sync(bob)
  assert.deepEqual(await knock(bob, roomId, { reason: 'let me in' }), { room_id: roomId })
  const member = await membership(roomId, bob)
  assert.deepEqual([member.membership, member.reason], ['knock', 'let me in'])
  const news = await sync(bob, { since })
  const events: Json[] = news.rooms.knock[roomId].knock_state.events
  const types = events.map((event) => event.type)
  for (const type of ['m.room.create', 'm.room.name', 'm.room.join_rules', 'm.room.member']) {
    assert.ok(types.includes(type), type)
  }
  const own = events.find((event) => event.state_key === bob.userId)
  assert.equal(typeof own?.origin_server_ts, 'number', 'clients date a knock by it')
  for (const { event_id, origin_server_ts, ...event } of events) {
    assert.equal(event_id === undefined && origin_server_ts === undefined, event.state_key !== bob.userId)
    assert.deepEqual(Object.keys(event).sort(), ['content', 'sender', 'state_key', 'type'])
  }
  assert.equal(own?.content.membership, 'knock')
  await invite(alice, roomId, bob)
  const invited = await sync(bob, { since: news.next_batch })
  assert.ok(invited.rooms.invite[roomId])
  assert.equal(invited.rooms.knock?.[roomId], undefined)
  await join(bob, roomId)
  await say(bob, roomId, 'thank you')
})

test('§5.9 a knock is retracted by leaving, and denied by a kick', async () => {
  const roomId = await knockable()
  await knock(bob, roomId)
  const { next_batch: since } = await sync(bob)
  await leave(bob, roomId)
  const news = await sync(bob, { since })
  assert.equal(news.rooms.knock?.[roomId], undefined)
  assert.equal((await membership(roomId, bob)).membership, 'leave')
  await knock(bob, roomId)
  await alice.post(inRoom(roomId, 'kick'), { user_id: bob.userId, reason: 'no' })
  assert.equal((await membership(roomId, bob)).membership, 'leave')
  await knock(bob, roomId)
  await alice.post(inRoom(roomId, 'ban'), { user_id: bob.userId })
  await bob.refused('403 M_FORBIDDEN', 'POST', path(roomId), {})
})

test('a knock may be repeated, and comes by alias too', async () => {
  const name = 'the-door'
  const roomId = await knockable('knock', { room_alias_name: name })
  const alias = `#${name}:${SERVER_NAME}`
  assert.deepEqual(await knock(bob, alias), { room_id: roomId })
  assert.deepEqual(await bob.post(`${path(alias)}?via=x.example&server_name=y.example`), { room_id: roomId })
  await knock(bob, alias, { reason: 'please' })
  assert.equal((await membership(roomId, bob)).reason, 'please')
})

test('one knocks on rooms whose rules say so, in versions that know it', async () => {
  for (const rule of ['invite', 'public', 'private']) {
    const roomId = await knockable(rule)
    await bob.refused('403 M_FORBIDDEN', 'POST', path(roomId), {})
  }
  await knock(bob, await knockable('knock', { room_version: '7' }))
  await bob.refused('403 M_FORBIDDEN', 'POST', path(await knockable('knock', { room_version: '6' })), {})
  await knock(bob, await knockable('knock_restricted', { room_version: '10' }))
  const early = await knockable('knock_restricted', { room_version: '9' })
  await bob.refused('403 M_FORBIDDEN', 'POST', path(early), {})
})

test('who is in the room or invited does not knock', async () => {
  const roomId = await knockable()
  await alice.refused('403 M_FORBIDDEN', 'POST', path(roomId), {})
  await invite(alice, roomId, bob)
  await bob.refused('403 M_FORBIDDEN', 'POST', path(roomId), {})
})

test('a knock does not let anybody in', async () => {
  const roomId = await knockable()
  await knock(bob, roomId)
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'), {})
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom(roomId, 'state'))
  await bob.refused('403 M_FORBIDDEN', 'GET', `${inRoom(roomId, 'messages')}?dir=b`)
})

test('a knock on what is not there, without a token or with a bad body', async () => {
  await bob.refused('404 M_NOT_FOUND', 'POST', path('!nowhere:test.example'), {})
  await bob.refused('404 M_NOT_FOUND', 'POST', path('#nowhere:test.example'), {})
  await bob.refused('400 M_INVALID_PARAM', 'POST', path('nowhere'), {})
  const roomId = await knockable()
  await bob.refused('400 M_BAD_JSON', 'POST', path(roomId), { reason: 'x'.repeat(REASON_CHARS_MAX + 1) })
  await bob.refused('400 M_BAD_JSON', 'POST', path(roomId), { reason: 5 })
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', path(roomId), {})
})
