import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { allState, createRoom, getState, inRoom, messages, sync, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('POST /_matrix/client/v3/createRoom')

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const CREATE = `${V3}/createRoom`

async function invitation(who: ApiClient, roomId: string): Promise<Json[]> {
  return (await sync(who)).rooms.invite[roomId].invite_state.events
}

test('a room without any wish is private, of the default version, with its creator joined', async () => {
  const state = await allState(alice, await createRoom(alice))
  assert.deepEqual([...state.keys()].sort(), [
    'm.room.create|',
    'm.room.guest_access|',
    'm.room.history_visibility|',
    'm.room.join_rules|',
    `m.room.member|${alice.userId}`,
    'm.room.power_levels|',
  ])
  assert.equal(state.get('m.room.create|').content.room_version, '12')
  assert.equal(state.get('m.room.join_rules|').content.join_rule, 'invite')
  const member = state.get(`m.room.member|${alice.userId}`).content
  assert.deepEqual([member.membership, member.displayname], ['join', alice.userId.slice(1).split(':')[0]])
})

test('an empty body and an empty object create the same kind of room', async () => {
  const answer = await alice.call('POST', CREATE, new Uint8Array(0))
  assert.equal(answer.status, 200)
  assert.equal((await allState(alice, answer.json.room_id)).size, 6)
})

const PRESETS = [
  ['private_chat', 'invite', 'shared', 'can_join'],
  ['trusted_private_chat', 'invite', 'shared', 'can_join'],
  ['public_chat', 'public', 'shared', 'forbidden'],
] as const
for (const [preset, joinRule, visibility, guests] of PRESETS) {
  test(`the preset ${preset} sets join rule ${joinRule}, history ${visibility}, guests ${guests}`, async () => {
    const state = await allState(alice, await createRoom(alice, { preset }))
    assert.equal(state.get('m.room.join_rules|').content.join_rule, joinRule)
    assert.equal(state.get('m.room.history_visibility|').content.history_visibility, visibility)
    assert.equal(state.get('m.room.guest_access|').content.guest_access, guests)
  })
}

test('without a preset the visibility decides: public makes a public chat', async () => {
  const open = await createRoom(alice, { visibility: 'public' })
  const closed = await createRoom(alice, { visibility: 'private' })
  assert.equal((await getState(alice, open, 'm.room.join_rules')).join_rule, 'public')
  assert.equal((await getState(alice, closed, 'm.room.join_rules')).join_rule, 'invite')
})

test('a preset wins over the visibility', async () => {
  const roomId = await createRoom(alice, { visibility: 'public', preset: 'private_chat' })
  assert.equal((await getState(alice, roomId, 'm.room.join_rules')).join_rule, 'invite')
})

for (const version of ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12']) {
  test(`a room of version ${version} can be created, written to and read`, async () => {
    const roomId = await createRoom(alice, { room_version: version, name: 'named' })
    assert.equal(roomId.includes(':'), version !== '12', 'only version 12 has room ids without a server')
    const create = await getState(alice, roomId, 'm.room.create')
    assert.equal(create.room_version, version)
    assert.equal(create.creator, Number(version) <= 10 ? alice.userId : undefined)
    const sent = await alice.put(inRoom(roomId, 'send', 'm.room.message', alice.txn()), {
      msgtype: 'm.text',
      body: 'hello',
    })
    const { chunk } = await messages(alice, roomId, { limit: 1 })
    assert.equal(chunk[0].event_id, sent.event_id)
    assert.equal(chunk[0].room_id, roomId)
    const levels = await getState(alice, roomId, 'm.room.power_levels')
    assert.deepEqual(levels.users, version === '12' ? {} : { [alice.userId]: 100 })
  })
}

test('version 12: the room id is the id of the create event, which has no room id of its own for hashing', async () => {
  const roomId = await createRoom(alice)
  const create = (await allState(alice, roomId)).get('m.room.create|')
  assert.equal(create.event_id.slice(1), roomId.slice(1))
  assert.equal(create.room_id, roomId)
})

test('an unknown room version is refused', async () => {
  for (const room_version of ['0', '13', 'org.example.new', '']) {
    await alice.refused('400 M_UNSUPPORTED_ROOM_VERSION', 'POST', CREATE, { room_version })
  }
})

test('a room version that is no string is refused', async () => {
  await alice.refused('400 M_BAD_JSON', 'POST', CREATE, { room_version: 11 })
})

test('creation_content is kept, but cannot set the creator or the version', async () => {
  for (const room_version of ['10', '11', '12']) {
    const creation_content = { creator: bob.userId, room_version: '1', 'm.federate': false, type: 'm.space' }
    const roomId = await createRoom(alice, { room_version, creation_content })
    const create = await getState(alice, roomId, 'm.room.create')
    assert.equal(create.room_version, room_version)
    assert.equal(create.creator, room_version === '10' ? alice.userId : undefined)
    assert.deepEqual([create['m.federate'], create.type], [false, 'm.space'])
  }
})

test('initial_state comes after the preset and wins over it', async () => {
  const initial_state = [
    { type: 'm.room.join_rules', content: { join_rule: 'knock' } },
    { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
    { type: 'com.example.a', state_key: 'x', content: { n: 1 } },
    { type: 'com.example.a', state_key: 'y', content: { n: 2 } },
  ]
  const roomId = await createRoom(alice, { preset: 'public_chat', initial_state })
  const state = await allState(alice, roomId)
  assert.equal(state.get('m.room.join_rules|').content.join_rule, 'knock')
  assert.equal(state.get('m.room.history_visibility|').content.history_visibility, 'joined')
  assert.deepEqual(state.get('com.example.a|x').content, { n: 1 })
  assert.deepEqual(state.get('com.example.a|y').content, { n: 2 })
})

test('name and topic win over initial_state', async () => {
  const initial_state = [{ type: 'm.room.name', content: { name: 'from state' } }]
  const roomId = await createRoom(alice, { initial_state, name: 'wished', topic: 'a topic' })
  assert.deepEqual(await getState(alice, roomId, 'm.room.name'), { name: 'wished' })
  const topic = await getState(alice, roomId, 'm.room.topic')
  assert.equal(topic.topic, 'a topic')
  assert.equal(topic['m.topic']['m.text'][0].body, 'a topic')
})

test('the first events come in the order create, member, power levels, others, name, topic, invites', async () => {
  const initial_state = [{ type: 'com.example.a', state_key: '', content: {} }]
  const body = { initial_state, name: 'n', topic: 't', invite: [bob.userId] }
  const { chunk } = await messages(alice, await createRoom(alice, body), { dir: 'f', limit: 50 })
  assert.deepEqual(
    chunk.map((event: Json) => event.type.replace('m.room.', '')),
    [
      'create',
      'member',
      'power_levels',
      'join_rules',
      'history_visibility',
      'guest_access',
      'com.example.a',
      'name',
      'topic',
      'member',
    ],
  )
})

test('power_level_content_override changes only what it names', async () => {
  const power_level_content_override = { events: { 'm.room.name': 0 }, invite: 7, users_default: 3 }
  const roomId = await createRoom(alice, { room_version: '11', power_level_content_override })
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  assert.deepEqual(levels.events, { 'm.room.name': 0 })
  assert.deepEqual([levels.invite, levels.users_default, levels.ban], [7, 3, 50])
  assert.deepEqual(levels.users, { [alice.userId]: 100 })
})

test('a power level override that is not well-formed is refused, and no room is left over', async () => {
  const before = (await alice.get(`${V3}/joined_rooms`)).joined_rooms.length
  for (const override of [{ ban: '50' }, { users: { nobody: 1 } }, { events: [] }]) {
    const body = { room_version: '11', power_level_content_override: override }
    const { status } = await alice.call('POST', CREATE, body)
    assert.ok(status === 400 || status === 403, `${JSON.stringify(override)}: ${status}`)
  }
  assert.equal((await alice.get(`${V3}/joined_rooms`)).joined_rooms.length, before)
})

test('floats in the override are refused before anything is made', async () => {
  await alice.refused('400 M_BAD_JSON', 'POST', CREATE, '{"power_level_content_override":{"ban":1.5}}')
})

test('version 12: an override that gives the creator a level is refused', async () => {
  const power_level_content_override = { users: { [alice.userId]: 100 } }
  const { status } = await alice.call('POST', CREATE, { power_level_content_override })
  assert.ok(status === 400 || status === 403)
})

test('public chats want level 50 for inviting, private ones none', async () => {
  const open = await createRoom(alice, { preset: 'public_chat' })
  const closed = await createRoom(alice, { preset: 'private_chat' })
  assert.equal((await getState(alice, open, 'm.room.power_levels')).invite, 50)
  assert.equal((await getState(alice, closed, 'm.room.power_levels')).invite, 0)
})

test('invited users find the invite with is_direct, and its stripped state holds the create event', async () => {
  const carol = await server.user('carol')
  const roomId = await createRoom(alice, { invite: [carol.userId], is_direct: true, name: 'for two' })
  const events = await invitation(carol, roomId)
  const types = events.map((event) => event.type)
  for (const type of ['m.room.create', 'm.room.join_rules', 'm.room.name', 'm.room.member']) {
    assert.ok(types.includes(type), type)
  }
  const own = events.find((event) => event.state_key === carol.userId)
  assert.deepEqual(
    [own.content.membership, own.content.is_direct, own.sender],
    ['invite', true, alice.userId],
  )
})

test('without is_direct the invite does not say so', async () => {
  const carol = await server.user('carol')
  const roomId = await createRoom(alice, { invite: [carol.userId, carol.userId] })
  const own = (await invitation(carol, roomId)).find((event) => event.state_key === carol.userId)
  assert.equal(own.content.is_direct, undefined)
})

test('trusted_private_chat before version 12 gives invited users the power of the creator', async () => {
  const body = { preset: 'trusted_private_chat', invite: [bob.userId], room_version: '11' }
  const levels = await getState(alice, await createRoom(alice, body), 'm.room.power_levels')
  assert.deepEqual(levels.users, { [alice.userId]: 100, [bob.userId]: 100 })
})

test('trusted_private_chat in version 12 makes invited users additional creators', async () => {
  const roomId = await createRoom(alice, { preset: 'trusted_private_chat', invite: [bob.userId] })
  assert.deepEqual((await getState(alice, roomId, 'm.room.create')).additional_creators, [bob.userId])
  assert.deepEqual((await getState(alice, roomId, 'm.room.power_levels')).users, {})
})

test('additional_creators of the request are joined with the invited ones', async () => {
  const creation_content = { additional_creators: ['@carol:other.example', bob.userId] }
  const body = { preset: 'trusted_private_chat', invite: [bob.userId], creation_content }
  const create = await getState(alice, await createRoom(alice, body), 'm.room.create')
  assert.deepEqual(create.additional_creators.sort(), ['@carol:other.example', bob.userId].sort())
})

test('an additional creator of version 12 may do what a creator may', async () => {
  const roomId = await createRoom(alice, { preset: 'trusted_private_chat', invite: [bob.userId] })
  await bob.post(inRoom(roomId, 'join'))
  await bob.put(inRoom(roomId, 'state', 'm.room.tombstone', ''), {
    body: 'gone',
    replacement_room: '!x:test.example',
  })
})

test('additional_creators that are no user ids are refused', async () => {
  for (const additional_creators of [['not a user'], 'text', [1]]) {
    const { status } = await alice.call('POST', CREATE, { creation_content: { additional_creators } })
    assert.ok(status === 400 || status === 403, JSON.stringify(additional_creators))
  }
})

test('inviting somebody who is no user id is refused', async () => {
  await alice.refused('400 M_INVALID_PARAM', 'POST', CREATE, { invite: ['bob'] })
})

test('inviting a user of this server who does not exist is refused, and no room is made', async () => {
  const before = await alice.get(`${V3}/joined_rooms`)
  const ghost = alice.userId.replace('@', '@ghost-of-')
  await alice.refused('400 M_INVALID_PARAM', 'POST', CREATE, { invite: [ghost] })
  assert.deepEqual(await alice.get(`${V3}/joined_rooms`), before)
})

test('a second create event in initial_state is refused (adv-2)', async () => {
  const initial_state = [{ type: 'm.room.create', state_key: '', content: { room_version: '1' } }]
  const { status } = await alice.call('POST', CREATE, { initial_state })
  assert.ok(status === 400 || status === 403)
})

test('initial_state cannot join somebody else (adv-15)', async () => {
  const member = { type: 'm.room.member', state_key: bob.userId, content: { membership: 'join' } }
  await alice.refused('403 M_FORBIDDEN', 'POST', CREATE, { initial_state: [member] })
})

test('a name that makes the event too large is refused', async () => {
  await alice.refused('413 M_TOO_LARGE', 'POST', CREATE, { name: 'x'.repeat(65_530) })
})

test('creating needs an account', async () => {
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', CREATE, {})
})

test('rooms created side by side are all there', async () => {
  const rooms = await Promise.all([...Array(10).keys()].map(() => createRoom(bob)))
  assert.equal(new Set(rooms).size, 10)
  const { joined_rooms: joined } = await bob.get(`${V3}/joined_rooms`)
  for (const room of rooms) assert.ok(joined.includes(room))
})
