import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CANONICAL_NEW_MAX, ROOM_ALIASES_MAX } from '#/services/rooms/directory/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { createRoom, getState, inRoom, join, leave, roomOf, setState, V3 } from '../../support/room-calls.ts'
import { SERVER_NAME, TestServer } from '../../support/test-server.ts'

covers(
  'PUT /_matrix/client/v3/directory/room/{roomAlias}',
  'GET /_matrix/client/v3/directory/room/{roomAlias}',
  'DELETE /_matrix/client/v3/directory/room/{roomAlias}',
  'GET /_matrix/client/v3/rooms/{roomId}/aliases',
  'POST /_matrix/client/v3/join/{roomIdOrAlias}',
  'POST /_matrix/client/v3/createRoom',
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

let last = 0
const aliasName = (): string => `alias-${++last}`
const full = (name: string): string => `#${name}:${SERVER_NAME}`
const path = (alias: string): string => `${V3}/directory/room/${encodeURIComponent(alias)}`
const put = (who: ApiClient, alias: string, roomId: string): Promise<Json> =>
  who.put(path(alias), { room_id: roomId })

async function withAlias(who: ApiClient, body: Json = {}): Promise<{ roomId: string; alias: string }> {
  const roomId = await createRoom(who, { preset: 'public_chat', ...body })
  const alias = full(aliasName())
  await put(who, alias, roomId)
  return { roomId, alias }
}

test('an alias leads to its room, for everybody, and is listed for members', async () => {
  const { roomId, alias } = await withAlias(alice)
  const resolved = await server.anonymous().get(path(alias))
  assert.deepEqual(resolved, { room_id: roomId, servers: [SERVER_NAME] })
  assert.deepEqual(await alice.get(inRoom(roomId, 'aliases')), { aliases: [alias] })
  const second = full(aliasName())
  await put(alice, second, roomId)
  assert.deepEqual((await alice.get(inRoom(roomId, 'aliases'))).aliases, [alias, second].sort())
})

test('aliases keep upper case and other letters apart', async () => {
  const roomId = await createRoom(alice)
  const alias = full(`Ünïcode/${aliasName()}`)
  await put(alice, alias, roomId)
  assert.equal((await bob.get(path(alias))).room_id, roomId)
  await bob.refused('404 M_NOT_FOUND', 'GET', path(alias.toLowerCase()))
})

test('the aliases of a room are for its members, unless the world may read it', async () => {
  const { roomId, alias } = await withAlias(alice)
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom(roomId, 'aliases'))
  await join(bob, roomId)
  assert.deepEqual((await bob.get(inRoom(roomId, 'aliases'))).aliases, [alias])
  await leave(bob, roomId)
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom(roomId, 'aliases'))
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' })
  assert.deepEqual((await bob.get(inRoom(roomId, 'aliases'))).aliases, [alias])
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom('!nowhere:test.example', 'aliases'))
  await bob.refused('400 M_INVALID_PARAM', 'GET', inRoom('nowhere', 'aliases'))
})

test('an alias is made once, by members, and only of this server', async () => {
  const { roomId, alias } = await withAlias(alice)
  await alice.refused('409 M_UNKNOWN', 'PUT', path(alias), { room_id: roomId })
  const fresh = path(full(aliasName()))
  await bob.refused('403 M_FORBIDDEN', 'PUT', fresh, { room_id: roomId })
  await bob.refused('403 M_FORBIDDEN', 'PUT', fresh, { room_id: '!nowhere:test.example' })
  await alice.refused('400 M_INVALID_PARAM', 'PUT', fresh, { room_id: 'nowhere' })
  await alice.refused('400 M_MISSING_PARAM', 'PUT', fresh, {})
  await alice.refused('400 M_INVALID_PARAM', 'PUT', path('#there:elsewhere.example'), { room_id: roomId })
  for (const bad of [
    'no-sigil:test.example',
    '#nocolon',
    full(''),
    full('with space'),
    full('x'.repeat(255)),
  ]) {
    await alice.refused('400 M_INVALID_PARAM', 'PUT', path(bad), { room_id: roomId })
  }
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'PUT', fresh, { room_id: roomId })
})

test('what no alias is or nobody has is not found', async () => {
  await bob.refused('404 M_NOT_FOUND', 'GET', path(full('nobody-has-this')))
  await bob.refused('404 M_NOT_FOUND', 'GET', path('#there:elsewhere.example'))
  await bob.refused('400 M_INVALID_PARAM', 'GET', path('nothing'))
  await bob.refused('404 M_NOT_FOUND', 'DELETE', path(full('nobody-has-this')))
  await bob.refused('400 M_INVALID_PARAM', 'DELETE', path('nothing'))
})

test('an alias is deleted by its maker or by who may set the canonical one, and by nobody else', async () => {
  const roomId = await roomOf([alice, bob])
  const [mine, his] = [full(aliasName()), full(aliasName())]
  await put(alice, mine, roomId)
  await put(bob, his, roomId)
  await bob.refused('403 M_FORBIDDEN', 'DELETE', path(mine))
  await alice.ok('DELETE', path(his))
  await put(bob, his, roomId)
  await leave(bob, roomId)
  await bob.ok('DELETE', path(his))
  await bob.refused('404 M_NOT_FOUND', 'GET', path(his))
  const stranger = await server.user('stranger')
  await stranger.refused('403 M_FORBIDDEN', 'DELETE', path(mine))
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'DELETE', path(mine))
})

test('a deleted alias leaves the canonical alias event', async () => {
  const roomId = await createRoom(alice)
  const names = [full(aliasName()), full(aliasName()), full(aliasName())]
  for (const name of names) await put(alice, name, roomId)
  const [main, second, third] = names
  await setState(alice, roomId, 'm.room.canonical_alias', { alias: main, alt_aliases: [second, third] })
  await alice.ok('DELETE', path(second!))
  const now = await getState(alice, roomId, 'm.room.canonical_alias')
  assert.deepEqual(now, { alias: main, alt_aliases: [third] })
  await alice.ok('DELETE', path(main!))
  assert.deepEqual(await getState(alice, roomId, 'm.room.canonical_alias'), { alt_aliases: [third] })
  await alice.ok('DELETE', path(third!))
  assert.deepEqual(await getState(alice, roomId, 'm.room.canonical_alias'), {})
})

test('a canonical alias points to its room', async () => {
  const { roomId, alias } = await withAlias(alice)
  const other = await withAlias(alice)
  const url = inRoom(roomId, 'state', 'm.room.canonical_alias', '')
  await alice.refused('400 M_BAD_ALIAS', 'PUT', url, { alias: other.alias })
  await alice.refused('400 M_BAD_ALIAS', 'PUT', url, { alias: full('nobody-has-this') })
  await alice.refused('400 M_BAD_ALIAS', 'PUT', url, { alias, alt_aliases: [other.alias] })
  await alice.refused('400 M_INVALID_PARAM', 'PUT', url, { alias: 'not an alias' })
  await alice.refused('400 M_INVALID_PARAM', 'PUT', url, { alias: 5 })
  await alice.refused('400 M_INVALID_PARAM', 'PUT', url, { alt_aliases: 'x' })
  await alice.refused('400 M_INVALID_PARAM', 'PUT', url, { alt_aliases: [5] })
  const many = Array.from({ length: CANONICAL_NEW_MAX + 1 }, (_, i) => full(`many-${i}`))
  await alice.refused('400 M_INVALID_PARAM', 'PUT', url, { alt_aliases: many })
  await alice.put(url, { alias, alt_aliases: [alias] })
  /* What stands there already is not looked at again. */
  await server.store.commit({
    lane: roomId,
    ops: [{ op: 'alias.delete', alias, room: (await server.store.rooms.byId(roomId))!.nid }],
  })
  await alice.put(url, { alias, alt_aliases: [] })
  await alice.put(url, {})
  await alice.refused('400 M_BAD_ALIAS', 'PUT', url, { alias })
})

test('createRoom makes an alias, which becomes the canonical one', async () => {
  const name = aliasName()
  const roomId = await createRoom(alice, { room_alias_name: name })
  assert.deepEqual(await getState(alice, roomId, 'm.room.canonical_alias'), { alias: full(name) })
  assert.equal((await bob.get(path(full(name)))).room_id, roomId)
  const create = `${V3}/createRoom`
  await bob.refused('400 M_ROOM_IN_USE', 'POST', create, { room_alias_name: name })
  for (const bad of ['a b', 'a:b', '', 'x'.repeat(255)]) {
    await alice.refused('400 M_INVALID_PARAM', 'POST', create, { room_alias_name: bad })
  }
})

test('initial state names no alias but the one that is made', async () => {
  const name = aliasName()
  const state = (alias: string): Json => [
    { type: 'm.room.canonical_alias', state_key: '', content: { alt_aliases: [alias] } },
  ]
  const create = `${V3}/createRoom`
  const wrong = { room_alias_name: name, initial_state: state(full('other')) }
  await alice.refused('400 M_BAD_ALIAS', 'POST', create, wrong)
  await bob.refused('404 M_NOT_FOUND', 'GET', path(full(name)))
  const roomId = await createRoom(alice, { room_alias_name: name, initial_state: state(full(name)) })
  assert.deepEqual(await getState(alice, roomId, 'm.room.canonical_alias'), { alt_aliases: [full(name)] })
})

test('of many rooms that want one alias at once, one is made', async () => {
  const name = aliasName()
  const before = (await alice.get(`${V3}/joined_rooms`)).joined_rooms.length
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => alice.call('POST', `${V3}/createRoom`, { room_alias_name: name })),
  )
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  const after = (await alice.get(`${V3}/joined_rooms`)).joined_rooms.length
  assert.equal(after, before + 1)
})

test('a room is joined by its alias', async () => {
  const { roomId, alias } = await withAlias(alice)
  const url = (text: string): string => `${V3}/join/${encodeURIComponent(text)}`
  const joined = await bob.post(`${url(alias)}?via=x.example&server_name=y.example`, { reason: 'hello' })
  assert.deepEqual(joined, { room_id: roomId })
  const member = await getState(bob, roomId, 'm.room.member', bob.userId)
  assert.equal(member.reason, 'hello')
  await bob.refused('404 M_NOT_FOUND', 'POST', url(full('nobody-has-this')))
  await bob.refused('400 M_INVALID_PARAM', 'POST', url('nothing'))
})

test('the aliases of one room are limited', async () => {
  const { roomId } = await withAlias(alice)
  const room = (await server.store.rooms.byId(roomId))!.nid
  const ops = Array.from({ length: ROOM_ALIASES_MAX - 1 }, (_, i) => {
    return { op: 'alias.put', alias: full(`limit-${i}`), room, creator: alice.userId, ts: 0 } as const
  })
  assert.ok((await server.store.commit({ lane: roomId, ops })).ok)
  await alice.refused('403 M_FORBIDDEN', 'PUT', path(full(aliasName())), { room_id: roomId })
})

test('alias_creation_rules decide who makes which alias', async () => {
  const rule = { userId: '*', alias: '*', roomId: '*', action: 'allow' } as const
  const strict = await TestServer.start({
    configure: (options) => ({
      ...options,
      rooms: {
        ...options.rooms,
        aliasRules: [
          { ...rule, alias: '#secret*', action: 'deny' },
          { ...rule, userId: '@ann*' },
        ],
      },
    }),
  })
  const [ann, ben] = [await strict.user('ann'), await strict.user('ben')]
  const room = await createRoom(ann)
  await put(ann, full('open'), room)
  await ann.refused('403 M_FORBIDDEN', 'PUT', path(full('secret-room')), { room_id: room })
  await ann.refused('403 M_FORBIDDEN', 'POST', `${V3}/createRoom`, { room_alias_name: 'secret' })
  const his = await createRoom(ben)
  await ben.refused('403 M_FORBIDDEN', 'PUT', path(full('bens')), { room_id: his })
  await ben.refused('403 M_FORBIDDEN', 'POST', `${V3}/createRoom`, { room_alias_name: 'bens' })
  assert.deepEqual((await ben.get(`${V3}/joined_rooms`)).joined_rooms, [his])
  await strict.close()
})

test('without require_membership_for_aliases strangers name rooms too', async () => {
  const lax = await TestServer.start({
    configure: (options) => ({ ...options, rooms: { ...options.rooms, aliasesNeedMembership: false } }),
  })
  const [ann, ben] = [await lax.user('ann'), await lax.user('ben')]
  const room = await createRoom(ann)
  await put(ben, full('named'), room)
  await ben.refused('403 M_FORBIDDEN', 'PUT', path(full('other')), { room_id: '!nowhere:test.example' })
  await lax.close()
})
