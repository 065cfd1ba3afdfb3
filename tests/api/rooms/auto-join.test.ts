import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AutoJoinOptions } from '#/services/rooms/auto-join.ts'
import { ROOM_OPTIONS_DEFAULT } from '#/services/rooms/options.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { allState, createRoom, getState, inRoom, sync, V3 } from '../../support/room-calls.ts'
import { SERVER_NAME, TestServer } from '../../support/test-server.ts'

const WELCOME = `#welcome:${SERVER_NAME}`

function start(more: Partial<AutoJoinOptions> = {}): Promise<TestServer> {
  const autoJoin = { ...ROOM_OPTIONS_DEFAULT.autoJoin, rooms: [WELCOME], ...more }
  return TestServer.start({
    configure: (options) => ({ ...options, rooms: { ...options.rooms, autoJoin } }),
  })
}

const joined = async (who: ApiClient): Promise<string[]> => (await who.get(`${V3}/joined_rooms`)).joined_rooms

test('the first user makes the rooms for all, the next ones join them', async () => {
  const server = await start({ rooms: [WELCOME, `#second:${SERVER_NAME}`] })
  const ann = await server.user('ann')
  const rooms = await joined(ann)
  assert.equal(rooms.length, 2)
  const ben = await server.user('ben')
  assert.deepEqual((await joined(ben)).sort(), rooms.sort())
  const { room_id: roomId } = await ben.get(`${V3}/directory/room/${encodeURIComponent(WELCOME)}`)
  assert.equal((await getState(ben, roomId, 'm.room.join_rules')).join_rule, 'public')
  assert.equal((await getState(ben, roomId, 'm.room.canonical_alias')).alias, WELCOME)
  assert.ok((await sync(ben)).rooms.join[roomId])
  await server.close()
})

test('rooms for all may stay on this server', async () => {
  const server = await start({ federated: false })
  const ann = await server.user('ann')
  const [roomId] = await joined(ann)
  const create = (await allState(ann, roomId!)).get('m.room.create|')
  assert.equal(create.content['m.federate'], false)
  await server.close()
})

test('private rooms are made by the account that invites, and everybody else is invited', async () => {
  const server = await start({ preset: 'private_chat', inviter: 'host' })
  const host = server.anonymous()
  host.become(
    await host.post(`${V3}/register`, {
      username: 'host',
      password: 'a password',
      auth: { type: 'm.login.dummy' },
    }),
  )
  const [roomId] = await joined(host)
  const ann = await server.user('ann')
  assert.deepEqual(await joined(ann), [roomId])
  const create = (await allState(ann, roomId!)).get('m.room.create|')
  assert.equal(create.sender, host.userId)
  await server.close()
})

test('without autocreate_auto_join_rooms nothing is made; a room that is there is joined', async () => {
  const server = await start({ create: false })
  const ann = await server.user('ann')
  assert.deepEqual(await joined(ann), [])
  assert.ok(server.log.some((line) => line.message.includes('auto_join_rooms')))
  const roomId = await createRoom(ann, { preset: 'public_chat', room_alias_name: 'welcome' })
  assert.deepEqual(await joined(await server.user('ben')), [roomId])
  /* Who is kept out is kept out, and registers all the same. */
  await ann.put(inRoom(roomId, 'state', 'm.room.join_rules', ''), { join_rule: 'invite' })
  assert.deepEqual(await joined(await server.user('carl')), [])
  await server.close()
})

test('a user who was registered just before a stop joins after it', async () => {
  const server = await start()
  const ann = await server.user('ann')
  const [roomId] = await joined(ann)
  await ann.post(inRoom(roomId!, 'leave'))
  await server.restart((ask) => {
    const text = 'INSERT INTO jobs (kind, key, due_ts, attempts, data) VALUES (?1, ?2, 0, 0, ?3)'
    return ask(text, 'rooms.auto_join', ann.userId, '{}')
  })
  for (let i = 0; i < 100 && (await joined(ann)).length === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.deepEqual(await joined(ann), [roomId])
  assert.ok((await server.count(`SELECT COUNT(*) AS n FROM jobs WHERE kind = 'rooms.auto_join'`)) <= 1)
  await server.close()
})

test('an account that is made at registration finds nothing left to do', async () => {
  const server = await start()
  await server.user('ann')
  const jobs = await server.ask(`SELECT key FROM jobs WHERE kind = 'rooms.auto_join'`)
  assert.deepEqual(jobs as Json, [])
  await server.close()
})
