/** Sliding sync: connections, lists, what is told of rooms. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  eventIds,
  invite,
  join,
  leave,
  roomOf,
  say,
  setState,
  texts,
} from '../../support/room-calls.ts'
import { all, SLIDING, SlidingLoop, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync')

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

test('a new account has no rooms, and its lists are empty', async () => {
  const bob = await server.user('bob')
  const answer = await sliding(bob, { lists: { all: all() } })
  assert.deepEqual([answer.lists, answer.rooms], [{ all: { count: 0 } }, {}])
  assert.ok(answer.pos)
})

test('a room comes whole the first time', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'one' })
  for (let i = 0; i < 8; i++) await say(alice, roomId, `n${i}`)
  const { rooms, lists } = await sliding(bob, {
    lists: {
      all: all({
        required_state: [
          ['m.room.create', ''],
          ['m.room.member', '$ME'],
        ],
      }),
    },
  })
  const room = rooms[roomId]
  assert.equal(lists.all.count, 1)
  assert.deepEqual(texts(room.timeline), ['n3', 'n4', 'n5', 'n6', 'n7'])
  assert.deepEqual(
    [room.name, room.initial, room.limited, room.joined_count, room.invited_count, room.num_live],
    ['one', true, true, 2, 0, 0],
  )
  assert.deepEqual([room.membership, room.heroes, room.is_dm], ['join', undefined, undefined])
  const state = room.required_state.map((event: Json) => `${event.type}|${event.state_key}`)
  assert.deepEqual(state, ['m.room.create|', `m.room.member|${bob.userId}`])
  assert.ok(room.prev_batch)
  for (const event of room.timeline) assert.equal(event.room_id, undefined)
})

test('what is new comes once, and only that', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const quiet = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob)
  assert.deepEqual(Object.keys((await loop.next()).rooms).sort(), [roomId, quiet].sort())
  assert.deepEqual((await loop.next()).rooms, {})
  await say(alice, roomId, 'hello')
  const { rooms } = await loop.next()
  assert.deepEqual(Object.keys(rooms), [roomId])
  const room = rooms[roomId]
  assert.deepEqual([texts(room.timeline), room.initial, room.limited], [['hello'], undefined, false])
  assert.deepEqual([room.num_live, room.name, room.required_state], [1, undefined, undefined])
  assert.deepEqual((await loop.next()).rooms, {})
})

test('the window shows the newest rooms, and the rest when it grows', async () => {
  const bob = await server.user('bob')
  const rooms: string[] = []
  for (let i = 0; i < 6; i++) rooms.push(await roomOf([alice, bob]))
  const loop = new SlidingLoop(bob, { lists: { all: all({ ranges: [[0, 1]] }) } })
  const first = await loop.next()
  assert.deepEqual(Object.keys(first.rooms).sort(), rooms.slice(4).sort())
  assert.equal(first.lists.all.count, 6)
  const second = await loop.next({ lists: { all: all({ ranges: [[0, 3]] }) } })
  assert.deepEqual(Object.keys(second.rooms).sort(), rooms.slice(2, 4).sort())
  await say(alice, rooms[0]!, 'up')
  const third = await loop.next()
  assert.deepEqual(Object.keys(third.rooms), [rooms[0]])
  assert.equal(third.rooms[rooms[0]!].initial, true)
  assert.equal(third.rooms[rooms[0]!].num_live, 1)
  const fourth = await loop.next({ lists: { all: all({ ranges: [[0, 99]] }) } })
  assert.deepEqual(Object.keys(fourth.rooms), [rooms[1]])
})

test('a room out of the window is told where it left off when it comes back', async () => {
  const bob = await server.user('bob')
  const [one, two] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const loop = new SlidingLoop(bob, { lists: { all: all({ ranges: [[0, 1]] }) } })
  await loop.next()
  await say(alice, one, 'a')
  await say(alice, two, 'b')
  const narrow = await loop.next({ lists: { all: all({ ranges: [[0, 0]] }) } })
  assert.deepEqual(Object.keys(narrow.rooms), [two])
  const wide = await loop.next({ lists: { all: all({ ranges: [[0, 1]] }) } })
  assert.deepEqual(Object.keys(wide.rooms), [one])
  assert.deepEqual([texts(wide.rooms[one].timeline), wide.rooms[one].initial], [['a'], undefined])
  assert.equal(wide.rooms[one].num_live, 0, 'it occurred before the last answer')
})

test('a timeline with a gap says so, and prev_batch leads into it', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob)
  await loop.next()
  for (let i = 0; i < 9; i++) await say(alice, roomId, `n${i}`)
  await setState(alice, roomId, 'm.room.name', { name: 'in the gap' })
  for (let i = 0; i < 6; i++) await say(alice, roomId, `m${i}`)
  const room = (await loop.next()).rooms[roomId]
  assert.deepEqual(texts(room.timeline), ['m1', 'm2', 'm3', 'm4', 'm5'])
  assert.deepEqual([room.limited, room.name], [true, 'in the gap'])
  const page = await bob.get(`/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages`, {
    dir: 'b',
    from: room.prev_batch,
    limit: 2,
  })
  assert.deepEqual(
    page.chunk.map((event: Json) => event.content.body ?? event.content.name),
    ['m0', 'in the gap'],
  )
})

test('a greater timeline limit brings older events at once', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  for (let i = 0; i < 9; i++) await say(alice, roomId, `n${i}`)
  const loop = new SlidingLoop(bob, { lists: { all: all({ timeline_limit: 1 }) } })
  assert.deepEqual(texts((await loop.next()).rooms[roomId].timeline), ['n8'])
  const room = (await loop.next({ lists: { all: all({ timeline_limit: 3 }) } })).rooms[roomId]
  assert.deepEqual(texts(room.timeline), ['n6', 'n7', 'n8'])
  assert.deepEqual(
    [room.unstable_expanded_timeline, room.limited, room.initial, room.num_live],
    [true, true, undefined, 0],
  )
  const less = await loop.next({ lists: { all: all({ timeline_limit: 1 }) } })
  assert.deepEqual(less.rooms, {})
  const again = await loop.next({ lists: { all: all({ timeline_limit: 3 }) } })
  assert.deepEqual(again.rooms, {}, 'these it has')
})

test('a subscription shows a room outside of every list, with the greater of the wishes', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'sub' })
  await roomOf([alice, bob])
  for (let i = 0; i < 9; i++) await say(alice, roomId, `n${i}`)
  await roomOf([alice, bob])
  const lists = { all: all({ ranges: [[0, 0]], timeline_limit: 1 }) }
  const loop = new SlidingLoop(bob, { lists })
  assert.equal((await loop.next()).rooms[roomId], undefined)
  const room_subscriptions = {
    [roomId]: { timeline_limit: 4, required_state: [['m.room.create', '']] },
    '!unknown:test.example': { timeline_limit: 4, required_state: [] },
  }
  const { rooms } = await loop.next({ room_subscriptions })
  assert.deepEqual(Object.keys(rooms), [roomId])
  assert.deepEqual(texts(rooms[roomId].timeline), ['n5', 'n6', 'n7', 'n8'])
  assert.equal(rooms[roomId].lists, undefined)
  const wide = (await loop.next({ lists: { all: all({ timeline_limit: 1 }) } })).rooms
  const state = wide[roomId].required_state.map((event: Json) => event.type)
  assert.deepEqual(state, ['m.room.member'], 'what the list adds to the subscription')
})

test('adv-52 a room that somebody is not in is not shown by subscribing to it', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, { preset: 'private_chat' })
  const room_subscriptions = { [roomId]: { timeline_limit: 4, required_state: [['*', '*']] } }
  assert.deepEqual((await sliding(bob, { room_subscriptions })).rooms, {})
})

test('adv-52 nothing of after the leaving is told, and the leaving is', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'before' })
  const loop = new SlidingLoop(bob, { lists: { all: all({ required_state: [['*', '*']] }) } })
  await loop.next()
  await say(alice, roomId, 'seen')
  await leave(bob, roomId)
  await say(alice, roomId, 'secret')
  await setState(alice, roomId, 'm.room.name', { name: 'after' })
  const answer = await loop.next()
  const room = answer.rooms[roomId]
  assert.deepEqual([room.membership, texts(room.timeline), room.name], ['leave', ['seen'], undefined])
  assert.equal(room.joined_count, undefined)
  assert.deepEqual(room.timeline.at(-1).content.membership, 'leave')
  assert.equal(answer.lists.all.count, 0)
  await say(alice, roomId, 'more')
  assert.deepEqual((await loop.next()).rooms, {})
  const fresh = await sliding(bob, {
    lists: { all: all() },
    room_subscriptions: { [roomId]: { timeline_limit: 20, required_state: [['m.room.name', '']] } },
  })
  assert.deepEqual(texts(fresh.rooms[roomId].timeline), ['seen'])
  assert.equal(fresh.rooms[roomId].name, 'before')
})

test('who was put out of a room finds it in the list; who comes back gets it whole', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob)
  await loop.next()
  await alice.post(`/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/kick`, { user_id: bob.userId })
  const out = await loop.next()
  assert.deepEqual([out.rooms[roomId].membership, out.lists.all.count], ['leave', 1])
  assert.deepEqual((await loop.next()).rooms, {})
  await join(bob, roomId)
  const back = (await loop.next()).rooms[roomId]
  assert.deepEqual([back.membership, back.initial], ['join', true])
})

test('an invite comes with its stripped state and nothing more', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, { preset: 'private_chat', name: 'come in' })
  await say(alice, roomId, 'secret')
  const loop = new SlidingLoop(bob)
  await loop.next()
  await invite(alice, roomId, bob)
  const room = (await loop.next()).rooms[roomId]
  assert.deepEqual([room.membership, room.initial, room.name], ['invite', true, 'come in'])
  assert.ok(room.invite_state.some((event: Json) => event.state_key === bob.userId))
  assert.deepEqual([room.timeline, room.required_state, room.joined_count], [undefined, undefined, undefined])
  await say(alice, roomId, 'more')
  assert.deepEqual((await loop.next()).rooms, {})
  await join(bob, roomId)
  const joined = (await loop.next()).rooms[roomId]
  assert.deepEqual([joined.membership, joined.initial, joined.invite_state], ['join', true, undefined])
})

test('a stay that began and ended since the leaving that was told is told as a leaving, once', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob)
  await loop.next()
  await leave(bob, roomId)
  assert.equal((await loop.next()).rooms[roomId].membership, 'leave')
  await join(bob, roomId)
  await say(alice, roomId, 'welcome back')
  await leave(bob, roomId)
  await say(alice, roomId, 'gone again')
  const room = (await loop.next()).rooms[roomId]
  assert.deepEqual([room.membership, room.initial], ['leave', true])
  assert.ok(texts(room.timeline).includes('welcome back'))
  assert.ok(!texts(room.timeline).includes('gone again'), 'nothing of after the leaving')
  assert.deepEqual((await loop.next()).rooms, {})
})

test('a refused invite is told with the leaving alone', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, { preset: 'private_chat', name: 'come in' })
  await invite(alice, roomId, bob)
  const loop = new SlidingLoop(bob)
  assert.equal((await loop.next()).rooms[roomId].membership, 'invite')
  await leave(bob, roomId)
  const room = (await loop.next()).rooms[roomId]
  assert.deepEqual([room.membership, room.timeline.length, room.name], ['leave', 1, undefined])
})

test('the same position gives the same again, and the answer that arrived counts', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob)
  await loop.next()
  const before = loop.pos
  const id = await say(alice, roomId, 'hello')
  const once = await loop.next()
  loop.pos = before
  const twice = await loop.next()
  assert.deepEqual(eventIds(once.rooms[roomId].timeline), [id])
  assert.deepEqual(eventIds(twice.rooms[roomId].timeline), [id])
  loop.pos = once.pos
  assert.deepEqual((await loop.next()).rooms, {})
})

test('positions that are not those of the connection are refused', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  const loop = new SlidingLoop(bob)
  await loop.next()
  const old = loop.pos
  await loop.next()
  await loop.next()
  for (const pos of [old, 'p1_1_1', 's1_1', 'x', '']) {
    await bob.refused('400 M_UNKNOWN_POS', 'POST', `${SLIDING}?pos=${pos}`, loop.body)
  }
  await carol.refused('400 M_UNKNOWN_POS', 'POST', `${SLIDING}?pos=${loop.pos}`, loop.body)
  const other = { ...loop.body, conn_id: 'other' }
  await bob.refused('400 M_UNKNOWN_POS', 'POST', `${SLIDING}?pos=${loop.pos}`, other)
})

test('a request without a position whose client has gone does not end what was begun since', async () => {
  const bob = await server.user('bob')
  const loop = new SlidingLoop(bob)
  await loop.next()
  const gone = await bob.call('POST', SLIDING, loop.body, { signal: AbortSignal.abort() })
  assert.equal(gone.status, 499, 'nothing is made for nobody')
  await loop.next()
})

test('D3: first answers of one user are made one after the other, and all of them come', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      new SlidingLoop(bob, { conn_id: `c${i % 3}`, lists: { all: all() } }).next(),
    ),
  )
  for (const { rooms } of answers) assert.equal(rooms[roomId].initial, true)
})

test('connections of one device do not disturb each other', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const one = new SlidingLoop(bob, { conn_id: 'one', lists: { all: all() } })
  const two = new SlidingLoop(bob, { conn_id: 'two', lists: { all: all() } })
  await one.next()
  assert.ok((await two.next()).rooms[roomId])
  await say(alice, roomId, 'hello')
  assert.deepEqual(texts((await one.next()).rooms[roomId].timeline), ['hello'])
  assert.deepEqual(texts((await two.next()).rooms[roomId].timeline), ['hello'])
})

test('without a token nobody is answered', async () => {
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', SLIDING, {})
})
