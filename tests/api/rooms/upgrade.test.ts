import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  allState,
  createRoom,
  getState,
  inRoom,
  join,
  leave,
  roomOf,
  say,
  setState,
  sync,
  V3,
} from '../../support/room-calls.ts'
import { SERVER_NAME, TestServer } from '../../support/test-server.ts'

covers('POST /_matrix/client/v3/rooms/{roomId}/upgrade')

/** The rest of long lists follows as timed work. */
const CARRIED_AT_ONCE = 50

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let carol: ApiClient
before(async () => {
  server = await TestServer.start({
    configure: (options) => ({ ...options, rooms: { ...options.rooms, carriedAtOnce: CARRIED_AT_ONCE } }),
  })
  alice = await server.user('alice')
  bob = await server.user('bob')
  carol = await server.user('carol')
})
after(() => server.close())

const VERSIONS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12']

const path = (roomId: string): string => inRoom(roomId, 'upgrade')
async function upgrade(who: ApiClient, roomId: string, version: string, more: Json = {}): Promise<string> {
  return (await who.post(path(roomId), { new_version: version, ...more })).replacement_room
}
const content = async (who: ApiClient, roomId: string, type: string, key = ''): Promise<Json> =>
  (await allState(who, roomId)).get(`${type}|${key}`)?.content

test('an upgrade replaces a room by another, which names it', async () => {
  const oldId = await roomOf([alice, bob], { room_version: '10', name: 'Old' })
  const newId = await upgrade(alice, oldId, '11')
  const tombstone = (await allState(alice, oldId)).get('m.room.tombstone|')
  assert.equal(tombstone.content.replacement_room, newId)
  assert.equal(typeof tombstone.content.body, 'string')
  const create = await content(alice, newId, 'm.room.create')
  assert.deepEqual(create, {
    room_version: '11',
    predecessor: { room_id: oldId, event_id: tombstone.event_id },
  })
  const members = [...(await allState(alice, newId)).keys()].filter((key) => key.startsWith('m.room.member|'))
  assert.deepEqual(members, [`m.room.member|${alice.userId}`])
  await join(bob, newId)
  await say(bob, newId, 'here now')
})

for (const version of VERSIONS) {
  test(`a room of version ${version} is upgraded to every other, and back`, async () => {
    const oldId = await createRoom(alice, { room_version: version, name: 'N', preset: 'public_chat' })
    for (const next of ['1', '6', '10', '12']) {
      if (next === version) continue
      const newId = await upgrade(alice, oldId, next)
      const create = await content(alice, newId, 'm.room.create')
      assert.equal(create.room_version, next)
      assert.equal(create.predecessor.room_id, oldId)
      assert.equal('event_id' in create.predecessor, next !== '12')
      assert.equal((await content(alice, newId, 'm.room.name')).name, 'N')
      await say(alice, newId, 'works')
    }
  })
}

test('the state that makes a room what it is comes along', async () => {
  const allow = [{ type: 'm.room_membership', room_id: '!elsewhere:test.example' }]
  const state: Record<string, Json> = {
    'm.room.join_rules': { join_rule: 'restricted', allow },
    'm.room.history_visibility': { history_visibility: 'joined' },
    'm.room.guest_access': { guest_access: 'forbidden' },
    'm.room.encryption': { algorithm: 'm.megolm.v1.aes-sha2', rotation_period_msgs: 5 },
    'm.room.server_acl': { allow: ['*'], deny: ['evil.example'], allow_ip_literals: false },
    'm.room.name': { name: 'The name' },
    'm.room.topic': { topic: 'the topic' },
    'm.room.avatar': { url: 'mxc://test.example/a' },
    'm.room.related_groups': { groups: ['+a:test.example'] },
  }
  const oldId = await createRoom(alice, {
    room_version: '9',
    creation_content: { type: 'm.custom', 'm.federate': false, other: 1 },
    initial_state: [
      ...Object.entries(state).map(([type, content]) => ({ type, content })),
      { type: 'org.example.thing', content: { secret: true } },
    ],
  })
  const newId = await upgrade(alice, oldId, '11')
  const now = await allState(alice, newId)
  for (const [type, content] of Object.entries(state)) {
    assert.deepEqual(now.get(`${type}|`)?.content, content, type)
  }
  assert.equal(now.has('org.example.thing|'), false)
  const create = now.get('m.room.create|').content
  assert.deepEqual([create.type, create['m.federate'], create.other], ['m.custom', false, undefined])
  assert.deepEqual(
    await content(alice, newId, 'm.room.power_levels'),
    JSON.parse(await oldLevels(oldId)),
    'levels as they were before the old room was closed',
  )
})

/** The levels with which a room was made. */
async function oldLevels(roomId: string): Promise<string> {
  const rows = await server.ask(
    `SELECT e.json FROM events e JOIN rooms r ON r.nid = e.room
     WHERE r.room_id = ?1 AND e.type = 'm.room.power_levels' ORDER BY e.nid`,
    roomId,
  )
  return JSON.stringify(JSON.parse(String(rows[0]?.['json'])).content)
}

test('the old room is closed for ordinary members', async () => {
  const oldId = await roomOf([alice, bob])
  await upgrade(alice, oldId, '11')
  const levels = await getState(alice, oldId, 'm.room.power_levels')
  assert.deepEqual([levels.events_default, levels.invite], [50, 50])
  const url = inRoom(oldId, 'send', 'm.room.message', bob.txn())
  await bob.refused('403 M_FORBIDDEN', 'PUT', url, { msgtype: 'm.text', body: 'still here' })
  const high = await createRoom(alice, { power_level_content_override: { users_default: 60, invite: 90 } })
  await upgrade(alice, high, '11')
  const closed = await getState(alice, high, 'm.room.power_levels')
  assert.deepEqual([closed.events_default, closed.invite], [61, 90])
})

test('a room is not replaced by itself', async () => {
  const roomId = await roomOf([alice])
  const content = { body: 'moved', replacement_room: roomId }
  await alice.refused('400 M_INVALID_PARAM', 'PUT', inRoom(roomId, 'state', 'm.room.tombstone'), content)
  await alice.refused(
    '400 M_INVALID_PARAM',
    'PUT',
    inRoom(roomId, 'send', 'm.room.tombstone', 'one'),
    content,
  )
})

test('only who may send a tombstone upgrades', async () => {
  const oldId = await roomOf([alice, bob])
  const body = { new_version: '11' }
  await bob.refused('403 M_FORBIDDEN', 'POST', path(oldId), body)
  await carol.refused('403 M_FORBIDDEN', 'POST', path(oldId), body)
  await carol.refused('404 M_NOT_FOUND', 'POST', path('!nowhere:test.example'), body)
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', path(oldId), body)
  assert.equal((await allState(alice, oldId)).has('m.room.tombstone|'), false)
  const rooms = (await alice.get(`${V3}/joined_rooms`)).joined_rooms.length
  await alice.refused('400 M_UNSUPPORTED_ROOM_VERSION', 'POST', path(oldId), { new_version: '99' })
  await alice.refused('400 M_MISSING_PARAM', 'POST', path(oldId), {})
  await alice.refused('400 M_BAD_JSON', 'POST', path(oldId), { new_version: 11 })
  await alice.refused('400 M_INVALID_PARAM', 'POST', path('nowhere'), body)
  const bad = { new_version: '12', additional_creators: ['nobody'] }
  await alice.refused('400 M_INVALID_PARAM', 'POST', path(oldId), bad)
  assert.equal((await alice.get(`${V3}/joined_rooms`)).joined_rooms.length, rooms)
  /* A moderator with the level may, without the level for anything else. */
  const levels = await getState(alice, oldId, 'm.room.power_levels')
  const events = { ...levels.events, 'm.room.tombstone': 10 }
  await setState(alice, oldId, 'm.room.power_levels', { ...levels, events, users: { [bob.userId]: 10 } })
  const newId = await upgrade(bob, oldId, '11')
  const now = await getState(bob, newId, 'm.room.power_levels')
  assert.equal(now.users[bob.userId], 10)
})

test('creators of version 12 are named when upgrading, and have no level', async () => {
  const oldId = await roomOf([alice, bob, carol], { room_version: '11' })
  const levels = await getState(alice, oldId, 'm.room.power_levels')
  const users = { ...levels.users, [bob.userId]: 100, [carol.userId]: 50 }
  await setState(alice, oldId, 'm.room.power_levels', { ...levels, users })
  const more = { additional_creators: [bob.userId, alice.userId, bob.userId] }
  const newId = await upgrade(alice, oldId, '12', more)
  const create = await content(alice, newId, 'm.room.create')
  assert.deepEqual(create.additional_creators, [bob.userId])
  assert.equal(create.predecessor.event_id, undefined)
  const now = await getState(alice, newId, 'm.room.power_levels')
  assert.deepEqual(now.users, { [carol.userId]: 50 })
  /* They are not carried on, and back in an older version they get the level of old. */
  const third = await upgrade(alice, newId, '11')
  assert.equal((await content(alice, third, 'm.room.create')).additional_creators, undefined)
  const back = await getState(alice, third, 'm.room.power_levels')
  assert.deepEqual(back.users, { [alice.userId]: 100, [bob.userId]: 100, [carol.userId]: 50 })
})

test('levels that old versions write as texts become numbers', async () => {
  const oldId = await roomOf([alice, bob], { room_version: '9' })
  const levels = await getState(alice, oldId, 'm.room.power_levels')
  const texts = { ...levels, users: { [alice.userId]: '100', [bob.userId]: ' 25 ' }, kick: '60', ban: '70' }
  await setState(alice, oldId, 'm.room.power_levels', texts)
  const now = await getState(alice, await upgrade(alice, oldId, '10'), 'm.room.power_levels')
  assert.deepEqual([now.users[bob.userId], now.kick, now.ban], [25, 60, 70])
})

test('join rules that the new version does not know let in nobody more', async () => {
  const allow = [{ type: 'm.room_membership', room_id: '!elsewhere:test.example' }]
  for (const [rule, from, to, expected] of [
    ['knock', '7', '6', 'invite'],
    ['restricted', '8', '7', 'invite'],
    ['knock_restricted', '10', '9', 'restricted'],
    ['knock_restricted', '10', '7', 'invite'],
    ['knock_restricted', '10', '12', 'knock_restricted'],
  ] as const) {
    const rules = { type: 'm.room.join_rules', content: { join_rule: rule, allow } }
    const oldId = await createRoom(alice, { room_version: from, initial_state: [rules] })
    const newId = await upgrade(alice, oldId, to)
    assert.equal((await getState(alice, newId, 'm.room.join_rules')).join_rule, expected, `${rule} to ${to}`)
  }
})

test('aliases and publication move to the new room', async () => {
  const oldId = await roomOf([alice, bob], { room_alias_name: 'mover', visibility: 'public', name: 'movers' })
  const [main, second] = [`#mover:${SERVER_NAME}`, `#mover2:${SERVER_NAME}`]
  const alias = (name: string): string => `${V3}/directory/room/${encodeURIComponent(name)}`
  await bob.put(alias(second), { room_id: oldId })
  await setState(alice, oldId, 'm.room.canonical_alias', { alias: main, alt_aliases: [second] })
  const newId = await upgrade(alice, oldId, '11')
  for (const name of [main, second]) assert.equal((await bob.get(alias(name))).room_id, newId)
  const canonical = { alias: main, alt_aliases: [second] }
  assert.deepEqual(await getState(alice, newId, 'm.room.canonical_alias'), canonical)
  assert.deepEqual(await getState(alice, oldId, 'm.room.canonical_alias'), {})
  const visibility = async (roomId: string): Promise<string> =>
    (await bob.get(`${V3}/directory/list/room/${encodeURIComponent(roomId)}`)).visibility
  assert.deepEqual([await visibility(oldId), await visibility(newId)], ['private', 'public'])
  const filter = { generic_search_term: 'movers' }
  const { chunk } = await bob.post(`${V3}/publicRooms`, { filter })
  assert.deepEqual(
    chunk.map((room: Json) => [room.room_id, room.num_joined_members]),
    [[newId, 1]],
  )
})

test('bans and the children of a space come along, however many there are', async () => {
  const oldId = await createRoom(alice, { preset: 'public_chat', creation_content: { type: 'm.space' } })
  const banned = await server.user('banned')
  await alice.post(inRoom(oldId, 'ban'), { user_id: banned.userId, reason: 'spam' })
  const children = Array.from({ length: CARRIED_AT_ONCE + 20 }, (_, i) => `!child${i}:test.example`)
  for (const child of children)
    await setState(alice, oldId, 'm.space.child', { via: ['test.example'] }, child)
  await setState(alice, oldId, 'm.space.child', {}, children[0])
  const newId = await upgrade(alice, oldId, '12')
  const member = await getState(alice, newId, 'm.room.member', banned.userId)
  assert.deepEqual(member, { membership: 'ban', reason: 'spam' })
  await banned.refused('403 M_FORBIDDEN', 'POST', inRoom(newId, 'join'), {})
  const carried = async (): Promise<number> =>
    [...(await allState(alice, newId)).keys()].filter((key) => key.startsWith('m.space.child|')).length
  for (let i = 0; i < 100 && (await carried()) < children.length - 1; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.equal(await carried(), children.length - 1)
})

test('a user finds tags and direct chats set for the new room when they join', async () => {
  const oldId = await roomOf([alice, bob])
  for (const who of [alice, bob]) {
    const user = `${V3}/user/${encodeURIComponent(who.userId)}`
    await who.put(`${user}/account_data/m.direct`, { [carol.userId]: [oldId], '@x:y': ['!other:y'] })
    const tags = { tags: { 'm.favourite': { order: 0.5 } } }
    await who.put(`${user}/rooms/${encodeURIComponent(oldId)}/account_data/m.tag`, tags)
  }
  const newId = await upgrade(alice, oldId, '11')
  await join(bob, newId)
  for (const who of [alice, bob]) {
    const user = `${V3}/user/${encodeURIComponent(who.userId)}`
    const direct = await who.get(`${user}/account_data/m.direct`)
    assert.deepEqual(direct, { [carol.userId]: [oldId, newId], '@x:y': ['!other:y'] })
    const tags = await who.get(`${user}/rooms/${encodeURIComponent(newId)}/account_data/m.tag`)
    assert.deepEqual(tags, { tags: { 'm.favourite': { order: 0.5 } } })
  }
  /* Once only: what the user decides later stays. */
  const user = `${V3}/user/${encodeURIComponent(bob.userId)}`
  const room = `${user}/rooms/${encodeURIComponent(newId)}/account_data/m.tag`
  await bob.put(room, { tags: {} })
  await leave(bob, newId)
  await join(bob, newId)
  assert.deepEqual(await bob.get(room), { tags: {} })
})

test('a room that only claims to replace another gives nobody its settings', async () => {
  const oldId = await roomOf([alice, bob])
  const user = `${V3}/user/${encodeURIComponent(bob.userId)}`
  await bob.put(`${user}/account_data/m.direct`, { [alice.userId]: [oldId] })
  const creation_content = { predecessor: { room_id: oldId, event_id: '$x' } }
  const fake = await createRoom(carol, { preset: 'public_chat', creation_content })
  await join(bob, fake)
  assert.deepEqual(await bob.get(`${user}/account_data/m.direct`), { [alice.userId]: [oldId] })
})

test('many requests at once, and a repeated one, give one room', async () => {
  const oldId = await roomOf([alice, bob])
  const levels = await getState(alice, oldId, 'm.room.power_levels')
  const events = { ...levels.events, 'm.room.tombstone': 50 }
  const users = { [bob.userId]: 50 }
  await setState(alice, oldId, 'm.room.power_levels', { ...levels, events, users })
  const wishes = [alice, bob, alice, bob, alice].map((who) => upgrade(who, oldId, '11'))
  const ids = new Set(await Promise.all(wishes))
  assert.equal(ids.size, 1)
  assert.ok(ids.has(await upgrade(bob, oldId, '11')))
  const tombstones = await server.count(
    `SELECT COUNT(*) AS n FROM events e JOIN rooms r ON r.nid = e.room
     WHERE r.room_id = ?1 AND e.type = 'm.room.tombstone'`,
    oldId,
  )
  assert.equal(tombstones, 1)
  assert.ok(!ids.has(await upgrade(alice, oldId, '10')))
})

test('what a restart interrupts is done after it', async () => {
  const oldId = await roomOf([alice, bob])
  const newId = await upgrade(alice, oldId, '11')
  const levels = await getState(alice, oldId, 'm.room.power_levels')
  await setState(alice, oldId, 'm.room.power_levels', { ...levels, events_default: 0 })
  await server.restart((ask) => {
    const data = JSON.stringify({ oldRoomId: oldId, sender: alice.userId, aliases: [] })
    const text = 'INSERT INTO jobs (kind, key, due_ts, attempts, data) VALUES (?1, ?2, 0, 0, ?3)'
    return ask(text, 'rooms.upgrade_aftermath', newId, data)
  })
  const closed = async (): Promise<boolean> =>
    (await getState(alice, oldId, 'm.room.power_levels')).events_default === 50
  for (let i = 0; i < 100 && !(await closed()); i++) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(await closed(), true)
})

test('members see the tombstone, and the new room appears to who upgraded', async () => {
  const [ann, ben] = [await server.user('ann'), await server.user('ben')]
  const oldId = await roomOf([ann, ben])
  const [a, b] = [(await sync(ann)).next_batch, (await sync(ben)).next_batch]
  const newId = await upgrade(ann, oldId, '12')
  const mine = await sync(ann, { since: a })
  assert.ok(mine.rooms.join[newId])
  const types = (await sync(ben, { since: b })).rooms.join[oldId].timeline.events.map((e: Json) => e.type)
  assert.deepEqual(types, ['m.room.tombstone', 'm.room.power_levels'])
})

test('push rules about the old room are made for the new one too, and a mute stays a mute', async () => {
  const oldId = await roomOf([alice, bob], { room_version: '11' })
  const rule = (kind: string, id: string): string =>
    `${V3}/pushrules/global/${kind}/${encodeURIComponent(id)}`
  const about = (pattern: string): Json => ({ kind: 'event_match', key: 'room_id', pattern })
  const word = { kind: 'event_match', key: 'content.body', pattern: 'x' }
  await bob.put(rule('override', oldId), { actions: [], conditions: [about(oldId)] })
  await bob.put(rule('room', oldId), { actions: ['notify'] })
  await bob.put(rule('underride', 'mine'), { actions: ['notify'], conditions: [word, about(oldId)] })
  await alice.put(rule('room', oldId), { actions: ['notify'] })
  await alice.put(`${rule('room', oldId)}/enabled`, { enabled: false })
  const newId = await upgrade(alice, oldId, '12')
  const own = await alice.get(rule('room', newId))
  assert.deepEqual([own.rule_id, own.enabled, own.actions], [newId, false, ['notify']])
  await join(bob, newId)
  assert.deepEqual((await bob.get(rule('override', newId))).conditions, [about(newId)])
  assert.deepEqual((await bob.get(rule('room', newId))).actions, ['notify'])
  assert.deepEqual((await bob.get(rule('underride', newId))).conditions, [word, about(newId)])
  assert.equal((await bob.get(rule('override', oldId))).rule_id, oldId)
  await say(alice, newId, 'quietly')
  const filter = JSON.stringify({ room: { rooms: [newId] } })
  const { notification_count } = (await sync(bob, { filter })).rooms.join[newId].unread_notifications
  assert.equal(notification_count, 0)
})

test('push rules that the new room has already are left alone', async () => {
  const oldId = await roomOf([alice, bob], { room_version: '11' })
  const rule = (id: string): string => `${V3}/pushrules/global/room/${encodeURIComponent(id)}`
  await bob.put(rule(oldId), { actions: ['notify'] })
  const newId = await upgrade(alice, oldId, '12')
  await bob.put(rule(newId), { actions: [] })
  await join(bob, newId)
  assert.deepEqual((await bob.get(rule(newId))).actions, [])
})
