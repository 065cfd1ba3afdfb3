import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ALLOW_RULES_MAX } from '#/protocol/listing/limits.ts'
import { REASON_CHARS_MAX } from '#/services/rooms/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  getState,
  inRoom,
  invite,
  join,
  leave,
  messages,
  roomOf,
  say,
  setState,
  sync,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

covers(
  'POST /_matrix/client/v3/rooms/{roomId}/join',
  'POST /_matrix/client/v3/join/{roomIdOrAlias}',
  'POST /_matrix/client/v3/rooms/{roomId}/leave',
  'POST /_matrix/client/v3/rooms/{roomId}/forget',
  'POST /_matrix/client/v3/rooms/{roomId}/invite',
  'POST /_matrix/client/v3/rooms/{roomId}/kick',
  'POST /_matrix/client/v3/rooms/{roomId}/ban',
  'POST /_matrix/client/v3/rooms/{roomId}/unban',
  'GET /_matrix/client/v3/joined_rooms',
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

const act = (
  who: ApiClient,
  what: string,
  roomId: string,
  target: ApiClient,
  reason?: string,
): Promise<Json> =>
  who.post(inRoom(roomId, what), { user_id: target.userId, ...(reason === undefined ? {} : { reason }) })

const refusedAct = (who: ApiClient, what: string, roomId: string, target: ApiClient): Promise<Json> =>
  who.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, what), { user_id: target.userId })

async function membership(who: ApiClient, roomId: string, of: ApiClient): Promise<Json> {
  return getState(who, roomId, 'm.room.member', of.userId)
}

test('anybody joins a public room by its id, under either path', async () => {
  const roomId = await roomOf([alice])
  assert.deepEqual(await bob.post(inRoom(roomId, 'join')), { room_id: roomId })
  assert.deepEqual(await carol.post(`${V3}/join/${encodeURIComponent(roomId)}`), { room_id: roomId })
  assert.equal((await membership(alice, roomId, bob)).membership, 'join')
  assert.equal((await membership(alice, roomId, carol)).membership, 'join')
})

test('a join carries displayname and reason', async () => {
  const roomId = await roomOf([alice])
  await bob.post(inRoom(roomId, 'join'), { reason: 'looking for you' })
  const member = await membership(alice, roomId, bob)
  assert.deepEqual(
    [member.displayname, member.reason],
    [bob.userId.slice(1).split(':')[0], 'looking for you'],
  )
})

test('what else the body of a join says goes into the member event', async () => {
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  const body = { 'org.example.colour': 'red', membership: 'ban', third_party_signed: {}, reason: 'why' }
  for (const path of [inRoom(roomId, 'join'), `${V3}/join/${encodeURIComponent(roomId)}`]) {
    await bob.post(path, body)
    assert.deepEqual(await getState(bob, roomId, 'm.room.member', bob.userId), {
      'org.example.colour': 'red',
      membership: 'join',
      displayname: bob.userId.slice(1, -':test.example'.length),
      reason: 'why',
    })
    await leave(bob, roomId)
  }
  await bob.refused('400 M_BAD_JSON', 'POST', inRoom(roomId, 'join'), { 'org.example.size': 1.5 })
})

test('changes of membership that name nobody, or a reason that is none, are refused', async () => {
  const roomId = await roomOf([alice, bob])
  for (const what of ['invite', 'kick', 'ban', 'unban']) {
    const url = inRoom(roomId, what)
    await alice.refused('400 M_MISSING_PARAM', 'POST', url, {})
    await alice.refused('400 M_INVALID_PARAM', 'POST', url, { user_id: 'bob' })
    await alice.refused('400 M_BAD_JSON', 'POST', url, { user_id: [bob.userId] })
    await alice.refused('400 M_BAD_JSON', 'POST', url, { user_id: bob.userId, reason: 7 })
  }
  for (const url of [
    inRoom(roomId, 'join'),
    inRoom(roomId, 'leave'),
    `${V3}/join/${encodeURIComponent(roomId)}`,
  ])
    await bob.refused('400 M_BAD_JSON', 'POST', url, { reason: { text: 'why' } })
  assert.equal((await membership(alice, roomId, bob)).membership, 'join')
})

test('a private room is joined by those who are invited and by nobody else', async () => {
  const roomId = await createRoom(alice)
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
  await invite(alice, roomId, bob)
  await join(bob, roomId)
  await carol.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
})

test('joining a room that is not known here is refused', async () => {
  await bob.refused('404 M_NOT_FOUND', 'POST', inRoom('!nowhere:test.example', 'join'))
  await bob.refused('404 M_NOT_FOUND', 'POST', `${V3}/join/${encodeURIComponent('#no:test.example')}`)
})

test('a room id that is none is refused', async () => {
  await bob.refused('400 M_INVALID_PARAM', 'POST', inRoom('nothing', 'join'))
})

test('joining twice changes nothing and makes no second event', async () => {
  const roomId = await roomOf([alice, bob])
  const before = await messages(alice, roomId, { limit: 1 })
  await join(bob, roomId)
  await join(bob, roomId)
  assert.equal((await messages(alice, roomId, { limit: 1 })).chunk[0].event_id, before.chunk[0].event_id)
})

test('joins side by side make one event', async () => {
  const roomId = await roomOf([alice])
  await Promise.all(Array.from({ length: 8 }, () => join(bob, roomId)))
  const { chunk } = await messages(alice, roomId, { limit: 50 })
  const joins = chunk.filter((event: Json) => event.state_key === bob.userId)
  assert.equal(joins.length, 1)
})

test('leaving, leaving again, and leaving a room one never was in', async () => {
  const roomId = await roomOf([alice, bob])
  await bob.post(inRoom(roomId, 'leave'), { reason: 'enough' })
  const member = await membership(alice, roomId, bob)
  assert.deepEqual([member.membership, member.reason], ['leave', 'enough'])
  assert.deepEqual(await leave(bob, roomId), {})
  await carol.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'leave'))
  await carol.refused('404 M_NOT_FOUND', 'POST', inRoom('!nowhere:test.example', 'leave'))
})

test('an invite is refused by leaving', async () => {
  const roomId = await createRoom(alice, { invite: [bob.userId] })
  await leave(bob, roomId)
  assert.equal((await membership(alice, roomId, bob)).membership, 'leave')
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
})

test('inviting needs a member, and the level that the room asks for', async () => {
  const roomId = await roomOf([alice, bob])
  await refusedAct(bob, 'invite', roomId, carol)
  await refusedAct(carol, 'invite', roomId, carol)
  await act(alice, 'invite', roomId, carol, 'come')
  const member = await membership(alice, roomId, carol)
  assert.deepEqual([member.membership, member.reason], ['invite', 'come'])
})

test('those who are in or banned are not invited', async () => {
  const roomId = await roomOf([alice, bob])
  await refusedAct(alice, 'invite', roomId, bob)
  await act(alice, 'ban', roomId, carol)
  await refusedAct(alice, 'invite', roomId, carol)
})

test('an invite of nobody, of a stranger and of no user id is refused', async () => {
  const roomId = await createRoom(alice)
  const url = inRoom(roomId, 'invite')
  await alice.refused('404 M_NOT_FOUND', 'POST', url, { user_id: '@ghost:test.example' })
  await alice.refused('404 M_NOT_FOUND', 'POST', url, { user_id: '@bob:elsewhere.example' })
  await alice.refused('400 M_INVALID_PARAM', 'POST', url, { user_id: 'bob' })
  await alice.refused('400 M_MISSING_PARAM', 'POST', url, {})
})

test('an invite repeated by the same user is the same event', async () => {
  const roomId = await createRoom(alice)
  await invite(alice, roomId, bob)
  const before = (await messages(alice, roomId, { limit: 1 })).chunk[0].event_id
  await invite(alice, roomId, bob)
  assert.equal((await messages(alice, roomId, { limit: 1 })).chunk[0].event_id, before)
})

test('kicking takes a member or an invited user out, with a reason', async () => {
  const roomId = await roomOf([alice, bob])
  await act(alice, 'kick', roomId, bob, 'noise')
  const member = await membership(alice, roomId, bob)
  assert.deepEqual([member.membership, member.reason], ['leave', 'noise'])
  await join(bob, roomId)
  await act(alice, 'invite', roomId, carol)
  await act(alice, 'kick', roomId, carol)
  assert.equal((await membership(alice, roomId, carol)).membership, 'leave')
})

test('nobody kicks those who are not there, oneself without power, or the stronger', async () => {
  const roomId = await roomOf([alice, bob])
  await refusedAct(alice, 'kick', roomId, carol)
  await refusedAct(bob, 'kick', roomId, alice)
  await refusedAct(carol, 'kick', roomId, bob)
})

test('§5.2 a kick needs strictly more power than its target has', async () => {
  const roomId = await roomOf([alice, bob, carol], { room_version: '11' })
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  const users = { ...levels.users, [bob.userId]: 60, [carol.userId]: 60 }
  await setState(alice, roomId, 'm.room.power_levels', { ...levels, users })
  await refusedAct(bob, 'kick', roomId, carol)
  await refusedAct(bob, 'ban', roomId, carol)
  await act(alice, 'kick', roomId, carol)
})

test('a banned user cannot join, be invited, or lift the ban by leaving (§5.2)', async () => {
  const roomId = await roomOf([alice, bob])
  await act(alice, 'ban', roomId, bob, 'out')
  assert.equal((await membership(alice, roomId, bob)).reason, 'out')
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'leave'))
  await refusedAct(alice, 'invite', roomId, bob)
})

test('somebody who was never there can be banned, and unbanned', async () => {
  const roomId = await roomOf([alice])
  await act(alice, 'ban', roomId, carol)
  await carol.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
  await act(alice, 'unban', roomId, carol)
  await join(carol, roomId)
})

test('unbanning needs a ban and the power for it (§5.2: ban and kick level)', async () => {
  const roomId = await roomOf([alice, bob], { room_version: '11' })
  await refusedAct(alice, 'unban', roomId, bob)
  await act(alice, 'ban', roomId, carol)
  await refusedAct(bob, 'unban', roomId, carol)
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  const users = { ...levels.users, [bob.userId]: 60 }
  await setState(alice, roomId, 'm.room.power_levels', { ...levels, users, ban: 50, kick: 70 })
  await refusedAct(bob, 'unban', roomId, carol)
  await setState(alice, roomId, 'm.room.power_levels', { ...levels, users, ban: 50, kick: 60 })
  await act(bob, 'unban', roomId, carol)
})

test('a ban of an admin by an admin is refused', async () => {
  const roomId = await roomOf([alice, bob], { preset: 'public_chat', room_version: '11' })
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  await setState(alice, roomId, 'm.room.power_levels', {
    ...levels,
    users: { ...levels.users, [bob.userId]: 100 },
  })
  await refusedAct(alice, 'ban', roomId, bob)
  await refusedAct(bob, 'ban', roomId, alice)
})

test('version 12: nobody removes a creator', async () => {
  const roomId = await roomOf([alice, bob])
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  await setState(alice, roomId, 'm.room.power_levels', {
    ...levels,
    users: { [bob.userId]: 9_007_199_254_740_991 },
  })
  await refusedAct(bob, 'kick', roomId, alice)
})

test('a membership of somebody else cannot be put as state (adv-15)', async () => {
  const roomId = await roomOf([alice, bob])
  const url = inRoom(roomId, 'state', 'm.room.member', carol.userId)
  await alice.refused('403 M_FORBIDDEN', 'PUT', url, { membership: 'join' })
  const own = inRoom(roomId, 'state', 'm.room.member', bob.userId)
  await alice.refused('403 M_FORBIDDEN', 'PUT', own, { membership: 'join', displayname: 'not bob' })
})

test('an invite put as state arrives with its stripped state, create event included', async () => {
  const roomId = await createRoom(alice, { name: 'by state' })
  const dora = await server.user('dora')
  await setState(alice, roomId, 'm.room.member', { membership: 'invite' }, dora.userId)
  const { invite_state } = (await sync(dora)).rooms.invite[roomId]
  const types = invite_state.events.map((event: Json) => event.type)
  for (const type of ['m.room.create', 'm.room.name', 'm.room.join_rules'])
    assert.ok(types.includes(type), type)
})

test('an invite of a stranger put as state is refused', async () => {
  const roomId = await createRoom(alice)
  const url = inRoom(roomId, 'state', 'm.room.member', '@bob:elsewhere.example')
  await alice.refused('400 M_INVALID_PARAM', 'PUT', url, { membership: 'invite' })
})

test('a membership that does not exist is refused', async () => {
  const roomId = await roomOf([alice])
  const url = inRoom(roomId, 'state', 'm.room.member', alice.userId)
  for (const membership of ['Join', '', 7, null]) {
    const { status } = await alice.call('PUT', url, { membership })
    assert.ok(status === 400 || status === 403, JSON.stringify(membership))
  }
})

test('forgetting needs leaving first; then the room is out of sight, again and again', async () => {
  const roomId = await roomOf([alice, bob])
  await say(alice, roomId, 'seen')
  await bob.refused('400 M_UNKNOWN', 'POST', inRoom(roomId, 'forget'))
  const guest = server.anonymous()
  guest.become(await guest.post(`${V3}/register?kind=guest`))
  await guest.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'POST', inRoom(roomId, 'forget'))
  await leave(bob, roomId)
  assert.ok((await messages(bob, roomId)).chunk.length > 0, 'the past is readable until it is forgotten')
  assert.deepEqual(await bob.post(inRoom(roomId, 'forget')), {})
  assert.deepEqual(await bob.post(inRoom(roomId, 'forget')), {})
  await bob.refused('403 M_FORBIDDEN', 'GET', `${inRoom(roomId, 'messages')}?dir=b`)
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom(roomId, 'state'))
})

test('a forgotten room comes back by joining again', async () => {
  const roomId = await roomOf([alice, bob])
  await leave(bob, roomId)
  await bob.post(inRoom(roomId, 'forget'))
  await join(bob, roomId)
  assert.ok((await sync(bob)).rooms.join[roomId])
  assert.ok((await bob.get(`${V3}/joined_rooms`)).joined_rooms.includes(roomId))
})

test('joined_rooms follows joining, leaving, kicking', async () => {
  const dora = await server.user('dora')
  const has = async (roomId: string) => (await dora.get(`${V3}/joined_rooms`)).joined_rooms.includes(roomId)
  const roomId = await roomOf([alice])
  assert.equal(await has(roomId), false)
  await join(dora, roomId)
  assert.equal(await has(roomId), true)
  await leave(dora, roomId)
  assert.equal(await has(roomId), false)
  await invite(alice, roomId, dora)
  assert.equal(await has(roomId), false)
  await join(dora, roomId)
  await act(alice, 'kick', roomId, dora)
  assert.equal(await has(roomId), false)
})

test('a reason may be long or null, but not endless', async () => {
  const roomId = await roomOf([alice])
  await bob.post(inRoom(roomId, 'join'), { reason: null })
  await bob.post(inRoom(roomId, 'leave'), { reason: null })
  await bob.post(inRoom(roomId, 'join'), { reason: 'x'.repeat(REASON_CHARS_MAX) })
  assert.equal((await membership(alice, roomId, bob)).reason.length, REASON_CHARS_MAX)
  await act(alice, 'kick', roomId, bob)
  const { status } = await bob.call('POST', inRoom(roomId, 'join'), {
    reason: 'x'.repeat(REASON_CHARS_MAX + 1),
  })
  assert.equal(status, 400)
})

test('after the join rule closes a room, those outside stay outside', async () => {
  const roomId = await roomOf([alice])
  await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'invite' })
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
})

async function restrictedRoom(
  version: string,
  rule = 'restricted',
): Promise<{ roomId: string; door: string }> {
  const door = await roomOf([alice])
  const allow = [
    { type: 'com.example.other' },
    { type: 'm.room_membership', room_id: '!unknown:test.example' },
    { type: 'm.room_membership', room_id: door },
  ]
  const rules = { type: 'm.room.join_rules', state_key: '', content: { join_rule: rule, allow } }
  return { roomId: await createRoom(alice, { room_version: version, initial_state: [rules] }), door }
}

for (const version of ['8', '10', '11', '12']) {
  test(`§5.9 a restricted room of version ${version} lets in the members of the other room`, async () => {
    const { roomId, door } = await restrictedRoom(version)
    await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
    await join(bob, door)
    await join(bob, roomId)
    const member = await membership(alice, roomId, bob)
    assert.equal(member.join_authorised_via_users_server, alice.userId)
    await leave(bob, door)
    await say(bob, roomId, 'conditions are looked at when joining only')
  })
}

test('§5.9 a restricted room lets in however many members stand before the one who may invite', async () => {
  const admin = await server.user('zoe')
  const door = await createRoom(admin, { preset: 'public_chat' })
  const allow = [{ type: 'm.room_membership', room_id: door }]
  const restricted = { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } }
  for (const room_version of ['10', '12']) {
    const roomId = await createRoom(admin, { room_version, initial_state: [restricted] })
    const members: ApiClient[] = []
    for (let i = 0; i < 55; i++) members.push(await server.user(`a${room_version}member${i}`))
    for (const member of members) {
      await join(member, door)
      await join(member, roomId)
    }
    const { join_authorised_via_users_server: via } = await membership(admin, roomId, members.at(-1)!)
    assert.equal(via, admin.userId)
    await setState(admin, roomId, 'm.room.power_levels', {
      ...(room_version === '10' ? { users: { [admin.userId]: 100 } } : {}),
      invite: 0,
    })
    await leave(admin, roomId)
    await join(bob, door)
    await join(bob, roomId)
    await leave(bob, door)
  }
})

test('§5.9 every condition of a restricted room counts, however many there are', async () => {
  const [first, last] = [await createRoom(alice), await createRoom(alice, { preset: 'public_chat' })]
  const others = Array.from({ length: 2 * ALLOW_RULES_MAX }, (_, i) => `!other${i}:elsewhere.example`)
  const allow = [first, ...others, last].map((room_id) => ({ type: 'm.room_membership', room_id }))
  const initial_state = [{ type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } }]
  const roomId = await createRoom(alice, { initial_state })
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
  await join(bob, last)
  await join(bob, roomId)
})

test('§5.9 being invited to the other room is not enough', async () => {
  const { roomId, door } = await restrictedRoom('12')
  await invite(alice, door, bob)
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
})

test('§5.2 who is invited joins a restricted room without any condition', async () => {
  const { roomId } = await restrictedRoom('12')
  await invite(alice, roomId, bob)
  await join(bob, roomId)
  assert.equal((await membership(alice, roomId, bob)).join_authorised_via_users_server, undefined)
})

test('§5.9 a join sent as a state event goes the way of every join, with the content that was given', async () => {
  const { roomId, door } = await restrictedRoom('12')
  await join(bob, door)
  await bob.ok('PUT', `${V3}/profile/${bob.userId}/displayname`, { displayname: 'Bob' })
  const content = { membership: 'join', displayname: 'Bobby', 'com.example.hat': 'blue' }
  await setState(bob, roomId, 'm.room.member', content, bob.userId)
  const expected = { ...content, join_authorised_via_users_server: alice.userId }
  assert.deepEqual(await membership(alice, roomId, bob), expected)
  await leave(bob, roomId)
  await setState(bob, roomId, 'm.room.member', { membership: 'join' }, bob.userId)
  assert.equal((await membership(alice, roomId, bob)).displayname, 'Bob')
  await bob.ok('PUT', `${V3}/profile/${bob.userId}/displayname`, { displayname: '' })
  await bob.refused('403 M_FORBIDDEN', 'PUT', inRoom(roomId, 'state', 'm.room.member', bob.userId), {
    membership: 'elsewhere',
  })
})

test('knock_restricted lets members of the other room in as well', async () => {
  const { roomId, door } = await restrictedRoom('12', 'knock_restricted')
  await join(carol, door)
  await join(carol, roomId)
})

test('where nobody left may invite, a restricted join cannot be granted', async () => {
  const { roomId, door } = await restrictedRoom('11')
  await join(bob, door)
  await leave(alice, roomId)
  await bob.refused('400 M_UNABLE_TO_GRANT_JOIN', 'POST', inRoom(roomId, 'join'))
})

test('a room of version 7 does not know restricted joins', async () => {
  const { roomId, door } = await restrictedRoom('7')
  await join(bob, door)
  await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
})

test('a changed display name goes into the member events of the rooms', async () => {
  const erin = await server.user('erin')
  const roomId = await roomOf([alice, erin])
  await erin.put(`${V3}/profile/${encodeURIComponent(erin.userId)}/displayname`, { displayname: 'Erin' })
  const named = async () => (await membership(alice, roomId, erin)).displayname === 'Erin'
  await until('the member event has the new name', named)
})
