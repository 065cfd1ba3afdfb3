/** Sliding sync: filters, counts and order of lists; requests that are refused; waiting. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { OWN_CHANGES_MAX } from '#/services/sync/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  inRoom,
  invite,
  join,
  leave,
  redact,
  roomOf,
  say,
  setState,
  sync,
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

/** Milliseconds within which a waiting request must hear of news, far below its timeout, on a busy machine. */
const SOON_MS = 2000
const LONG_MS = 30_000

async function data(who: ApiClient, type: string, content: Json, roomId?: string): Promise<void> {
  const room = roomId === undefined ? '' : `/rooms/${encodeURIComponent(roomId)}`
  const user = encodeURIComponent(who.userId)
  await who.put(`/_matrix/client/v3/user/${user}${room}/account_data/${type}`, content)
}

/** Ids of the rooms that pass a filter, and the list's count. */
async function passing(who: ApiClient, filters: Json): Promise<string[]> {
  const { rooms, lists } = await sliding(who, { lists: { l: all({ filters }) } })
  const ids = Object.keys(rooms).sort()
  assert.equal(lists.l.count, ids.length)
  return ids
}

const sorted = (...ids: string[]): string[] => ids.sort()

test('is_dm asks whether a room is named in m.direct', async () => {
  const bob = await server.user('bob')
  const [one, two] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  await data(bob, 'm.direct', { [alice.userId]: [one], odd: 'value' })
  assert.deepEqual(await passing(bob, { is_dm: true }), [one])
  assert.deepEqual(await passing(bob, { is_dm: false }), [two])
  assert.deepEqual(await passing(bob, {}), sorted(one, two))
})

test('a room that becomes direct says so, and moves from list to list', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const lists = { direct: all({ filters: { is_dm: true } }), others: all({ filters: { is_dm: false } }) }
  const loop = new SlidingLoop(bob, { lists })
  const first = await loop.next()
  assert.deepEqual([first.lists.direct.count, first.lists.others.count], [0, 1])
  await data(bob, 'm.direct', { [alice.userId]: [roomId] })
  const second = await loop.next()
  assert.deepEqual([second.lists.direct.count, second.lists.others.count], [1, 0])
  assert.deepEqual([second.rooms[roomId].is_dm, second.rooms[roomId].lists], [true, ['direct']])
  assert.equal(second.rooms[roomId].timeline, undefined)
  await data(bob, 'm.direct', {})
  assert.equal((await loop.next()).rooms[roomId].is_dm, false)
})

test('is_encrypted, is_invite, room types and names', async () => {
  const bob = await server.user('bob')
  const secret = await roomOf([alice, bob], { name: 'Secret Café' })
  await setState(alice, secret, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' })
  const space = await roomOf([alice, bob], { creation_content: { type: 'm.space' }, name: 'Space' })
  const invited = await createRoom(alice, { preset: 'private_chat', name: 'in' })
  await invite(alice, invited, bob)
  assert.deepEqual(await passing(bob, { is_encrypted: true }), [secret])
  assert.deepEqual(await passing(bob, { is_encrypted: false }), sorted(space, invited))
  assert.deepEqual(await passing(bob, { is_invite: true }), [invited])
  assert.deepEqual(await passing(bob, { is_invite: false }), sorted(secret, space))
  assert.deepEqual(await passing(bob, { room_types: ['m.space'] }), [space])
  assert.deepEqual(await passing(bob, { room_types: [null, 'other'] }), sorted(secret, invited))
  assert.deepEqual(await passing(bob, { not_room_types: ['m.space'] }), sorted(secret, invited))
  assert.deepEqual(await passing(bob, { not_room_types: [null] }), [space])
  assert.deepEqual(await passing(bob, { room_types: ['m.space'], not_room_types: ['m.space'] }), [])
  assert.deepEqual(await passing(bob, { room_name_like: 'CAFÉ' }), [secret])
  await setState(alice, secret, 'm.room.name', { name: 'Tea' })
  assert.deepEqual(await passing(bob, { room_name_like: 'café' }), [])
  const whole = { is_encrypted: true, is_dm: false, is_invite: false, room_name_like: 'te' }
  assert.deepEqual(await passing(bob, whole), [secret])
})

test('a filtered list follows the rooms', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob, { lists: { l: all({ filters: { is_encrypted: true } }) } })
  assert.deepEqual((await loop.next()).lists.l, { count: 0 })
  await setState(alice, roomId, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' })
  const answer = await loop.next()
  assert.deepEqual([answer.lists.l.count, Object.keys(answer.rooms)], [1, [roomId]])
})

test('tags and not_tags', async () => {
  const bob = await server.user('bob')
  const [one, two, three] = [
    await roomOf([alice, bob]),
    await roomOf([alice, bob]),
    await roomOf([alice, bob]),
  ]
  await data(bob, 'm.tag', { tags: { 'm.favourite': {}, 'u.x': {} } }, one)
  await data(bob, 'm.tag', { tags: { 'm.favourite': {} } }, two)
  assert.deepEqual(await passing(bob, { tags: ['m.favourite', 'u.other'] }), sorted(one, two))
  assert.deepEqual(await passing(bob, { not_tags: ['m.favourite'] }), [three])
  assert.deepEqual(await passing(bob, { tags: ['m.favourite'], not_tags: ['u.x'] }), [two])
  await data(bob, 'm.tag', { tags: {} }, two)
  assert.deepEqual(await passing(bob, { tags: ['m.favourite'] }), [one])
})

test('spaces: the children of spaces that one is in, and no grandchildren', async () => {
  const bob = await server.user('bob')
  const spaceOf = (): Promise<string> => roomOf([alice, bob], { creation_content: { type: 'm.space' } })
  const [space, inner, foreign] = [await spaceOf(), await spaceOf(), await spaceOf()]
  const [child, grandchild, other] = [
    await roomOf([alice, bob]),
    await roomOf([alice, bob]),
    await roomOf([alice, bob]),
  ]
  const via = { via: ['test.example'] }
  await setState(alice, space, 'm.space.child', via, child)
  await setState(alice, space, 'm.space.child', via, inner)
  await setState(alice, space, 'm.space.child', {}, other)
  await setState(alice, inner, 'm.space.child', via, grandchild)
  await setState(alice, foreign, 'm.space.child', via, other)
  await leave(bob, foreign)
  assert.deepEqual(await passing(bob, { spaces: [space, foreign, '!none:x'] }), sorted(child, inner))
  const loop = new SlidingLoop(bob, { lists: { l: all({ filters: { spaces: [space] } }) } })
  assert.equal((await loop.next()).lists.l.count, 2)
  await setState(alice, space, 'm.space.child', {}, inner)
  await setState(alice, space, 'm.space.child', via, other)
  const { rooms, lists } = await loop.next()
  assert.equal(lists.l.count, 2)
  assert.ok(rooms[other], 'a room comes into the list without news of its own')
})

test('rooms are ordered by their newest event, bump stamps by activity alone', async () => {
  const bob = await server.user('bob')
  const [one, two] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  await say(alice, one, 'a')
  await say(alice, two, 'b')
  const loop = new SlidingLoop(bob)
  const before = (await loop.next()).rooms
  assert.ok(before[two].bump_stamp > before[one].bump_stamp)
  await setState(alice, one, 'm.room.topic', { topic: 'no activity' })
  const moved = (await loop.next()).rooms[one]
  assert.equal(moved.bump_stamp, before[one].bump_stamp)
  const window = { lists: { all: all({ ranges: [[0, 0]] }) } }
  assert.deepEqual(Object.keys((await sliding(bob, { conn_id: 'x', ...window })).rooms), [one])
  await say(alice, one, 'activity')
  assert.ok((await loop.next()).rooms[one].bump_stamp > before[two].bump_stamp)
})

test('bump stamps and facts are the same after a restart', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'kept' })
  const id = await say(alice, roomId, 'a')
  await redact(alice, roomId, id)
  const filters = { room_name_like: 'kept' }
  const ask = { lists: { l: all({ filters }) } }
  const loop = new SlidingLoop(bob, ask)
  const before = (await loop.next()).rooms[roomId]
  await server.restart()
  await bob.refused('400 M_UNKNOWN_POS', 'POST', `${SLIDING}?pos=${loop.pos}`, ask)
  const after = (await sliding(bob, ask)).rooms[roomId]
  assert.equal(after.bump_stamp, before.bump_stamp)
  assert.deepEqual(
    after.timeline.map((event: Json) => event.event_id),
    before.timeline.map((event: Json) => event.event_id),
  )
})

test('several ranges and lists of one request', async () => {
  const bob = await server.user('bob')
  const rooms: string[] = []
  for (let i = 0; i < 6; i++) rooms.unshift(await roomOf([alice, bob]))
  const lists = {
    top: all({ ranges: [[0, 0]] }),
    some: all({
      ranges: [
        [4, 9],
        [2, 2],
      ],
    }),
  }
  const answer = await sliding(bob, { lists })
  assert.deepEqual(Object.keys(answer.rooms).sort(), sorted(rooms[0]!, rooms[2]!, rooms[4]!, rooms[5]!))
  const whole = await sliding(bob, { lists: { all: { timeline_limit: 1, required_state: [] } } })
  assert.equal(Object.keys(whole.rooms).length, 6, 'without ranges the whole list is meant')
})

test('a list of the same request with another range later in the order hears of a room that is pushed into it', async () => {
  const bob = await server.user('bob')
  const [one, two] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const loop = new SlidingLoop(bob, { lists: { second: all({ ranges: [[1, 1]] }) } })
  assert.deepEqual(Object.keys((await loop.next()).rooms), [one])
  await say(alice, one, 'up')
  assert.deepEqual(Object.keys((await loop.next()).rooms), [two])
})

async function wakes(loop: SlidingLoop, news: () => Promise<unknown>): Promise<Json> {
  const started = performance.now()
  const waiting = loop.next({}, { timeout: LONG_MS })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await news()
  const answer = await waiting
  assert.ok(performance.now() - started < SOON_MS, 'the request was not woken')
  return answer
}

test('a waiting request is woken by a message, an invite and account data that it asked for', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob, {
    lists: { all: all() },
    extensions: { account_data: { enabled: true } },
  })
  await loop.next()
  const message = await wakes(loop, () => say(alice, roomId, 'hello'))
  assert.deepEqual(texts(message.rooms[roomId].timeline), ['hello'])
  const invited = await createRoom(alice, { preset: 'private_chat' })
  const second = await wakes(loop, () => invite(alice, invited, bob))
  assert.equal(second.rooms[invited].membership, 'invite')
  const third = await wakes(loop, () => data(bob, 'org.test', { a: 1 }))
  assert.deepEqual(third.extensions.account_data.global, [{ type: 'org.test', content: { a: 1 } }])
})

test('a request without news waits its time and answers empty, and goes on from there', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob)
  await loop.next()
  const started = performance.now()
  const answer = await loop.next({}, { timeout: 150 })
  assert.ok(performance.now() - started >= 140)
  assert.deepEqual(answer.rooms, {})
  await say(alice, roomId, 'later')
  assert.deepEqual(texts((await loop.next()).rooms[roomId].timeline), ['later'])
})

test('a room outside of the window does not end the waiting', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const filters = { is_encrypted: true }
  const loop = new SlidingLoop(bob, { lists: { l: all({ filters }) } })
  await loop.next()
  const started = performance.now()
  const waiting = loop.next({}, { timeout: 300 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await say(alice, roomId, 'elsewhere')
  assert.deepEqual((await waiting).rooms, {})
  assert.ok(performance.now() - started >= 290)
})

test('what is not well-formed is refused', async () => {
  const bob = await server.user('bob')
  const list = all()
  const many = (n: number, of: (i: number) => Json): Json =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`n${i}`, of(i)]))
  const bad: [string, Json][] = [
    ['400 M_BAD_JSON', { lists: [] }],
    ['400 M_BAD_JSON', { lists: { l: all({ timeline_limit: 'x' }) } }],
    ['400 M_MISSING_PARAM', { lists: { l: { ranges: [[0, 1]] } } }],
    ['400 M_BAD_JSON', { lists: { l: all({ timeline_limit: -1 }) } }],
    ['400 M_BAD_JSON', { lists: { l: all({ ranges: [[-1, 2]] }) } }],
    ['400 M_BAD_JSON', { lists: { l: all({ filters: { is_dm: 'yes' } }) } }],
    ['400 M_BAD_JSON', { conn_id: 'x'.repeat(65) }],
    ['400 M_INVALID_PARAM', { lists: { l: all({ ranges: [[3, 2]] }) } }],
    ['400 M_INVALID_PARAM', { lists: { l: all({ ranges: [[3]] }) } }],
    ['400 M_INVALID_PARAM', { lists: { l: all({ required_state: [['m.room.name']] }) } }],
    ['400 M_INVALID_PARAM', { lists: { ['l'.repeat(65)]: list } }],
    ['400 M_INVALID_PARAM', { lists: many(101, () => list) }],
    [
      '400 M_INVALID_PARAM',
      { room_subscriptions: many(101, () => ({ timeline_limit: 1, required_state: [] })) },
    ],
  ]
  for (const [verdict, body] of bad) {
    const { status, json } = await bob.call('POST', SLIDING, body)
    assert.equal(`${status} ${json.errcode}`, verdict, JSON.stringify(body).slice(0, 200))
  }
  const { status } = await bob.call('POST', SLIDING, { lists: many(100, () => list), unknown: 1 })
  assert.equal(status, 200)
})

test('more connections than a device may have: the one used longest ago is unknown', async () => {
  const bob = await server.user('bob')
  const loops = Array.from({ length: 11 }, (_, i) => new SlidingLoop(bob, { conn_id: `c${i}`, lists: {} }))
  for (const loop of loops) await loop.next()
  await bob.refused('400 M_UNKNOWN_POS', 'POST', `${SLIDING}?pos=${loops[0]!.pos}`, loops[0]!.body)
  await loops[1]!.next()
})

test('whoever joins while a list is asked for is in it', async () => {
  const bob = await server.user('bob')
  const rooms = await Promise.all(Array.from({ length: 5 }, () => roomOf([alice])))
  const loop = new SlidingLoop(bob)
  await loop.next()
  const answers = await Promise.all([
    ...rooms.map((roomId) => join(bob, roomId)),
    loop.next({}, { timeout: 1000 }),
  ])
  const first = Object.keys(answers.at(-1).rooms)
  const rest = Object.keys((await loop.next()).rooms)
  assert.deepEqual([...new Set([...first, ...rest])].sort(), rooms.sort())
})

test('a room whose name was redacted is not found by it any more, and after a restart neither', async () => {
  const roomId = await createRoom(alice, { name: 'Unmentionable' })
  const nameId = (await alice.get(`/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state`)).find(
    (event: Json) => event.type === 'm.room.name',
  ).event_id
  const named = { lists: { named: all({ filters: { room_name_like: 'unmention' } }) } }
  const loop = new SlidingLoop(alice, named)
  assert.equal((await loop.next()).lists.named.count, 1)
  await redact(alice, roomId, nameId)
  assert.equal((await loop.next()).lists.named.count, 0)
  await server.restart()
  assert.equal((await sliding(alice, named)).lists.named.count, 0)
})

test('a room that the reader was banned from and forgets is in no list any more', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
  const loop = new SlidingLoop(bob)
  await alice.post(`${room}/ban`, { user_id: bob.userId })
  assert.equal((await loop.next()).lists.all.count, 1)
  await bob.post(`${room}/forget`, {})
  assert.equal((await loop.next()).lists.all.count, 0)
})

test('adv-52 room_name_like does not tell a banned user what the room is called since', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  await alice.post(`/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/ban`, { user_id: bob.userId })
  await setState(alice, roomId, 'm.room.name', { name: 'after all' })
  assert.deepEqual(await passing(bob, { room_name_like: 'after' }), [])
  assert.deepEqual(await passing(bob, {}), [roomId])
})

async function ignore(who: ApiClient, other: ApiClient): Promise<void> {
  const url = `/_matrix/client/v3/user/${encodeURIComponent(who.userId)}/account_data/m.ignored_user_list`
  await who.put(url, { ignored_users: { [other.userId]: {} } })
}

test('that a room was left is told also when an invite behind it is hidden', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob)
  assert.equal((await loop.next()).rooms[roomId].membership, 'join')
  await ignore(bob, alice)
  await leave(bob, roomId)
  await invite(alice, roomId, bob)
  assert.equal((await loop.next()).rooms[roomId].membership, 'leave')
  assert.deepEqual((await loop.next()).rooms, {})
})

test('that a visible invite was taken back is told by both syncs, also when a hidden one came behind it', async () => {
  const [bob, carol] = [await server.user('bob'), await server.user('carol')]
  const roomId = await roomOf([carol, alice], { power_level_content_override: { invite: 0 } })
  await invite(carol, roomId, bob)
  const first = await sync(bob)
  assert.ok(first.rooms.invite[roomId])
  const loop = new SlidingLoop(bob)
  assert.equal((await loop.next()).rooms[roomId].membership, 'invite')
  await ignore(bob, alice)
  await carol.post(inRoom(roomId, 'kick'), { user_id: bob.userId })
  await invite(alice, roomId, bob)
  assert.equal((await loop.next()).rooms[roomId].membership, 'leave')
  assert.deepEqual((await loop.next()).rooms, {})
  const { rooms } = await sync(bob, { since: first.next_batch })
  assert.deepEqual([Object.keys(rooms), Object.keys(rooms.leave)], [['leave'], [roomId]])
})

/** New clients of both kinds see the knock and nothing of its answer. */
async function knockStands(who: ApiClient, roomId: string): Promise<void> {
  const fresh = await sync(who)
  assert.deepEqual([Object.keys(fresh.rooms), Object.keys(fresh.rooms.knock)], [['knock'], [roomId]])
  const { rooms, lists } = await new SlidingLoop(who, { conn_id: 'fresh', lists: { all: all() } }).next()
  assert.deepEqual([rooms[roomId].membership, lists.all.count], ['knock', 1])
  for (const events of [fresh.rooms.knock[roomId].knock_state.events, rooms[roomId].invite_state]) {
    const members = events.filter((event: Json) => event.type === 'm.room.member')
    assert.deepEqual(
      members.map((event: Json) => [event.state_key, event.content.membership]),
      [[who.userId, 'knock']],
    )
  }
}

test('a knock that somebody ignored answers with an invite goes on standing in both syncs', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice)
  await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'knock' })
  await ignore(bob, alice)
  await bob.post(`/_matrix/client/v3/knock/${encodeURIComponent(roomId)}`, {})
  const first = await sync(bob)
  assert.ok(first.rooms.knock[roomId])
  const loop = new SlidingLoop(bob)
  assert.equal((await loop.next()).rooms[roomId].membership, 'knock')
  await invite(alice, roomId, bob)
  assert.deepEqual((await loop.next()).rooms, {}, 'it is not told that it ended')
  assert.equal((await sync(bob, { since: first.next_batch })).rooms, undefined)
  await knockStands(bob, roomId)
  await leave(bob, roomId)
  assert.equal((await loop.next()).rooms[roomId].membership, 'leave')
  assert.ok((await sync(bob, { since: first.next_batch })).rooms.leave[roomId])
  await bob.post(`/_matrix/client/v3/knock/${encodeURIComponent(roomId)}`, {})
  await invite(alice, roomId, bob)
  await server.restart()
  await knockStands(bob, roomId)
})

test('a knock stands behind a hidden invite also where the room has other join rules since', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice)
  await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'knock' })
  await ignore(bob, alice)
  await bob.post(`/_matrix/client/v3/knock/${encodeURIComponent(roomId)}`, {})
  await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'invite' })
  await invite(alice, roomId, bob)
  await knockStands(bob, roomId)
  await server.restart()
  await knockStands(bob, roomId)
})

for (const rejoins of [0, 1]) {
  test(`that a room was left is told by both syncs behind any number of hidden invites (${rejoins} stays between)`, async () => {
    const bob = await server.user('bob')
    const roomId = await roomOf([alice, bob])
    const { next_batch: since } = await sync(bob)
    const loop = new SlidingLoop(bob)
    assert.equal((await loop.next()).rooms[roomId].membership, 'join')
    await ignore(bob, alice)
    await leave(bob, roomId)
    for (let i = 0; i < rejoins; i++) {
      await invite(alice, roomId, bob)
      await join(bob, roomId)
      await leave(bob, roomId)
    }
    const more = OWN_CHANGES_MAX / 2 + 2
    for (let i = 0; i < more; i++) {
      await invite(alice, roomId, bob)
      await leave(bob, roomId)
    }
    await invite(alice, roomId, bob)
    await say(alice, roomId, 'not for bob')
    const { rooms } = await loop.next()
    assert.equal(rooms[roomId].membership, 'leave')
    assert.ok(!JSON.stringify(rooms).includes('not for bob'))
    assert.deepEqual((await loop.next()).rooms, {})
    const answer = await sync(bob, { since })
    assert.deepEqual(Object.keys(answer.rooms), ['leave'])
    const { events } = answer.rooms.leave[roomId].timeline
    assert.equal(events.at(-1).content.membership, 'leave')
    assert.ok(!JSON.stringify(events).includes('not for bob'))
    assert.deepEqual((await sync(bob, { since: answer.next_batch })).rooms?.leave ?? {}, {})
  })
}
