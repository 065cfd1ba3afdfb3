/** Counts of members, and who a room is named after, in both ways of syncing. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json, Query } from '../../support/api-client.ts'
import { coversPart } from '../../support/covers.ts'
import {
  createRoom,
  inRoom,
  join,
  leave,
  redact,
  roomOf,
  say,
  setState,
  sync,
  syncWith,
} from '../../support/room-calls.ts'
import { all, SlidingLoop, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

coversPart('GET /_matrix/client/v3/sync')

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

async function summaryOf(who: ApiClient, roomId: string, query: Query = {}): Promise<Json> {
  return (await sync(who, query)).rooms.join[roomId].summary
}

test('§5.11 heroes stand in the order in which they came into the room, not in that of their accounts', async () => {
  const old = await server.user('old')
  const young = await server.user('young')
  const roomId = await roomOf([alice, young, old])
  assert.deepEqual((await summaryOf(alice, roomId))['m.heroes'], [young.userId, old.userId])
  assert.deepEqual((await summaryOf(young, roomId))['m.heroes'], [alice.userId, old.userId])
})

test('§5.11 heroes are found behind many who left before', async () => {
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  for (let i = 0; i < 60; i++) {
    const target = { user_id: `@gone${i}:${alice.userId.split(':')[1]}` }
    await alice.post(inRoom(roomId, 'ban'), target)
  }
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  for (const one of [bob, carol]) await join(one, roomId)
  /* A new name makes the creator's membership the newest of all. */
  await setState(alice, roomId, 'm.room.member', { membership: 'join', displayname: 'A' }, alice.userId)
  assert.deepEqual((await summaryOf(bob, roomId))['m.heroes'], [carol.userId, alice.userId])
})

test('§5.11 who only knocked is no hero', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, {
    initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
  })
  await bob.post(`/_matrix/client/v3/knock/${encodeURIComponent(roomId)}`)
  assert.deepEqual((await summaryOf(alice, roomId))['m.heroes'], [])
})

test('§5.11 a room that loses its name is told whom it is named after, with their members', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, carol, bob], { name: 'for a while' })
  const filter = { room: { timeline: { limit: 1 }, state: { lazy_load_members: true } } }
  const { next_batch: since } = await syncWith(bob, filter)
  await setState(alice, roomId, 'm.room.name', { name: '' })
  const { summary, state } = (await syncWith(bob, filter, { since })).rooms.join[roomId]
  assert.deepEqual(summary['m.heroes'], [alice.userId, carol.userId])
  const keys = state.events.map((event: Json) => event.state_key)
  assert.deepEqual(keys.sort(), [alice.userId, carol.userId])
})

test('§5.11 a room whose name was redacted has heroes', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const name = await setState(alice, roomId, 'm.room.name', { name: 'a slip' })
  assert.equal((await summaryOf(bob, roomId))['m.heroes'], undefined)
  await redact(alice, roomId, name)
  assert.deepEqual((await summaryOf(bob, roomId))['m.heroes'], [alice.userId])
})

test('§5.11 counts are told also to a client whose filter leaves members out', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, bob])
  const filter = { room: { timeline: { types: ['m.room.message'] }, state: { types: [] } } }
  const { next_batch: since } = await syncWith(bob, filter)
  await join(carol, roomId)
  await say(alice, roomId, 'welcome')
  const { summary, timeline } = (await syncWith(bob, filter, { since })).rooms.join[roomId]
  assert.equal(summary['m.joined_member_count'], 3)
  assert.equal(timeline.events.length, 1)
})

test('§5.11 a new name is no news to a client whose filter leaves members out', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const filter = { room: { timeline: { types: ['m.room.message'] }, state: { types: [] } } }
  const { next_batch: since } = await syncWith(bob, filter)
  const named = { membership: 'join', displayname: 'A new name' }
  await setState(alice, roomId, 'm.room.member', named, alice.userId)
  const answer = await syncWith(bob, filter, { since })
  assert.deepEqual(answer.rooms?.join ?? {}, {})
  await say(alice, roomId, 'my name is new')
  const part = (await syncWith(bob, filter, { since: answer.next_batch })).rooms.join[roomId]
  assert.equal(part.timeline.events.length, 1)
})

test('sliding sync names heroes of a room that has an alias and no name', async () => {
  const bob = await server.user('bob')
  const room_alias_name = `alias-of-${bob.userId.slice(1).split(':')[0]}`
  const roomId = await roomOf([alice, bob], { room_alias_name })
  const { rooms } = await sliding(bob, { lists: { l: all() } })
  assert.deepEqual(
    rooms[roomId].heroes.map((hero: Json) => hero.user_id),
    [alice.userId],
  )
  assert.equal((await summaryOf(bob, roomId))['m.heroes'], undefined)
  await leave(bob, roomId)
})

test('sliding sync tells that a room is direct also to lists that do not ask for it', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob)
  await loop.next()
  const path = `/_matrix/client/v3/user/${encodeURIComponent(bob.userId)}/account_data/m.direct`
  const waiting = loop.next({}, { timeout: 10_000 })
  await bob.put(path, { [alice.userId]: [roomId] })
  assert.equal((await waiting).rooms[roomId].is_dm, true)
  assert.deepEqual((await loop.next()).rooms, {})
  await bob.put(path, {})
  assert.equal((await loop.next()).rooms[roomId].is_dm, false)
})
