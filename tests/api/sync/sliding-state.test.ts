/** Sliding sync: the wanted state, lazy members, heroes, the form of the merged proposal, and account data. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers, coversPart } from '../../support/covers.ts'
import { createRoom, invite, join, leave, roomOf, say, setState, sync } from '../../support/room-calls.ts'
import { all, SlidingLoop, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('POST /_matrix/client/v4/sync')
coversPart('POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync')

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

const keys = (events: readonly Json[] | undefined): string[] =>
  (events ?? []).map((event) => `${event.type}|${event.state_key}`).sort()

async function stateOf(who: ApiClient, roomId: string, required: Json, limit = 5): Promise<string[]> {
  const lists = { l: all({ required_state: required, timeline_limit: limit }) }
  return keys((await sliding(who, { lists, conn_id: 'state' })).rooms[roomId].required_state)
}

test('wildcards: all keys of a type, one key of all types, everything', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'n' })
  await setState(alice, roomId, 'org.test', { a: 1 }, 'x')
  await setState(alice, roomId, 'org.test', { a: 2 }, 'y')
  await setState(alice, roomId, 'org.other', { a: 3 }, 'x')
  const members = [`m.room.member|${alice.userId}`, `m.room.member|${bob.userId}`]
  assert.deepEqual(await stateOf(bob, roomId, [['org.test', '*']]), ['org.test|x', 'org.test|y'])
  assert.deepEqual(await stateOf(bob, roomId, [['*', 'x']]), ['org.other|x', 'org.test|x'])
  assert.deepEqual(await stateOf(bob, roomId, [['m.room.member', '*']]), members.sort())
  assert.deepEqual(await stateOf(bob, roomId, []), [])
  const whole = keys(await bob.get(`/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state`))
  assert.deepEqual(await stateOf(bob, roomId, [['*', '*']]), whole)
  assert.deepEqual(
    await stateOf(
      bob,
      roomId,
      [
        ['*', '*'],
        ['m.room.member', '$LAZY'],
      ],
      0,
    ),
    whole.filter((key) => !key.startsWith('m.room.member|')),
  )
  /* Keys that come later are known as well. */
  await setState(alice, roomId, 'org.test', { a: 2 }, 'z')
  assert.deepEqual(await stateOf(bob, roomId, [['org.test', '*']]), [
    'org.test|x',
    'org.test|y',
    'org.test|z',
  ])
})

test('only wanted state that changed comes later, also out of a gap', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const loop = new SlidingLoop(bob, {
    lists: {
      l: all({
        timeline_limit: 2,
        required_state: [
          ['m.room.topic', ''],
          ['org.test', '*'],
        ],
      }),
    },
  })
  await loop.next()
  await setState(alice, roomId, 'm.room.topic', { topic: 'a' })
  await setState(alice, roomId, 'm.room.name', { name: 'not wanted' })
  assert.deepEqual(keys((await loop.next()).rooms[roomId].required_state), ['m.room.topic|'])
  await setState(alice, roomId, 'org.test', { a: 1 }, 'k')
  for (let i = 0; i < 3; i++) await say(alice, roomId, `n${i}`)
  assert.deepEqual(keys((await loop.next()).rooms[roomId].required_state), ['org.test|k'])
})

test('a greater wish brings what it adds at once, a smaller one nothing', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'n', topic: 't' })
  const wish = (...required_state: Json[]): Json => ({ lists: { l: all({ required_state }) } })
  const loop = new SlidingLoop(bob, wish(['m.room.name', '']))
  assert.deepEqual(keys((await loop.next()).rooms[roomId].required_state), ['m.room.name|'])
  const more = await loop.next(wish(['m.room.name', ''], ['m.room.topic', '']))
  assert.deepEqual(keys(more.rooms[roomId].required_state), ['m.room.topic|'])
  assert.equal(more.rooms[roomId].timeline, undefined)
  assert.deepEqual((await loop.next(wish(['m.room.topic', '']))).rooms, {})
  await setState(alice, roomId, 'm.room.name', { name: 'while it was not wanted' })
  await loop.next()
  const again = await loop.next(wish(['m.room.name', ''], ['m.room.topic', '']))
  assert.deepEqual(keys(again.rooms[roomId].required_state), ['m.room.name|'])
})

test('lazy members: senders once, members that changed, and again after a gap', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  const dave = await server.user('dave')
  const roomId = await roomOf([alice, bob, carol])
  for (let i = 0; i < 5; i++) await say(alice, roomId, `a${i}`)
  const loop = new SlidingLoop(bob, {
    lists: { l: all({ timeline_limit: 3, required_state: [['m.room.member', '$LAZY']] }) },
  })
  const member = (who: ApiClient): string => `m.room.member|${who.userId}`
  const next = async (): Promise<string[]> => keys((await loop.next()).rooms[roomId].required_state)
  assert.deepEqual(await next(), [member(alice)])
  await say(carol, roomId, 'c')
  await say(alice, roomId, 'a')
  assert.deepEqual(await next(), [member(carol)], 'she was told already')
  await join(dave, roomId)
  assert.deepEqual(await next(), [member(dave)])
  await say(carol, roomId, 'c')
  assert.deepEqual(await next(), [])
  for (let i = 0; i < 4; i++) await say(carol, roomId, `c${i}`)
  assert.deepEqual(await next(), [member(carol)], 'after a gap the client knows nobody')
})

test('lazy members are told again to a client that went without them for a while', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const wish = (...required_state: Json[]): Json => ({ lists: { l: all({ required_state }) } })
  const loop = new SlidingLoop(bob, wish(['m.room.member', '$LAZY']))
  const next = async (): Promise<string[]> => keys((await loop.next()).rooms[roomId].required_state)
  const both = [`m.room.member|${alice.userId}`, `m.room.member|${bob.userId}`]
  assert.deepEqual(await next(), both.sort())
  await say(alice, roomId, 'one')
  assert.deepEqual(await next(), [])
  await loop.next(wish(['m.room.topic', '']))
  await say(alice, roomId, 'two')
  await loop.next()
  await loop.next(wish(['m.room.member', '$LAZY']))
  await say(alice, roomId, 'three')
  assert.deepEqual(await next(), [`m.room.member|${alice.userId}`])
  await say(alice, roomId, 'four')
  assert.deepEqual(await next(), [])
})

test('heroes name a room without a name, with their names', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  await carol.put(`/_matrix/client/v3/profile/${encodeURIComponent(carol.userId)}/displayname`, {
    displayname: 'Carol',
  })
  const roomId = await createRoom(carol, { preset: 'private_chat' })
  await invite(carol, roomId, bob)
  await join(bob, roomId)
  const loop = new SlidingLoop(bob)
  const first = (await loop.next()).rooms[roomId]
  assert.deepEqual(first.heroes, [{ user_id: carol.userId, displayname: 'Carol' }])
  assert.equal(first.name, undefined)
  await setState(carol, roomId, 'm.room.name', { name: 'Named' })
  const named = (await loop.next()).rooms[roomId]
  assert.deepEqual([named.name, named.heroes], ['Named', undefined])
  await setState(carol, roomId, 'm.room.name', {})
  const bare = (await loop.next()).rooms[roomId]
  assert.deepEqual([bare.name, bare.heroes[0].user_id], [null, carol.userId])
  await leave(carol, roomId)
  const alone = (await loop.next()).rooms[roomId]
  assert.deepEqual([alone.joined_count, alone.invited_count], [1, 0])
})

test('transaction ids are for the device that sent, memberships at events for all', async () => {
  const bob = await server.user('bob')
  const other = await server.device(bob)
  const roomId = await roomOf([alice, bob])
  await say(bob, roomId, 'mine', 'the-txn')
  const last = async (who: ApiClient): Promise<Json> =>
    (await sliding(who, { lists: { l: all() } })).rooms[roomId].timeline.at(-1)
  assert.equal((await last(bob)).unsigned.transaction_id, 'the-txn')
  assert.equal((await last(other)).unsigned.transaction_id, undefined)
  assert.equal((await last(other)).unsigned.membership, 'join')
})

test('adv-52 history from before the joining is hidden where the room says so', async () => {
  const bob = await server.user('bob')
  const initial_state = [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }]
  const roomId = await createRoom(alice, { preset: 'public_chat', initial_state })
  await say(alice, roomId, 'before')
  await join(bob, roomId)
  await say(alice, roomId, 'since')
  const room = (await sliding(bob, { lists: { l: all({ timeline_limit: 20 }) } })).rooms[roomId]
  const bodies = room.timeline.map((event: Json) => event.content.body ?? event.content.membership)
  assert.deepEqual(bodies.slice(-2), ['join', 'since'])
  assert.ok(!bodies.includes('before'))
  assert.equal(room.timeline[0].type, 'm.room.create', 'what was said before the room hid its past')
})

test('the form of the merged proposal: another body, stubs of deleted state, other names', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'n' })
  const invited = await createRoom(alice, { preset: 'private_chat', name: 'in' })
  await invite(alice, invited, bob)
  for (let i = 0; i < 3; i++) await say(alice, roomId, `n${i}`)
  const v4 = async (body: Json): Promise<Json> => {
    const { status, json } = await bob.call('POST', '/_matrix/client/v4/sync', body)
    assert.equal(status, 200, JSON.stringify(json))
    return json
  }
  const required_state = {
    include: [{ type: 'm.room.name' }, { type: 'm.room.member', state_key: bob.userId }, { state_key: '' }],
    exclude: [{ type: 'm.room.create' }],
    lazy_members: true,
  }
  const list = { range: [0, 9], timeline_limit: 1, required_state }
  const first = await v4({ lists: { l: list } })
  const room = first.rooms[roomId]
  assert.deepEqual([room.lists, room.membership, room.notification_count], [['l'], 'join', undefined])
  const named = keys(room.required_state)
  assert.ok(named.includes('m.room.name|') && named.includes(`m.room.member|${bob.userId}`))
  assert.ok(named.includes(`m.room.member|${alice.userId}`), 'the sender, lazily')
  assert.ok(!named.includes('m.room.create|'))
  assert.ok(first.rooms[invited].stripped_state.length > 0)
  assert.equal(first.rooms[invited].invite_state, undefined)
  const more = await v4({ pos: first.pos, lists: { l: { ...list, timeline_limit: 3 } }, timeout: 0 })
  assert.equal(more.rooms[roomId].expanded_timeline, true)
  const only = { lists: { l: { ...list, filters: { is_invited: true } } } }
  assert.deepEqual(Object.keys((await v4(only)).rooms), [invited])
  const { status, json } = await bob.call('POST', '/_matrix/client/v4/sync', { pos: 'p1_1_1' })
  assert.deepEqual([status, json.errcode], [400, 'M_UNKNOWN_POS'])
  const odd = await bob.call('POST', '/_matrix/client/v4/sync', { set_presence: 'odd' })
  assert.deepEqual([odd.status, odd.json.errcode], [400, 'M_INVALID_PARAM'])
  const nobody = await server.anonymous().call('POST', '/_matrix/client/v4/sync', {})
  assert.equal(nobody.status, 401)
})

async function data(who: ApiClient, type: string, content: Json, roomId?: string): Promise<void> {
  const room = roomId === undefined ? '' : `/rooms/${encodeURIComponent(roomId)}`
  const user = encodeURIComponent(who.userId)
  await who.put(`/_matrix/client/v3/user/${user}${room}/account_data/${type}`, content)
}

test('account data: all at first, of rooms as they come into sight, then what changed', async () => {
  const bob = await server.user('bob')
  const [one, two] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  await data(bob, 'org.global', { a: 1 })
  await data(bob, 'org.room', { a: 2 }, one)
  await data(bob, 'org.room', { a: 3 }, two)
  const loop = new SlidingLoop(bob, {
    lists: { l: all({ ranges: [[0, 0]] }) },
    extensions: { account_data: { enabled: true } },
  })
  const first = (await loop.next()).extensions.account_data
  assert.deepEqual(first.global.map((event: Json) => event.type).sort(), ['m.push_rules', 'org.global'])
  assert.deepEqual(first.rooms, { [two]: [{ type: 'org.room', content: { a: 3 } }] })
  assert.equal((await loop.next()).extensions.account_data, undefined)
  await data(bob, 'org.room', { a: 4 }, one)
  assert.equal((await loop.next()).extensions.account_data, undefined, 'a room that it has not seen')
  await say(alice, one, 'up')
  const second = (await loop.next()).extensions.account_data
  assert.deepEqual(second, { global: [], rooms: { [one]: [{ type: 'org.room', content: { a: 4 } }] } })
  await data(bob, 'org.room', { a: 5 }, two)
  const third = (await loop.next()).extensions.account_data
  assert.deepEqual(third.rooms, { [two]: [{ type: 'org.room', content: { a: 5 } }] })
})

test('account data that was deleted is in no first answer, and is told as deleted to who knows it', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  await data(bob, 'org.global', { a: 1 })
  await data(bob, 'org.room', { a: 2 }, roomId)
  const extensions = { account_data: { enabled: true } }
  const loop = new SlidingLoop(bob, { lists: { l: all() }, extensions })
  await loop.next()
  const user = `/_matrix/client/unstable/org.matrix.msc3391/user/${encodeURIComponent(bob.userId)}`
  for (const path of [
    `account_data/org.global`,
    `rooms/${encodeURIComponent(roomId)}/account_data/org.room`,
  ]) {
    assert.equal((await bob.call('DELETE', `${user}/${path}`)).status, 200)
  }
  assert.deepEqual((await loop.next()).extensions.account_data, {
    global: [{ type: 'org.global', content: {} }],
    rooms: { [roomId]: [{ type: 'org.room', content: {} }] },
  })
  const fresh = (await sliding(bob, { lists: { l: all() }, extensions })).extensions.account_data
  assert.deepEqual(
    fresh.global.map((event: Json) => event.type),
    ['m.push_rules'],
  )
  assert.deepEqual(fresh.rooms, {})
})

test('account data of certain rooms alone', async () => {
  const bob = await server.user('bob')
  const [one, two] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  await data(bob, 'org.room', { a: 1 }, one)
  await data(bob, 'org.room', { a: 2 }, two)
  const subscription = { timeline_limit: 1, required_state: [] }
  const ask = (account_data: Json): Json => ({
    room_subscriptions: { [one]: subscription, [two]: subscription },
    extensions: { account_data },
  })
  const of = async (account_data: Json): Promise<string[]> =>
    Object.keys((await sliding(bob, ask(account_data))).extensions.account_data?.rooms ?? {}).sort()
  assert.deepEqual(await of({ enabled: true, rooms: [one] }), [one])
  assert.deepEqual(await of({ enabled: true, rooms: ['*'] }), [one, two].sort())
  assert.deepEqual(await of({ enabled: true, rooms: [] }), [])
  assert.deepEqual(await of({ enabled: false }), [])
})

test('the extensions of encryption answer in their empty form', async () => {
  const bob = await server.user('bob')
  const extensions = {
    e2ee: { enabled: true },
    to_device: { enabled: true, since: '7' },
    unknown: { enabled: 1 },
  }
  const answer = await sliding(bob, { extensions, txn_id: 'mine' })
  const { next_batch: next } = answer.extensions.to_device
  assert.match(next, /^s/)
  assert.deepEqual(answer.extensions, {
    to_device: { next_batch: next, events: [] },
    e2ee: { device_one_time_keys_count: { signed_curve25519: 0 }, device_unused_fallback_key_types: [] },
  })
  assert.equal(answer.txn_id, 'mine')
})

test('the versions name sliding sync, without which clients refuse a server', async () => {
  const { unstable_features } = await alice.get('/_matrix/client/versions')
  assert.equal(unstable_features['org.matrix.simplified_msc3575'], true)
})

test('adv-36 a damaged event leaves a gap in its room, and the others go on', async () => {
  const bob = await server.user('bob')
  const [broken, whole] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const loop = new SlidingLoop(bob, { lists: { l: all({ timeline_limit: 2 }) } })
  await loop.next()
  const id = await say(alice, broken, 'x')
  await say(alice, whole, 'y')
  await server.restart((ask) => ask('UPDATE events SET json = ?1 WHERE event_id = ?2', '{', id))
  const { rooms } = await sliding(bob, { lists: { l: all({ timeline_limit: 2 }) } })
  assert.deepEqual([rooms[broken].timeline, rooms[broken].limited], [[], true])
  assert.equal(rooms[whole].timeline.length, 2)
  assert.ok((await sync(alice)).next_batch)
})
