import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json, Method } from '../../support/api-client.ts'
import {
  allState,
  createRoom,
  getState,
  inRoom,
  invite,
  join,
  leave,
  messages,
  say,
  setState,
  sync,
  texts,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

const GUEST = `${V3}/register?kind=guest`

async function guest(on = server): Promise<ApiClient> {
  const client = on.anonymous()
  client.become(await client.post(GUEST, { initial_device_display_name: 'a tab' }))
  return client
}

/** A room into which guests may go, and one that everybody may read. */
const open = (more: Json = {}): Promise<string> => createRoom(alice, { preset: 'public_chat', ...more })

async function opened(): Promise<string> {
  const roomId = await open()
  await setState(alice, roomId, 'm.room.guest_access', { guest_access: 'can_join' })
  return roomId
}

async function readable(): Promise<string> {
  const roomId = await open()
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' })
  return roomId
}

async function membershipOf(roomId: string, who: ApiClient): Promise<string> {
  return (await getState(alice, roomId, 'm.room.member', who.userId)).membership
}

async function untilLeft(roomId: string, who: ApiClient): Promise<void> {
  const left = async () => (await membershipOf(roomId, who)) === 'leave'
  await until(`${who.userId} is out of the room`, left)
}

test('a guest gets a number for a name, a device and a token', async () => {
  const client = await guest()
  assert.match(client.userId, /^@[0-9]+:test\.example$/)
  const who = await client.get(`${V3}/account/whoami`)
  assert.deepEqual(who, { user_id: client.userId, device_id: 'guest_device', is_guest: true })
  const other = await guest()
  assert.notEqual(other.userId, client.userId)
})

test('where guest access is off nobody registers as a guest', async () => {
  const closed = await TestServer.start({
    configure: (options) => {
      const registration = { ...options.accounts.registration, guests: false }
      return { ...options, accounts: { ...options.accounts, registration } }
    },
  })
  await closed.anonymous().refused('403 M_GUEST_ACCESS_FORBIDDEN', 'POST', GUEST, {})
  await closed.close()
})

/** https://spec.matrix.org/v1.19/client-server-api/#guest-access, and what `/sync` cannot do without. */
const FOR_GUESTS = [
  'getRoomState',
  'getEventContext',
  'getOneRoomEvent',
  'getRoomStateWithKey',
  'getRoomEvents',
  'getMembersByRoom',
  'roomInitialSync',
  'sync',
  'getEvents',
  'peekEvents',
  'joinRoomById',
  'joinRoom',
  'leaveRoom',
  'sendMessage',
  'setRoomStateWithKey',
  'sendToDevice',
  'setProfileField',
  'deleteProfileField',
  'getDevices',
  'getDevice',
  'updateDevice',
  'getTokenOwner',
  'uploadKeys',
  'queryKeys',
  'claimKeys',
  'defineFilter',
  'getFilter',
  'getCapabilities',
  'logout',
  'logout_all',
  /* Not in that list, and open to guests elsewhere: what is not about anybody's account. */
  'queryPublicRooms',
  'getSpaceHierarchy',
  'getProtocols',
  'getProtocolMetadata',
  'queryLocationByAlias',
  'queryLocationByProtocol',
  'queryUserByID',
  'queryUserByProtocol',
  /* Refused by `turn_allow_guests: false`. */
  'getTurnServer',
]

test('what guests may call is what the specification lists; everything else is refused', async () => {
  const client = await guest()
  const { routes } = server.assembled
  const allowed = routes.filter((route) => route.auth === 'guest').flatMap((route) => route.operations ?? [])
  const media = /^get(Authed)?(Content|ContentThumbnail|Media)/
  const extra = allowed.filter((name) => !FOR_GUESTS.includes(name) && !media.test(name))
  assert.deepEqual(extra, [])
  const refused = routes.filter((route) => route.auth === 'user')
  assert.ok(refused.length > 5)
  for (const route of refused) {
    const url = route.path.replaceAll(/:[a-zA-Z]+/g, 'x')
    await client.refused('403 M_GUEST_ACCESS_FORBIDDEN', route.method as Method, url, {})
  }
})

test('a guest peeks into a room that everybody may read, and into no other', async () => {
  const roomId = await readable()
  const id = await say(alice, roomId, 'for everybody')
  const client = await guest()
  assert.deepEqual(texts((await messages(client, roomId)).chunk), ['for everybody'])
  assert.equal((await client.get(inRoom(roomId, 'event', id))).event_id, id)
  assert.equal((await client.get(inRoom(roomId, 'context', id))).event.event_id, id)
  assert.ok((await allState(client, roomId)).has('m.room.create|'))
  assert.equal((await getState(client, roomId, 'm.room.join_rules')).join_rule, 'public')
  assert.equal((await client.get(inRoom(roomId, 'members'))).chunk.length, 1)
  const shut = await open()
  const hidden = await say(alice, shut, 'for members')
  await client.refused('403 M_FORBIDDEN', 'GET', `${inRoom(shut, 'messages')}?dir=b`)
  await client.refused('404 M_NOT_FOUND', 'GET', inRoom(shut, 'event', hidden))
  await client.refused('403 M_FORBIDDEN', 'GET', inRoom(shut, 'context', hidden))
  await client.refused('403 M_FORBIDDEN', 'GET', inRoom(shut, 'state'))
  await client.refused('403 M_FORBIDDEN', 'GET', inRoom(shut, 'members'))
})

test('a guest joins where guests may, talks, syncs and leaves', async () => {
  const roomId = await opened()
  const client = await guest()
  await join(client, roomId)
  await say(client, roomId, 'hello')
  const answer = await sync(client)
  assert.deepEqual(texts(answer.rooms.join[roomId].timeline.events), ['hello'])
  await leave(client, roomId)
  assert.equal(await membershipOf(roomId, client), 'leave')
})

test('a guest does not join where nothing lets guests in, not even invited', async () => {
  const client = await guest()
  const silent = await open()
  const forbidden = await open()
  await setState(alice, forbidden, 'm.room.guest_access', { guest_access: 'forbidden' })
  for (const roomId of [silent, forbidden]) {
    await client.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
    const asState = inRoom(roomId, 'state', 'm.room.member', client.userId)
    await client.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'PUT', asState, { membership: 'join' })
  }
  await invite(alice, forbidden, client)
  await client.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'POST', inRoom(forbidden, 'join'))
})

test('guests leave when guest access is switched off; everybody else stays', async () => {
  const roomId = await opened()
  const bob = await server.user('bob')
  await join(bob, roomId)
  const guests = [await guest(), await guest()]
  for (const client of guests) await join(client, roomId)
  await setState(alice, roomId, 'm.room.guest_access', { guest_access: 'forbidden' })
  for (const client of guests) await untilLeft(roomId, client)
  assert.equal(await membershipOf(roomId, bob), 'join')
  await guests[0]!.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'POST', inRoom(roomId, 'join'))
})

test('that guests must leave is not forgotten by a restart', async () => {
  const roomId = await opened()
  const client = await guest()
  await join(client, roomId)
  await setState(alice, roomId, 'm.room.guest_access', { guest_access: 'forbidden' })
  await server.restart()
  await untilLeft(roomId, client)
})

test('guests change their display name and nothing else of their profile', async () => {
  const client = await guest()
  const url = `${V3}/profile/${encodeURIComponent(client.userId)}`
  await client.put(`${url}/displayname`, { displayname: 'Visitor' })
  assert.equal((await client.get(url)).displayname, 'Visitor')
  const avatar = { avatar_url: 'mxc://test.example/a' }
  await client.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'PUT', `${url}/avatar_url`, avatar)
  await client.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'PUT', `${url}/m.tz`, { 'm.tz': 'Europe/London' })
  await client.ok('DELETE', `${url}/displayname`)
  await client.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'DELETE', `${url}/avatar_url`)
})

function upgrade(client: ApiClient, more: Json = {}): Json {
  const username = client.userId.slice(1).split(':')[0]
  const auth = { type: 'm.login.dummy' }
  return { username, password: 'a password', guest_access_token: client.token, auth, ...more }
}

test('a guest who registers keeps name and rooms, and is no guest any more', async () => {
  const roomId = await opened()
  const client = await guest()
  await join(client, roomId)
  const full = server.anonymous()
  full.become(await full.post(`${V3}/register`, upgrade(client)))
  assert.equal(full.userId, client.userId)
  assert.equal((await full.get(`${V3}/account/whoami`)).is_guest, false)
  assert.deepEqual((await full.get(`${V3}/joined_rooms`)).joined_rooms, [roomId])
  const device = await server.device(full)
  assert.equal(device.userId, client.userId)
  await setState(alice, roomId, 'm.room.guest_access', { guest_access: 'forbidden' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(await membershipOf(roomId, full), 'join')
  await full.refused('403 M_FORBIDDEN', 'POST', `${V3}/register`, upgrade(full))
})

test('an upgrade needs the token of a guest and their own name', async () => {
  const client = await guest()
  const anonymous = server.anonymous()
  const url = `${V3}/register`
  const attempt = (expected: string, more: Json): Promise<Json> =>
    anonymous.refused(expected, 'POST', url, upgrade(client, more))
  await attempt('403 M_FORBIDDEN', { guest_access_token: 'nonsense' })
  await attempt('403 M_FORBIDDEN', { guest_access_token: alice.token })
  await attempt('400 M_INVALID_USERNAME', { username: 'somebody' })
  await attempt('400 M_INVALID_USERNAME', { username: undefined })
  await attempt('400 M_BAD_JSON', { guest_access_token: 7 })
  assert.equal((await client.get(`${V3}/account/whoami`)).is_guest, true)
})
