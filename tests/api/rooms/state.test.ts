import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  allState,
  createRoom,
  getEvent,
  getState,
  inRoom,
  invite,
  join,
  leave,
  messages,
  roomOf,
  say,
  setState,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
  'GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
  'GET /_matrix/client/v3/rooms/{roomId}/state',
)

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const TYPE = 'com.example.thing'

test('state is kept under its type and key, and the last one holds', async () => {
  const roomId = await roomOf([alice, bob])
  await setState(alice, roomId, TYPE, { n: 1 }, 'a')
  await setState(alice, roomId, TYPE, { n: 2 }, 'b')
  await setState(alice, roomId, TYPE, { n: 3 }, 'a')
  assert.deepEqual(await getState(bob, roomId, TYPE, 'a'), { n: 3 })
  assert.deepEqual(await getState(bob, roomId, TYPE, 'b'), { n: 2 })
  const state = await allState(bob, roomId)
  assert.deepEqual(state.get(`${TYPE}|a`).content, { n: 3 })
})

test('an event of state tells what it replaces', async () => {
  const roomId = await roomOf([alice])
  const first = await setState(alice, roomId, TYPE, { n: 1 })
  const second = await setState(alice, roomId, TYPE, { n: 2 })
  const { unsigned } = await getEvent(alice, roomId, second)
  assert.deepEqual([unsigned.prev_content, unsigned.replaces_state], [{ n: 1 }, first])
})

test('the same content again gives the same event id, in any order of keys', async () => {
  const roomId = await roomOf([alice])
  const first = await setState(alice, roomId, TYPE, { a: 1, b: { c: 2, d: 3 } })
  assert.equal(await setState(alice, roomId, TYPE, { b: { d: 3, c: 2 }, a: 1 }), first)
  const other = await setState(alice, roomId, TYPE, { a: 2 })
  assert.notEqual(other, first)
  assert.notEqual(await setState(alice, roomId, TYPE, { a: 1, b: { c: 2, d: 3 } }), first)
})

test('the same content from another user is another event', async () => {
  const roomId = await roomOf([alice, bob], { power_level_content_override: { state_default: 0 } })
  const first = await setState(alice, roomId, TYPE, { a: 1 })
  assert.notEqual(await setState(bob, roomId, TYPE, { a: 1 }), first)
})

test('the same content side by side is one event', async () => {
  const roomId = await roomOf([alice])
  const ids = await Promise.all(Array.from({ length: 10 }, () => setState(alice, roomId, TYPE, { a: 1 })))
  assert.equal(new Set(ids).size, 1)
})

test('an empty state key has three paths, with and without a slash', async () => {
  const roomId = await roomOf([alice])
  const base = inRoom(roomId, 'state', TYPE)
  const first = await alice.put(base, { n: 1 })
  assert.equal((await alice.put(`${base}/`, { n: 1 })).event_id, first.event_id)
  assert.deepEqual(await alice.get(base), { n: 1 })
  assert.deepEqual(await alice.get(`${base}/`), { n: 1 })
  assert.deepEqual(await alice.get(base.replace('/v3/', '/r0/')), { n: 1 })
})

test('state keys with slashes, spaces and letters of all kinds are kept', async () => {
  const roomId = await roomOf([alice])
  for (const key of ['a/b', ' ', 'ä✓', '%2F', '?', '..', '@', 'x'.repeat(255)]) {
    if (key === '@') continue
    await setState(alice, roomId, TYPE, { key }, key)
    assert.deepEqual(await getState(alice, roomId, TYPE, key), { key })
  }
})

test('§5.2 a state key that begins with @ belongs to that user', async () => {
  const roomId = await roomOf([alice, bob], { power_level_content_override: { state_default: 0 } })
  await setState(bob, roomId, TYPE, {}, bob.userId)
  await alice.refused('403 M_FORBIDDEN', 'PUT', inRoom(roomId, 'state', TYPE, bob.userId), {})
  await alice.refused('403 M_FORBIDDEN', 'PUT', inRoom(roomId, 'state', TYPE, '@'), {})
})

test('§5.5 a state key of more than 255 bytes is refused', async () => {
  const roomId = await roomOf([alice])
  for (const key of ['x'.repeat(256), 'ä'.repeat(128)]) {
    const { status } = await alice.call('PUT', inRoom(roomId, 'state', TYPE, key), {})
    assert.ok([400, 413].includes(status), String(status))
  }
})

test('format=event gives the whole event, format=content its content, another is refused', async () => {
  const roomId = await roomOf([alice])
  const eventId = await setState(alice, roomId, TYPE, { n: 1 }, 'k')
  const url = inRoom(roomId, 'state', TYPE, 'k')
  const event = await alice.get(url, { format: 'event' })
  assert.deepEqual([event.event_id, event.state_key, event.room_id], [eventId, 'k', roomId])
  assert.deepEqual(await alice.get(url, { format: 'content' }), { n: 1 })
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${url}?format=other`)
})

test('state that is not there is not found', async () => {
  const roomId = await roomOf([alice])
  await alice.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'state', TYPE, 'none'))
  await alice.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'state', TYPE))
})

test('§5.2 state needs level 50 with and without a power levels event', async () => {
  const roomId = await roomOf([alice, bob])
  await bob.refused('403 M_FORBIDDEN', 'PUT', inRoom(roomId, 'state', TYPE, ''), {})
  await bob.refused('403 M_FORBIDDEN', 'PUT', inRoom(roomId, 'state', 'm.room.name', ''), { name: 'mine' })
})

test('a room has one create event for ever (adv-2)', async () => {
  const roomId = await roomOf([alice])
  const url = inRoom(roomId, 'state', 'm.room.create', '')
  await alice.refused('403 M_FORBIDDEN', 'PUT', url, { room_version: '1' })
})

test('§5.2 nobody gives a level above their own, nor takes from those above', async () => {
  const roomId = await roomOf([alice, bob], { room_version: '11' })
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  const url = inRoom(roomId, 'state', 'm.room.power_levels', '')
  const users = { ...levels.users, [bob.userId]: 50 }
  const events = { ...levels.events, 'm.room.power_levels': 50 }
  await setState(alice, roomId, 'm.room.power_levels', { ...levels, users, events })
  const change = (more: Json) => ({ ...levels, users, events, ...more })
  await bob.refused('403 M_FORBIDDEN', 'PUT', url, change({ users: { ...users, [bob.userId]: 51 } }))
  await bob.refused('403 M_FORBIDDEN', 'PUT', url, change({ users: { ...users, [alice.userId]: 0 } }))
  await bob.refused('403 M_FORBIDDEN', 'PUT', url, change({ kick: 51 }))
  await bob.put(url, change({ users: { ...users, [bob.userId]: 49 } }))
  await bob.refused('403 M_FORBIDDEN', 'PUT', url, change({ users: { ...users, [bob.userId]: 50 } }))
})

test('§5.2 version 12: a creator never stands in the power levels', async () => {
  const roomId = await roomOf([alice])
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  const url = inRoom(roomId, 'state', 'm.room.power_levels', '')
  const { status } = await alice.call('PUT', url, { ...levels, users: { [alice.userId]: 100 } })
  assert.ok(status === 400 || status === 403)
})

test('power levels that are no integers are refused (D7)', async () => {
  const roomId = await roomOf([alice])
  const url = inRoom(roomId, 'state', 'm.room.power_levels', '')
  for (const content of [
    { ban: '50' },
    { ban: true },
    { ban: null },
    { users: { [bob.userId]: '1' } },
    { users: [] },
  ]) {
    const { status } = await alice.call('PUT', url, content)
    assert.ok(status === 400 || status === 403, JSON.stringify(content))
  }
})

test('those outside see no state: not invited, invited, banned from outside, unknown room', async () => {
  const roomId = await createRoom(alice)
  const ask = async (who: ApiClient, id = roomId) => {
    await who.refused('403 M_FORBIDDEN', 'GET', inRoom(id, 'state'))
    await who.refused('403 M_FORBIDDEN', 'GET', inRoom(id, 'state', 'm.room.create', ''))
  }
  await ask(bob)
  await invite(alice, roomId, bob)
  await ask(bob)
  await alice.post(inRoom(roomId, 'ban'), { user_id: bob.userId })
  await ask(bob)
  await ask(bob, '!nowhere:test.example')
})

test('after leaving one sees the state at leaving', async () => {
  const roomId = await roomOf([alice, bob])
  await setState(alice, roomId, TYPE, { n: 1 })
  await leave(bob, roomId)
  await setState(alice, roomId, TYPE, { n: 2 })
  await setState(alice, roomId, TYPE, { n: 3 }, 'new')
  assert.deepEqual(await getState(bob, roomId, TYPE), { n: 1 })
  await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'state', TYPE, 'new'))
  const state = await allState(bob, roomId)
  assert.deepEqual(state.get(`${TYPE}|`).content, { n: 1 })
  assert.equal(state.get(`m.room.member|${bob.userId}`).content.membership, 'leave')
  assert.equal(state.has(`${TYPE}|new`), false)
})

test('a world-readable room shows its state to everybody with an account', async () => {
  const visible = { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }
  const roomId = await createRoom(alice, { initial_state: [visible] })
  assert.equal((await getState(bob, roomId, 'm.room.create')).room_version, '12')
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'shared' })
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom(roomId, 'state'))
})

test('who left a world-readable room sees its present state like everybody', async () => {
  const visible = { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }
  const roomId = await roomOf([alice, bob], { initial_state: [visible] })
  await leave(bob, roomId)
  await setState(alice, roomId, TYPE, { n: 1 })
  assert.deepEqual(await getState(bob, roomId, TYPE), { n: 1 })
})

test('two changes of the same key side by side: both happen, one holds', async () => {
  const roomId = await roomOf([alice])
  const ids = await Promise.all([1, 2, 3, 4].map((n) => setState(alice, roomId, TYPE, { n })))
  assert.equal(new Set(ids).size, 4)
  const held = (await allState(alice, roomId)).get(`${TYPE}|`)
  const newest = (await messages(alice, roomId, { limit: 1 })).chunk[0]
  assert.equal(held.event_id, newest.event_id)
})

test('losing power takes effect for the very next event, also side by side', async () => {
  const roomId = await roomOf([alice, bob], { room_version: '11' })
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  const withBob = (level: number) => ({ ...levels, users: { ...levels.users, [bob.userId]: level } })
  await setState(alice, roomId, 'm.room.power_levels', withBob(50))
  const [, after] = await Promise.all([
    setState(alice, roomId, 'm.room.power_levels', withBob(0)),
    bob.call('PUT', inRoom(roomId, 'state', TYPE, ''), {}),
  ])
  assert.equal(after.status, 403)
})

test('state survives a restart of the server', async () => {
  const own = await TestServer.start()
  try {
    const eve = await own.user('eve')
    const roomId = await createRoom(eve, { name: 'kept' })
    const eventId = await setState(eve, roomId, TYPE, { n: 1 })
    await own.restart()
    assert.equal(await setState(eve, roomId, TYPE, { n: 1 }), eventId)
    assert.deepEqual(await getState(eve, roomId, 'm.room.name'), { name: 'kept' })
    await say(eve, roomId, 'going on')
  } finally {
    await own.close()
  }
})

test('a room gives all of its members as state', async () => {
  const roomId = await roomOf([alice])
  const members = await Promise.all(Array.from({ length: 60 }, () => server.user('crowd')))
  await Promise.all(members.map((member) => join(member, roomId)))
  const state = await allState(alice, roomId)
  for (const member of members)
    assert.equal(state.get(`m.room.member|${member.userId}`).content.membership, 'join')
})

test('joined state of the paths of v3 and r0 is the same', async () => {
  const roomId = await roomOf([alice])
  const v3 = await alice.get(`${V3}/rooms/${encodeURIComponent(roomId)}/state`)
  const r0 = await alice.get(`/_matrix/client/r0/rooms/${encodeURIComponent(roomId)}/state`)
  assert.deepEqual(r0.map((e: Json) => e.event_id).sort(), v3.map((e: Json) => e.event_id).sort())
})

test('a server ACL that shuts out its own server is refused, since nobody could take it back', async () => {
  const roomId = await createRoom(alice)
  const url = inRoom(roomId, 'state', 'm.room.server_acl', '')
  for (const content of [
    {},
    { allow: [] },
    { allow: ['other.example'] },
    { allow: ['*'], deny: ['TEST.*'] },
  ]) {
    await alice.refused('400 M_INVALID_PARAM', 'PUT', url, content)
  }
  const initial_state = [{ type: 'm.room.server_acl', content: { deny: ['*'] } }]
  await alice.refused('400 M_INVALID_PARAM', 'POST', `${V3}/createRoom`, { initial_state })
  const acl = { allow: ['*'], deny: ['evil.example'] }
  await setState(alice, roomId, 'm.room.server_acl', acl)
  assert.deepEqual(await getState(alice, roomId, 'm.room.server_acl'), acl)
})

test('a lifetime of messages that is none is refused', async () => {
  const roomId = await createRoom(alice)
  const url = inRoom(roomId, 'state', 'm.room.retention', '')
  for (const content of [
    { max_lifetime: '1d' },
    { max_lifetime: -1 },
    { min_lifetime: true },
    { min_lifetime: 5000, max_lifetime: 4000 },
  ]) {
    await alice.refused('400 M_BAD_JSON', 'PUT', url, content)
  }
  for (const content of [{}, { max_lifetime: 86_400_000 }, { min_lifetime: 1, max_lifetime: null }]) {
    await setState(alice, roomId, 'm.room.retention', content)
  }
})
