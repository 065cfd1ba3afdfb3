import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  eventIds,
  inRoom,
  invite,
  join,
  leave,
  messages,
  roomOf,
  say,
  setState,
  sync,
  texts,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/v3/events',
  'GET /_matrix/client/v3/events/{eventId}',
  'GET /_matrix/client/v3/initialSync',
  'GET /_matrix/client/v3/rooms/{roomId}/initialSync',
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

async function guest(): Promise<ApiClient> {
  const client = server.anonymous()
  client.become(await client.post(`${V3}/register?kind=guest`))
  return client
}

async function readable(): Promise<string> {
  const roomId = await createRoom(alice, { preset: 'public_chat', name: 'glass house' })
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' })
  return roomId
}

const events = (who: ApiClient, query: Json): Promise<Json> =>
  who.get(`${V3}/events`, { timeout: 0, ...query })
const snapshot = (who: ApiClient, roomId: string, query: Json = {}): Promise<Json> =>
  who.get(inRoom(roomId, 'initialSync'), query)
const now = async (who: ApiClient): Promise<string> => (await sync(who)).next_batch

test('events of all rooms of the reader come in order, and the token goes on', async () => {
  const carol = await server.user('carol')
  const [one, two] = [await roomOf([carol, alice]), await roomOf([carol, alice])]
  const hidden = await createRoom(alice)
  const from = await now(carol)
  await say(alice, one, 'a')
  await say(alice, hidden, 'hidden')
  await say(alice, two, 'b')
  const first = await events(carol, { from })
  assert.deepEqual(texts(first.chunk), ['a', 'b'])
  assert.deepEqual(
    first.chunk.map((event: Json) => event.room_id),
    [one, two],
  )
  assert.ok(from.startsWith(first.start), `${from} goes on from ${first.start}`)
  await say(alice, one, 'c')
  const second = await events(carol, { from: first.end })
  assert.deepEqual(texts(second.chunk), ['c'])
  assert.deepEqual((await events(carol, { from: second.end })).chunk, [])
})

test('a long stretch comes in pieces without gap or repetition', async () => {
  const carol = await server.user('carol')
  const [one, two] = [await roomOf([carol]), await roomOf([carol])]
  const from = await now(carol)
  for (let i = 0; i < 115; i++) await say(carol, i % 3 === 0 ? one : two, `${i}`)
  const all: string[] = []
  let at = from
  for (let i = 0; i < 5; i++) {
    const page = await events(carol, { from: at })
    assert.ok(page.chunk.length <= 100)
    all.push(...texts(page.chunk))
    at = page.end
  }
  assert.deepEqual(
    all,
    Array.from({ length: 115 }, (_, i) => `${i}`),
  )
})

test('who waits is woken by an event of their room, an invite, and of a room they peek into', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, carol])
  const told = events(carol, { from: await now(carol), timeout: 20_000 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await say(alice, roomId, 'wake up')
  assert.deepEqual(texts((await told).chunk), ['wake up'])
  const asked = events(carol, { from: await now(carol), timeout: 20_000 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  const door = await createRoom(alice)
  await invite(alice, door, carol)
  assert.equal((await asked).chunk[0].content.membership, 'invite')
  const glass = await readable()
  const peeking = events(await guest(), { room_id: glass, from: await now(alice), timeout: 20_000 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await say(alice, glass, 'seen through the window')
  assert.deepEqual(texts((await peeking).chunk), ['seen through the window'])
})

test('a wait without news ends in time with an empty answer', async () => {
  const carol = await server.user('carol')
  const { chunk, start, end } = await events(carol, { timeout: 50 })
  assert.deepEqual([chunk, end], [[], start])
})

test('a peek ends when the room is shut', async () => {
  const client = await guest()
  const roomId = await readable()
  const from = await now(alice)
  await say(alice, roomId, 'open')
  assert.deepEqual(texts((await events(client, { room_id: roomId, from })).chunk), ['open'])
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'shared' })
  await client.refused(
    '403 M_FORBIDDEN',
    'GET',
    `${V3}/events?timeout=0&room_id=${encodeURIComponent(roomId)}`,
  )
})

test('who left a room hears of it up to their leaving', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, carol])
  const from = await now(carol)
  await say(alice, roomId, 'before')
  await leave(carol, roomId)
  await say(alice, roomId, 'after')
  const named = await events(carol, { from, room_id: roomId })
  assert.deepEqual(texts(named.chunk), ['before'])
  assert.equal(named.chunk.at(-1).content.membership, 'leave')
  assert.deepEqual(texts((await events(carol, { from })).chunk), ['before'])
})

test('events asked for badly are refused', async () => {
  const roomId = await createRoom(alice)
  const url = `${V3}/events?timeout=0`
  await bob.refused('403 M_FORBIDDEN', 'GET', `${url}&room_id=${encodeURIComponent(roomId)}`)
  await bob.refused('403 M_FORBIDDEN', 'GET', `${url}&room_id=!nowhere:x`)
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${url}&room_id=nowhere`)
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${url}&from=nonsense`)
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${url}&from=s99_1`)
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${V3}/events?timeout=x`)
  await (await guest()).refused('400 M_MISSING_PARAM', 'GET', url)
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', url)
})

test('one event without its room', async () => {
  const roomId = await roomOf([alice])
  const id = await say(alice, roomId, 'one')
  const event = await alice.get(`${V3}/events/${encodeURIComponent(id)}`)
  assert.deepEqual([event.event_id, event.room_id], [id, roomId])
  await bob.refused('404 M_NOT_FOUND', 'GET', `${V3}/events/${encodeURIComponent(id)}`)
  await bob.refused('404 M_NOT_FOUND', 'GET', `${V3}/events/$unknown`)
})

test('the snapshot of a room: state, newest messages in order, tokens for both directions', async () => {
  const roomId = await roomOf([alice, bob], { name: 'here' })
  for (let i = 0; i < 6; i++) await say(alice, roomId, `${i}`)
  await alice.put(`${V3}/user/${encodeURIComponent(alice.userId)}/rooms/${roomId}/account_data/m.tag`, {
    tags: {},
  })
  const found = await snapshot(alice, roomId, { limit: 3 })
  assert.equal(found.membership, 'join')
  assert.deepEqual(texts(found.messages.chunk), ['3', '4', '5'])
  assert.ok(found.state.some((event: Json) => event.type === 'm.room.name'))
  assert.deepEqual(found.account_data, [{ type: 'm.tag', content: { tags: {} } }])
  const back = await messages(alice, roomId, { from: found.messages.start, limit: 3 })
  assert.deepEqual(texts(back.chunk), ['2', '1', '0'])
  await say(bob, roomId, 'later')
  assert.deepEqual(texts((await events(alice, { from: found.messages.end })).chunk), ['later'])
})

test('a guest looks into a room that everybody may read, and into no other', async () => {
  const roomId = await readable()
  await say(alice, roomId, 'hello window')
  const client = await guest()
  const found = await snapshot(client, roomId)
  assert.equal(found.membership, undefined)
  assert.deepEqual(texts(found.messages.chunk), ['hello window'])
  const shut = await createRoom(alice)
  await client.refused('403 M_FORBIDDEN', 'GET', inRoom(shut, 'initialSync'))
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom('!nowhere:x', 'initialSync'))
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${inRoom(roomId, 'initialSync')}?limit=x`)
})

test('who left gets the snapshot of their leaving', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, carol], { name: 'then' })
  await say(alice, roomId, 'seen')
  await leave(carol, roomId)
  await say(alice, roomId, 'unseen')
  await setState(alice, roomId, 'm.room.name', { name: 'now' })
  const found = await snapshot(carol, roomId)
  assert.equal(found.membership, 'leave')
  assert.deepEqual(texts(found.messages.chunk), ['seen'])
  const name = found.state.find((event: Json) => event.type === 'm.room.name')
  assert.equal(name.content.name, 'then')
})

test('snapshots have presence, receipts and whether a room is published', async () => {
  const [carol, dave] = [await server.user('carol'), await server.user('dave')]
  const roomId = await createRoom(carol, { preset: 'public_chat', visibility: 'public' })
  await join(dave, roomId)
  const id = await say(carol, roomId, 'read this')
  await dave.post(inRoom(roomId, 'receipt', 'm.read', id), {})
  const room = await snapshot(carol, roomId, { limit: 0 })
  assert.deepEqual([room.messages.chunk, room.visibility], [[], 'public'])
  const all = await carol.get(`${V3}/initialSync`, { limit: 0 })
  assert.deepEqual(all.rooms[0].messages.chunk, [])
  for (const found of [room, all]) {
    const [receipt] = found.receipts
    assert.deepEqual([receipt.room_id, Object.keys(receipt.content[id]['m.read'])], [roomId, [dave.userId]])
    const own = found.presence.find((event: Json) => event.content.user_id === carol.userId)
    assert.equal(own.content.presence, 'offline')
  }
  assert.ok(room.presence.some((event: Json) => event.content.user_id === dave.userId))
  const stranger = await guest()
  await setState(carol, roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' })
  const seen = await snapshot(stranger, roomId)
  assert.deepEqual([seen.presence, seen.receipts], [[], []])
})

test('the snapshot of all rooms: joined, invited, and left ones when asked for', async () => {
  const carol = await server.user('carol')
  const here = await roomOf([carol, alice])
  const id = await say(alice, here, 'one')
  const door = await createRoom(alice)
  await invite(alice, door, carol)
  const gone = await roomOf([alice, carol])
  await leave(carol, gone)
  const refusedOne = await createRoom(alice)
  await invite(alice, refusedOne, carol)
  await leave(carol, refusedOne)
  const found = await carol.get(`${V3}/initialSync`, { limit: 1 })
  const byRoom = new Map<string, Json>(found.rooms.map((room: Json) => [room.room_id, room]))
  assert.deepEqual([...byRoom.keys()].sort(), [here, door].sort())
  assert.deepEqual(eventIds(byRoom.get(here).messages.chunk), [id])
  assert.equal(byRoom.get(door).membership, 'invite')
  assert.equal(byRoom.get(door).inviter, alice.userId)
  assert.equal(byRoom.get(door).invite.content.membership, 'invite')
  assert.ok(found.account_data.some((event: Json) => event.type === 'm.push_rules'))
  const archived = await carol.get(`${V3}/initialSync`, { archived: true })
  assert.deepEqual(archived.rooms.map((room: Json) => room.room_id).sort(), [here, door, gone].sort())
  await say(alice, here, 'two')
  assert.deepEqual(texts((await events(carol, { from: found.end })).chunk), ['two'])
  await carol.refused('400 M_INVALID_PARAM', 'GET', `${V3}/initialSync?archived=7`)
  await (await guest()).refused('403 M_GUEST_ACCESS_FORBIDDEN', 'GET', `${V3}/initialSync`)
})

test('the join of a peeker is seen by them as of everybody', async () => {
  const roomId = await readable()
  const from = await now(alice)
  await join(bob, roomId)
  const { chunk } = await events(bob, { from, room_id: roomId })
  assert.deepEqual(
    chunk.map((event: Json) => event.content.membership),
    ['join'],
  )
})
