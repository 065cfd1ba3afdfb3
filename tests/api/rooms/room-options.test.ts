import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RoomOptions } from '#/services/rooms/options.ts'
import {
  allState,
  createRoom,
  getState,
  inRoom,
  invite,
  join,
  leave,
  roomOf,
  say,
  sync,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

const start = (rooms: Partial<RoomOptions> = {}): Promise<TestServer> =>
  TestServer.start({
    configure: (options) => ({
      ...options,
      discovery: { ...options.discovery, forgetOnLeave: rooms.forgetOnLeave ?? false },
      rooms: { ...options.rooms, ...rooms },
    }),
  })

test('encryption_enabled_by_default_for_room_type encrypts all rooms, the private ones, or none', async () => {
  for (const [value, expected] of [
    ['all', { private_chat: true, trusted_private_chat: true, public_chat: true }],
    ['invite', { private_chat: true, trusted_private_chat: true, public_chat: false }],
    ['off', { private_chat: false, trusted_private_chat: false, public_chat: false }],
  ] as const) {
    const server = await start({ encryptedByDefault: value })
    const ann = await server.user('ann')
    for (const [preset, encrypted] of Object.entries(expected)) {
      const state = await allState(ann, await createRoom(ann, { preset }))
      const algorithm = state.get('m.room.encryption|')?.content.algorithm
      assert.equal(algorithm, encrypted ? 'm.megolm.v1.aes-sha2' : undefined, `${value} ${preset}`)
    }
    const own = {
      type: 'm.room.encryption',
      content: { algorithm: 'm.megolm.v1.aes-sha2', rotation_period_ms: 5 },
    }
    const roomId = await createRoom(ann, { initial_state: [own] })
    assert.deepEqual(await getState(ann, roomId, 'm.room.encryption'), own.content)
    await server.close()
  }
})

test('default_power_level_content_override counts unless the request says otherwise', async () => {
  const powerLevels = new Map([
    ['private_chat', { kick: 70, ban: 71 }],
    ['public_chat', null],
  ])
  const server = await start({ powerLevels })
  const ann = await server.user('ann')
  const override = { power_level_content_override: { ban: 60 } }
  const own = await getState(ann, await createRoom(ann, override), 'm.room.power_levels')
  assert.deepEqual([own.kick, own.ban, own.redact], [70, 60, 50])
  const open = await createRoom(ann, { preset: 'public_chat' })
  assert.equal((await getState(ann, open, 'm.room.power_levels')).kick, 50)
  await server.close()
})

test('forget_rooms_on_leave: devices hear of the leaving, then the room is out of sight', async () => {
  const server = await start({ forgetOnLeave: true })
  const [ann, ben] = [await server.user('ann'), await server.user('ben')]
  const { capabilities } = await ann.get(`${V3}/capabilities`)
  assert.deepEqual(capabilities['m.forget_forced_upon_leave'], { enabled: true })
  const filter = JSON.stringify({ room: { include_leave: true } })
  for (const way of ['leave', 'kick', 'ban', 'reject'] as const) {
    const roomId = way === 'reject' ? await createRoom(ann) : await roomOf([ann, ben])
    if (way === 'reject') await invite(ann, roomId, ben)
    const { next_batch: since } = await sync(ben)
    if (way === 'leave' || way === 'reject') await leave(ben, roomId)
    else await ann.post(inRoom(roomId, way), { user_id: ben.userId })
    assert.ok((await sync(ben, { since })).rooms.leave[roomId], way)
    assert.equal((await sync(ben, { filter })).rooms?.leave?.[roomId], undefined, way)
    await ben.refused('403 M_FORBIDDEN', 'GET', `${inRoom(roomId, 'messages')}?dir=b`)
  }
  const room = await roomOf([ann, ben])
  await leave(ben, room)
  await join(ben, room)
  await say(ben, room, 'back again')
  assert.ok((await sync(ben)).rooms.join[room])
  await server.close()
})

test('without forget_rooms_on_leave a room that was left stays in sight', async () => {
  const server = await start()
  const [ann, ben] = [await server.user('ann'), await server.user('ben')]
  const { capabilities } = await ann.get(`${V3}/capabilities`)
  assert.deepEqual(capabilities['m.forget_forced_upon_leave'], { enabled: false })
  const roomId = await roomOf([ann, ben])
  await leave(ben, roomId)
  const filter = JSON.stringify({ room: { include_leave: true } })
  assert.ok((await sync(ben, { filter })).rooms.leave[roomId])
  await server.close()
})

test('a public room that everybody has left can be entered again, with its levels', async () => {
  const server = await start()
  const [ann, ben] = [await server.user('ann'), await server.user('ben')]
  const roomId = await roomOf([ann, ben], { name: 'Empty' })
  await leave(ben, roomId)
  await leave(ann, roomId)
  await join(ben, roomId)
  await say(ben, roomId, 'anybody here?')
  assert.equal((await getState(ben, roomId, 'm.room.name')).name, 'Empty')
  const closed = await createRoom(ann)
  await leave(ann, closed)
  await ann.refused('403 M_FORBIDDEN', 'POST', inRoom(closed, 'join'), {})
  await server.close()
})

test('m.federate stays in the create event of every version', async () => {
  const server = await start()
  const ann = await server.user('ann')
  for (const version of ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12']) {
    const body = { room_version: version, creation_content: { 'm.federate': false } }
    const create = (await allState(ann, await createRoom(ann, body))).get('m.room.create|')
    assert.equal(create.content['m.federate'], false)
    assert.equal(create.content.room_version, version)
  }
  await server.close()
})

test('additional creators of version 12 are user ids, and have no level', async () => {
  const server = await start()
  const [ann, ben] = [await server.user('ann'), await server.user('ben')]
  const creation_content = { additional_creators: [ben.userId] }
  const roomId = await createRoom(ann, { room_version: '12', creation_content })
  const levels = await getState(ann, roomId, 'm.room.power_levels')
  assert.deepEqual(levels.users, {})
  for (const bad of [['nobody'], 'ben', [5]]) {
    const body = { room_version: '12', creation_content: { additional_creators: bad } }
    await ann.refused('400 M_INVALID_PARAM', 'POST', `${V3}/createRoom`, body)
  }
  await server.close()
})
