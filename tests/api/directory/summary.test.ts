import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { createRoom, invite, join, leave } from '../../support/room-calls.ts'
import { SERVER_NAME, TestServer } from '../../support/test-server.ts'

covers('GET /_matrix/client/v1/room_summary/{roomIdOrAlias}')

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const path = (text: string): string => `/_matrix/client/v1/room_summary/${encodeURIComponent(text)}`
const summary = (who: ApiClient, text: string): Promise<Json> => who.get(path(text))

test('a public room is summarised for everybody, by id and by alias', async () => {
  const roomId = await createRoom(alice, {
    preset: 'public_chat',
    name: 'Open',
    topic: 'things',
    room_alias_name: 'open',
    room_version: '11',
    initial_state: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
  })
  const alias = `#open:${SERVER_NAME}`
  const expected = {
    room_id: roomId,
    name: 'Open',
    topic: 'things',
    canonical_alias: alias,
    join_rule: 'public',
    num_joined_members: 1,
    world_readable: false,
    guest_can_join: false,
    encryption: 'm.megolm.v1.aes-sha2',
    room_version: '11',
  }
  assert.deepEqual(await summary(server.anonymous(), roomId), expected)
  assert.deepEqual(await summary(server.anonymous(), alias), expected)
  assert.deepEqual(await summary(bob, alias), { ...expected, membership: 'leave' })
  assert.deepEqual(await summary(alice, roomId), { ...expected, membership: 'join' })
  const unstable = '/_matrix/client/unstable/im.nheko.summary'
  for (const url of [`${unstable}/summary/`, `${unstable}/rooms/`]) {
    const tail = url.endsWith('rooms/') ? '/summary' : ''
    const answer = await bob.get(`${url}${encodeURIComponent(roomId)}${tail}?via=x.example`)
    assert.equal(answer['im.nheko.summary.room_version'], '11')
  }
})

test('adv-55 a private room is summarised for members and the invited alone', async () => {
  const roomId = await createRoom(alice, { preset: 'private_chat', name: 'secret' })
  await bob.refused('404 M_NOT_FOUND', 'GET', path(roomId))
  await server.anonymous().refused('404 M_NOT_FOUND', 'GET', path(roomId))
  await invite(alice, roomId, bob)
  assert.equal((await summary(bob, roomId)).membership, 'invite')
  await join(bob, roomId)
  const seen = await summary(bob, roomId)
  assert.deepEqual([seen.membership, seen.num_joined_members, seen.join_rule], ['join', 2, 'invite'])
  await leave(bob, roomId)
  await bob.refused('404 M_NOT_FOUND', 'GET', path(roomId))
})

test('a restricted room is summarised for members of the rooms it names', async () => {
  const door = await createRoom(alice, { preset: 'public_chat' })
  const content = { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: door }] }
  const roomId = await createRoom(alice, { initial_state: [{ type: 'm.room.join_rules', content }] })
  await bob.refused('404 M_NOT_FOUND', 'GET', path(roomId))
  await join(bob, door)
  assert.deepEqual((await summary(bob, roomId)).allowed_room_ids, [door])
  await server.anonymous().refused('404 M_NOT_FOUND', 'GET', path(roomId))
})

test('what is not there is not found, and a bad token is refused', async () => {
  await bob.refused('404 M_NOT_FOUND', 'GET', path('!nowhere:test.example'))
  await bob.refused('404 M_NOT_FOUND', 'GET', path('#nowhere:test.example'))
  await bob.refused('400 M_INVALID_PARAM', 'GET', path('nowhere'))
  const stranger = server.anonymous()
  stranger.token = 'nonsense'
  await stranger.refused('401 M_UNKNOWN_TOKEN', 'GET', path('!nowhere:test.example'))
})
