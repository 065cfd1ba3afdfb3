/** Inputs that made other servers stumble: each is refused or kept as it is, and nothing else suffers. */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import type { ApiClient, Json, Method } from '../support/api-client.ts'
import {
  createRoom,
  getEvent,
  getState,
  inRoom,
  join,
  messages,
  roomOf,
  say,
  sync,
  V3,
} from '../support/room-calls.ts'
import { all, sliding } from '../support/sliding-calls.ts'
import { TestServer } from '../support/test-server.ts'

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())
afterEach(() =>
  assert.deepEqual(
    server.log.filter((line) => line.level === 'error'),
    [],
  ),
)

const NUL = 'a\0b'
const own = (who: ApiClient, ...rest: string[]): string =>
  [`${V3}/user/${encodeURIComponent(who.userId)}`, ...rest.map(encodeURIComponent)].join('/')

test('D7 NUL in a display name, and everywhere it goes from there', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, carol])
  const url = `${V3}/profile/${encodeURIComponent(carol.userId)}/displayname`
  const { status } = await carol.call('PUT', url, { displayname: NUL })
  if (status === 200) assert.equal((await alice.get(url)).displayname, NUL)
  else assert.equal(status, 400)
  const content = { membership: 'join', displayname: NUL, avatar_url: NUL }
  await carol.put(inRoom(roomId, 'state', 'm.room.member', carol.userId), content)
  assert.equal((await getState(alice, roomId, 'm.room.member', carol.userId)).displayname, NUL)
  assert.equal((await alice.get(inRoom(roomId, 'joined_members'))).joined[carol.userId].display_name, NUL)
  await alice.post(`${V3}/user_directory/search`, { search_term: 'carol' })
  await say(alice, roomId, 'after it')
  for (const who of [alice, carol]) {
    assert.ok((await sync(who, {}, { events: false })).rooms.join[roomId])
    assert.ok((await sliding(who, { lists: { all: all() } }, {}, { events: false })).rooms[roomId])
  }
})

test('D7 NUL in a message that is searched, notifies and is related to', async () => {
  const roomId = await roomOf([alice, bob])
  const id = await say(alice, roomId, `${NUL} unusual`)
  assert.equal((await getEvent(bob, roomId, id)).content.body, `${NUL} unusual`)
  const relates = { rel_type: 'm.annotation', event_id: id, key: NUL }
  const react = inRoom(roomId, 'send', 'm.reaction', bob.txn())
  assert.ok([200, 400].includes((await bob.call('PUT', react, { 'm.relates_to': relates })).status))
  for (const term of ['unusual', NUL]) {
    const body = { search_categories: { room_events: { search_term: term } } }
    const { status, json } = await bob.call('POST', `${V3}/search`, body)
    if (term === 'unusual') assert.equal(json.search_categories.room_events.results.length, 1)
    else assert.ok(status === 200 || status === 400)
  }
  assert.ok((await bob.get(`${V3}/notifications`)).notifications.length > 0)
})

test('D7 NUL in names, topics, state, tags, rules, devices and account data', async () => {
  const roomId = await roomOf([alice, bob])
  const requests: [Method, string, Json][] = [
    ['POST', `${V3}/createRoom`, { name: NUL, topic: NUL }],
    ['POST', inRoom(roomId, 'report'), { reason: NUL }],
    ['POST', `${V3}/createRoom`, { room_alias_name: NUL }],
    ['POST', `${V3}/createRoom`, { initial_state: [{ type: NUL, state_key: NUL, content: {} }] }],
    ['POST', `${V3}/createRoom`, { creation_content: { type: NUL, predecessor: { room_id: NUL } } }],
    ['PUT', inRoom(roomId, 'state', 'm.room.name', ''), { name: NUL }],
    ['PUT', inRoom(roomId, 'state', 'm.room.topic', ''), { topic: NUL }],
    ['PUT', inRoom(roomId, 'state', 'm.room.avatar', ''), { url: NUL }],
    ['PUT', inRoom(roomId, 'state', 'm.room.encryption', ''), { algorithm: NUL }],
    ['PUT', inRoom(roomId, 'state', 'm.room.canonical_alias', ''), { alias: `#${NUL}:test.example` }],
    ['PUT', inRoom(roomId, 'state', 'm.room.history_visibility', ''), { history_visibility: NUL }],
    ['PUT', inRoom(roomId, 'state', 'm.room.tombstone', ''), { body: NUL, replacement_room: NUL }],
    [
      'PUT',
      inRoom(roomId, 'send', 'm.room.message', 't1'),
      { 'm.relates_to': { rel_type: NUL, event_id: '$x' } },
    ],
    [
      'PUT',
      inRoom(roomId, 'send', 'm.room.message', 't2'),
      { 'm.relates_to': { rel_type: 'm.thread', event_id: NUL } },
    ],
    ['PUT', inRoom(roomId, 'send', 'm.room.message', 't3'), { 'm.mentions': { user_ids: [NUL] } }],
    ['PUT', own(alice, 'rooms', roomId, 'tags', 'u.x'), { order: 0.5, [NUL]: NUL }],
    ['PUT', own(alice, 'account_data', 'm.ignored_user_list'), { ignored_users: { [NUL]: {} } }],
    ['PUT', own(alice, 'account_data', 'm.direct'), { [NUL]: [NUL] }],
    ['POST', own(alice, 'filter'), { room: { timeline: { senders: [NUL], types: [NUL] } } }],
    ['PUT', `${V3}/pushrules/global/content/x`, { pattern: NUL, actions: [] }],
    [
      'PUT',
      `${V3}/pushrules/global/override/x`,
      { conditions: [{ kind: 'event_match', key: NUL, pattern: NUL }], actions: [] },
    ],
    ['PUT', `${V3}/devices/${alice.deviceId}`, { display_name: NUL }],
    [
      'POST',
      `${V3}/login`,
      { type: 'm.login.password', identifier: { type: 'm.id.user', user: NUL }, password: NUL },
    ],
    ['POST', `${V3}/register`, { username: NUL, password: 'a password', auth: { type: 'm.login.dummy' } }],
    [
      'PUT',
      `${V3}/presence/${encodeURIComponent(alice.userId)}/status`,
      { presence: 'online', status_msg: NUL },
    ],
    [
      'POST',
      `${V3}/pushers/set`,
      {
        kind: 'http',
        app_id: NUL,
        pushkey: NUL,
        app_display_name: NUL,
        device_display_name: NUL,
        lang: NUL,
        data: { url: 'https://push.example/_matrix/push/v1/notify', [NUL]: NUL },
      },
    ],
    ['POST', `${V3}/publicRooms`, { filter: { generic_search_term: NUL } }],
    ['POST', `${V3}/rooms/${encodeURIComponent(roomId)}/invite`, { user_id: NUL }],
  ]
  for (const [method, url, body] of requests) {
    const { status } = await alice.call(method, url, body, { events: false })
    assert.ok(status === 200 || (status >= 400 && status < 500), `${method} ${url} ${JSON.stringify(body)}`)
  }
  for (const who of [alice, bob]) {
    await sync(who, {}, { events: false })
    await sliding(who, { lists: { all: all() } }, {}, { events: false })
  }
  await alice.call('GET', `${V3}/publicRooms`)
})

test('D7 booleans are no integers, and texts are none either', async () => {
  const roomId = await roomOf([alice])
  const typing = inRoom(roomId, 'typing', alice.userId)
  for (const odd of [true, false, '10', 1.5, [1]]) {
    if (typeof odd !== 'number') {
      await alice.refused('400 M_BAD_JSON', 'PUT', typing, { typing: true, timeout: odd })
    }
    const body = { lists: { all: { ranges: [[0, 1]], timeline_limit: odd, required_state: [] } } }
    const url = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
    assert.equal((await alice.call('POST', url, body)).status, 400, `timeline_limit ${odd}`)
    const filter = JSON.stringify({ room: { timeline: { limit: odd } } })
    const { status } = await alice.call('GET', `${V3}/sync?filter=${encodeURIComponent(filter)}`)
    assert.equal(status, 400, `limit ${odd} of a filter`)
    const override = { power_level_content_override: { ban: odd } }
    const created = await alice.call('POST', `${V3}/createRoom`, override)
    assert.ok(created.status === 400 || created.status === 403, `level ${odd}`)
  }
})

test('D7 a room version that is null, a number or empty is refused', async () => {
  for (const odd of [null, 12, true, {}, '']) {
    const { status } = await alice.call('POST', `${V3}/createRoom`, { room_version: odd })
    assert.equal(status, 400, JSON.stringify(odd))
  }
  const roomId = await createRoom(alice, { creation_content: { room_version: null } })
  assert.equal((await getState(alice, roomId, 'm.room.create')).room_version, '12')
  await alice.refused('400 M_BAD_JSON', 'POST', inRoom(roomId, 'upgrade'), { new_version: null })
})

test('D7 integers of any length in unsigned of an event are refused, and never kept', async () => {
  const roomId = await roomOf([alice, bob])
  const long = '9'.repeat(400)
  for (const number of [long, `-${long}`, '1e400', '9007199254740992', '0.1', '-0']) {
    const url = inRoom(roomId, 'send', 'org.example.x', alice.txn())
    await alice.refused('400 M_BAD_JSON', 'PUT', url, `{"unsigned":{"age":${number}}}`)
    await alice.refused('400 M_BAD_JSON', 'PUT', url, `{"deep":[{"n":${number}}]}`)
  }
  const own = { unsigned: { age: 1, transaction_id: 'forged', redacted_because: {} } }
  const { event_id } = await alice.put(inRoom(roomId, 'send', 'org.example.x', alice.txn()), own)
  const event = await getEvent(bob, roomId, event_id)
  assert.deepEqual([event.content, event.unsigned.transaction_id], [own, undefined])
})

test('D7 a predecessor that is a text, an array or a number breaks no room and no list of rooms', async () => {
  for (const odd of ['!a:b', ['!a:b'], 7, { room_id: 7 }, { room_id: '!a:b', event_id: [] }]) {
    const roomId = await createRoom(alice, { preset: 'public_chat', creation_content: { predecessor: odd } })
    await join(bob, roomId)
    const id = await say(bob, roomId, 'it goes on')
    assert.equal((await messages(alice, roomId, { limit: 1 })).chunk[0].event_id, id)
    assert.ok((await sync(bob, {}, { events: false })).rooms.join[roomId])
    const answer = await sliding(bob, { lists: { all: all() } }, {}, { events: false })
    assert.ok(answer.rooms[roomId])
    await alice.post(inRoom(roomId, 'upgrade'), { new_version: '11' }, { events: false })
  }
})
