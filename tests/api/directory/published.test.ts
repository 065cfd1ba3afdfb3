import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { SEARCH_CHARS_MAX } from '#/services/rooms/directory/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { createRoom, inRoom, join, leave, redact, roomOf, setState, V3 } from '../../support/room-calls.ts'
import { SERVER_NAME, TestServer } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/v3/directory/list/room/{roomId}',
  'PUT /_matrix/client/v3/directory/list/room/{roomId}',
  'GET /_matrix/client/v3/publicRooms',
  'POST /_matrix/client/v3/publicRooms',
)

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let carol: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
  carol = await server.user('carol')
})
after(() => server.close())

const LIST = `${V3}/publicRooms`
const path = (roomId: string): string => `${V3}/directory/list/room/${encodeURIComponent(roomId)}`
const publish = (who: ApiClient, roomId: string, visibility = 'public'): Promise<Json> =>
  who.put(path(roomId), { visibility })
const ids = (answer: Json): string[] => answer.chunk.map((room: Json) => room.room_id)
const find = (who: ApiClient, term: string, more: Json = {}): Promise<Json> =>
  who.post(LIST, { filter: { generic_search_term: term }, ...more })

let last = 0
/** A word that no other room has. */
const word = (): string => `word${++last}x`

test('a room is private until it is published, and again after', async () => {
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  const visibility = async (): Promise<string> => (await server.anonymous().get(path(roomId))).visibility
  assert.equal(await visibility(), 'private')
  await publish(alice, roomId)
  assert.equal(await visibility(), 'public')
  await publish(alice, roomId, 'private')
  assert.equal(await visibility(), 'private')
  await alice.put(path(roomId), {})
  assert.equal(await visibility(), 'public')
})

test('only who may set the canonical alias publishes a room', async () => {
  const roomId = await roomOf([alice, bob])
  const wish = { visibility: 'public' }
  await bob.refused('403 M_FORBIDDEN', 'PUT', path(roomId), wish)
  await carol.refused('403 M_FORBIDDEN', 'PUT', path(roomId), wish)
  await alice.refused('400 M_BAD_JSON', 'PUT', path(roomId), { visibility: 'secret' })
  await alice.refused('404 M_NOT_FOUND', 'PUT', path('!nowhere:test.example'), wish)
  await alice.refused('404 M_NOT_FOUND', 'GET', path('!nowhere:test.example'))
  await alice.refused('400 M_INVALID_PARAM', 'GET', path('nowhere'))
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'PUT', path(roomId), wish)
  await publish(alice, roomId)
  await bob.refused('403 M_FORBIDDEN', 'PUT', path(roomId), { visibility: 'private' })
})

test('a published room shows what strangers may know', async () => {
  const name = word()
  const roomId = await createRoom(alice, {
    visibility: 'public',
    room_alias_name: name,
    name,
    topic: 'what it is about',
    creation_content: { type: 'm.space' },
    initial_state: [
      { type: 'm.room.avatar', content: { url: 'mxc://test.example/a' } },
      { type: 'm.room.guest_access', content: { guest_access: 'can_join' } },
      { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } },
    ],
  })
  await join(bob, roomId)
  const { chunk } = await find(carol, name)
  assert.deepEqual(chunk, [
    {
      room_id: roomId,
      name,
      topic: 'what it is about',
      avatar_url: 'mxc://test.example/a',
      canonical_alias: `#${name}:${SERVER_NAME}`,
      join_rule: 'public',
      room_type: 'm.space',
      num_joined_members: 2,
      world_readable: true,
      guest_can_join: true,
    },
  ])
})

test('wrong types in the state of a room are left out of the list', async () => {
  const topic = word()
  const roomId = await createRoom(alice, { visibility: 'public', topic })
  for (const [type, content] of [
    ['m.room.name', { name: 5 }],
    ['m.room.avatar', { url: 'javascript:x' }],
    ['m.room.guest_access', { guest_access: ['can_join'] }],
  ] as const) {
    await alice.call('PUT', inRoom(roomId, 'state', type, ''), content)
  }
  const [room] = (await find(bob, topic)).chunk
  assert.deepEqual(Object.keys(room).sort(), [
    'guest_can_join',
    'join_rule',
    'num_joined_members',
    'room_id',
    'topic',
    'world_readable',
  ])
  const blocks = { topic: 'plain', 'm.topic': { 'm.text': [{ body: '<b>', mimetype: 'text/html' }] } }
  await setState(alice, roomId, 'm.room.topic', blocks)
  const all = (await bob.post(LIST)).chunk
  assert.equal(all.find((one: Json) => one.room_id === roomId).topic, undefined)
})

test('rooms come largest first, in pages forwards and backwards', async () => {
  const name = word()
  const more = await server.user('more')
  const rooms: string[] = []
  for (const members of [[alice], [alice, bob, carol], [alice, bob], [alice, bob, carol, more], [alice]]) {
    rooms.push(await roomOf(members, { visibility: 'public', name }))
  }
  const order = [rooms[3]!, rooms[1]!, rooms[2]!, rooms[4]!, rooms[0]!]
  assert.deepEqual(ids(await find(alice, name)), order)
  const pages: Json[] = []
  let since: string | undefined
  do {
    pages.push(await find(alice, name, { limit: 2, since }))
    since = pages.at(-1).next_batch
  } while (since !== undefined)
  assert.deepEqual(pages.map(ids), [order.slice(0, 2), order.slice(2, 4), order.slice(4)])
  assert.equal(pages[0].prev_batch, undefined)
  const back = await find(alice, name, { limit: 2, since: pages[2].prev_batch })
  assert.deepEqual(ids(back), order.slice(2, 4))
  const start = await find(alice, name, { limit: 2, since: back.prev_batch })
  assert.deepEqual(ids(start), order.slice(0, 2))
  assert.equal(start.prev_batch, undefined)
  assert.deepEqual(ids(await find(alice, name, { limit: 2, since: start.next_batch })), order.slice(2, 4))
})

test('the list by GET gives the same', async () => {
  const name = word()
  const roomId = await createRoom(alice, { visibility: 'public', name })
  const first = await alice.get(LIST, { limit: 1, server: SERVER_NAME })
  assert.equal(first.chunk.length, 1)
  assert.ok(first.total_room_count_estimate >= 2)
  const all: string[] = []
  let since: string | undefined
  do {
    const page = await alice.get(LIST, { limit: 3, since })
    all.push(...ids(page))
    since = page.next_batch
  } while (since !== undefined)
  assert.equal(all.filter((id) => id === roomId).length, 1)
  assert.equal(new Set(all).size, all.length)
})

test('the search looks into name, topic and canonical alias, in any case', async () => {
  const [name, topic, alias] = [word(), word(), word()]
  const roomId = await createRoom(alice, {
    visibility: 'public',
    name: `The ${name.toUpperCase()} Ärzte 100%`,
    topic: `on ${topic}`,
    room_alias_name: alias,
  })
  for (const term of [name, name.toUpperCase(), topic, alias, `${name} ärz`, '100%']) {
    assert.deepEqual(ids(await find(bob, term)), [roomId], term)
  }
  for (const term of [`${name}_ärzte`, `${name}%100`, `${alias}%`, 'x'.repeat(SEARCH_CHARS_MAX)]) {
    assert.deepEqual(ids(await find(bob, term)), [], term)
  }
  await bob.refused('400 M_BAD_JSON', 'POST', LIST, {
    filter: { generic_search_term: 'x'.repeat(SEARCH_CHARS_MAX + 1) },
  })
  const named = await setState(alice, roomId, 'm.room.name', { name: 'another' })
  assert.deepEqual(ids(await find(bob, name)), [])
  await redact(alice, roomId, named)
  assert.deepEqual(ids(await find(bob, topic)), [roomId])
})

test('the filter of types takes null for rooms without one', async () => {
  const name = word()
  const plain = await createRoom(alice, { visibility: 'public', name })
  const typed = await createRoom(alice, {
    visibility: 'public',
    name,
    creation_content: { type: 'm.space' },
  })
  const by = async (types: Json): Promise<string[]> => {
    const filter = { generic_search_term: name, room_types: types }
    return ids(await bob.post(LIST, { filter })).sort()
  }
  assert.deepEqual(await by(['m.space']), [typed])
  assert.deepEqual(await by([null]), [plain])
  assert.deepEqual(await by([null, 'm.space', 'other']), [plain, typed].sort())
  assert.deepEqual(await by(['other']), [])
  assert.deepEqual(await by(null), [plain, typed].sort())
})

test('rooms that strangers may neither join, knock on nor read are not shown, nor those without members', async () => {
  const name = word()
  const roomId = await createRoom(alice, { visibility: 'public', name })
  const shown = async (): Promise<boolean> => (await find(bob, name)).chunk.length > 0
  assert.equal(await shown(), true)
  for (const [rule, seen] of [
    ['invite', false],
    ['knock', true],
    ['private', false],
    ['public', true],
  ] as const) {
    await setState(alice, roomId, 'm.room.join_rules', { join_rule: rule })
    assert.equal(await shown(), seen, rule)
  }
  await leave(alice, roomId)
  assert.equal(await shown(), false)
  await join(alice, roomId)
  assert.equal(await shown(), true)
})

test('bad tokens, limits and other servers are refused', async () => {
  for (const since of ['x', 'f1', 'f1_', 'f01_2', 'f-1_2', 'f1_2_3', `f${'1'.repeat(100)}_1`, 'g1_2']) {
    await alice.refused('400 M_INVALID_PARAM', 'GET', `${LIST}?since=${since}`)
    await alice.refused('400 M_INVALID_PARAM', 'POST', LIST, { since })
  }
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${LIST}?limit=-1`)
  await alice.refused('400 M_BAD_JSON', 'POST', LIST, { limit: 'x' })
  await alice.refused('404 M_NOT_FOUND', 'GET', `${LIST}?server=elsewhere.example`)
  await alice.refused('404 M_NOT_FOUND', 'POST', `${LIST}?server=elsewhere.example`, {})
  const network = { third_party_instance_id: 'irc' }
  assert.deepEqual((await alice.post(LIST, network)).chunk, [])
  await alice.refused('400 M_INVALID_PARAM', 'POST', LIST, { ...network, include_all_networks: true })
  assert.ok((await alice.post(LIST, { include_all_networks: true })).chunk.length > 0)
})

test('the list is for users unless the operator opens it, and may be switched off', async () => {
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', LIST)
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', LIST)
  const change = async (rooms: Json): Promise<TestServer> =>
    TestServer.start({ configure: (options) => ({ ...options, rooms: { ...options.rooms, ...rooms } }) })
  const open = await change({ listWithoutAuth: true })
  const roomId = await createRoom(await open.user('ann'), { visibility: 'public' })
  assert.deepEqual(ids(await open.anonymous().get(LIST)), [roomId])
  await open.close()
  const off = await change({ listEnabled: false })
  const ann = await off.user('ann')
  await createRoom(ann, { visibility: 'public' })
  assert.deepEqual(await ann.get(LIST), { chunk: [], total_room_count_estimate: 0 })
  await off.close()
})

test('room_list_publication_rules decide who publishes what; without them nobody does', async () => {
  const start = (publicationRules: Json): Promise<TestServer> =>
    TestServer.start({
      configure: (options) => ({ ...options, rooms: { ...options.rooms, publicationRules } }),
    })
  const none = await start(undefined)
  const ann = await none.user('ann')
  await ann.refused('403 M_FORBIDDEN', 'POST', `${V3}/createRoom`, { visibility: 'public' })
  const room = await createRoom(ann)
  await ann.refused('403 M_FORBIDDEN', 'PUT', path(room), { visibility: 'public' })
  await publish(ann, room, 'private')
  await none.close()
  const rule = { userId: '*', alias: '*', roomId: '*', action: 'allow' }
  const some = await start([{ ...rule, alias: '#open*' }])
  const ben = await some.user('ben')
  const named = await createRoom(ben, { room_alias_name: 'open-house', visibility: 'public' })
  assert.equal((await ben.get(path(named))).visibility, 'public')
  await ben.refused('403 M_FORBIDDEN', 'POST', `${V3}/createRoom`, { visibility: 'public' })
  await some.close()
})
