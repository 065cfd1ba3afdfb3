/** The room in which the server speaks to a user. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { ServerNotices } from '#/services/admin/server-notices.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { coversPart } from '../../support/covers.ts'
import { ShiftedWorld } from '../../support/shifted-world.ts'
import { TestServer } from '../../support/test-server.ts'
import { NOTICES, withUsage } from '../../support/usage-options.ts'

coversPart('POST /_matrix/client/v3/rooms/{roomId}/leave', 'POST /_matrix/client/v3/register')

const V3 = '/_matrix/client/v3'
const SYNC = `${V3}/sync`
const text = (body: string) => ({ content: { msgtype: 'm.text', body } })
const CANNOT = '403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM'

async function withServer(
  more: Parameters<typeof withUsage>[0],
  run: (server: TestServer, notices: ServerNotices, world: ShiftedWorld) => Promise<void>,
): Promise<void> {
  const world = new ShiftedWorld()
  const server = await TestServer.start({ world, configure: withUsage({ notices: {}, ...more }) })
  try {
    await run(server, server.assembled.notices as ServerNotices, world)
  } finally {
    await server.close()
  }
}

const idOf = (client: ApiClient): UserId => client.userId as UserId

/** The one invitation of a sync. */
async function invitation(client: ApiClient): Promise<[room: string, state: Json[]]> {
  const invites = Object.entries((await client.get(SYNC)).rooms?.invite ?? {})
  assert.equal(invites.length, 1)
  const [room, { invite_state: state }] = invites[0] as [string, Json]
  return [room, state.events]
}

test('a notice invites the user to a room with the tag, by a user of its own', () =>
  withServer({ notices: { roomTopic: 'What we have to say' } }, async (server, notices) => {
    const alice = await server.user('alice')
    await notices.notify(idOf(alice), text('hello'))
    const [room, state] = await invitation(alice)
    const name = state.find((event) => event.type === 'm.room.name')
    assert.equal(name.content.name, 'Server Notices')
    assert.equal(name.sender, NOTICES.sender)
    const tags = await alice.get(`${V3}/user/${alice.userId}/rooms/${room}/tags`)
    assert.deepEqual(tags, { tags: { 'm.server_notice': {} } })
    await alice.post(`${V3}/rooms/${room}/join`)
    const sync = await alice.get(SYNC)
    const { events } = sync.rooms.join[room].timeline
    const said = events.find((event: Json) => event.type === 'm.room.message')
    assert.equal(said.content.body, 'hello')
    const member = await alice.get(`${V3}/rooms/${room}/state/m.room.member/${NOTICES.sender}`)
    assert.equal(member.displayname, 'Notices')
    const send = `${V3}/rooms/${room}/send/m.room.message/1`
    await alice.refused('403 M_FORBIDDEN', 'PUT', send, { msgtype: 'm.text', body: 'an answer' })
    await assert.rejects(notices.notify('@nobody:test.example' as UserId, text('x')), {
      errcode: 'M_NOT_FOUND',
    })
  }))

test('there is one room for each user, at any number of notices at once, and after a restart', () =>
  withServer({}, async (server, notices) => {
    const alice = await server.user('alice')
    const bob = await server.user('bob')
    const said = Array.from({ length: 6 }, (_, n) => notices.notify(idOf(alice), text(`${n}`)))
    await Promise.all([...said, notices.notify(idOf(bob), text('to bob'))])
    const [room] = await invitation(alice)
    assert.notEqual((await invitation(bob))[0], room)
    await server.restart()
    await server.assembled.notices?.notify(idOf(alice), text('more'))
    assert.equal((await invitation(alice))[0], room)
    const again = { ...text('once'), txnId: 'same' }
    const first = await server.assembled.notices?.notify(idOf(alice), again)
    assert.equal(await server.assembled.notices?.notify(idOf(alice), again), first)
    assert.deepEqual(await server.verify(), [])
  }))

test('the invite cannot be rejected; the room can be left, and the next notice invites again', () =>
  withServer({}, async (server, notices) => {
    const alice = await server.user('alice')
    const bob = await server.user('bob')
    await notices.notify(idOf(alice), text('hello'))
    const [room] = await invitation(alice)
    await alice.refused(CANNOT, 'POST', `${V3}/rooms/${room}/leave`, {})
    const member = `${V3}/rooms/${room}/state/m.room.member/${alice.userId}`
    await alice.refused(CANNOT, 'PUT', member, { membership: 'leave' })
    await bob.refused('403 M_FORBIDDEN', 'POST', `${V3}/rooms/${room}/join`, {})
    await alice.post(`${V3}/rooms/${room}/join`)
    await alice.post(`${V3}/rooms/${room}/leave`)
    await notices.notify(idOf(alice), text('again'))
    assert.equal((await invitation(alice))[0], room)
    const other = (await bob.post(`${V3}/createRoom`, { invite: [alice.userId] })).room_id
    await alice.post(`${V3}/rooms/${other}/leave`)
  }))

test('a user who blocks invites gets notices, and a deactivated one is out of the room', () =>
  withServer({}, async (server, notices) => {
    const alice = await server.user('alice')
    await alice.put(`${V3}/user/${alice.userId}/account_data/m.invite_permission_config`, {
      default_action: 'block',
    })
    await notices.notify(idOf(alice), text('hello'))
    const nid = await server.store.usage.noticesRoom(alice.userId)
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: alice.userId },
      password: 'a password',
    }
    await alice.post(`${V3}/account/deactivate`, { auth })
    for (let n = 0; n < 200; n++) {
      const row = await server.store.rooms.membership(nid ?? 0, alice.userId)
      if (row?.membership === 'leave') break
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.equal((await server.store.rooms.membership(nid ?? 0, alice.userId))?.membership, 'leave')
    await assert.rejects(notices.notify(idOf(alice), text('x')), { errcode: 'M_USER_DEACTIVATED' })
  }))

test('with `auto_join` the user is in the room at once', () =>
  withServer({ notices: { autoJoin: true } }, async (server, notices) => {
    const alice = await server.user('alice')
    await notices.notify(idOf(alice), text('hello'))
    const rooms = Object.keys((await alice.get(SYNC)).rooms.join)
    assert.equal(rooms.length, 1)
  }))

test('an older room follows the configuration', async () => {
  let configured: Partial<typeof NOTICES> = {}
  const server = await TestServer.start({
    configure: (options) => withUsage({ notices: configured })(options),
  })
  const alice = await server.user('alice')
  await server.assembled.notices?.notify(idOf(alice), text('one'))
  const [room] = await invitation(alice)
  await alice.post(`${V3}/rooms/${room}/join`)
  configured = { roomName: 'News', roomTopic: 'All of them', displayName: 'The house' }
  await server.restart()
  await server.assembled.notices?.notify(idOf(alice), text('two'))
  const state = (type: string, key = '') => alice.get(`${V3}/rooms/${room}/state/${type}/${key}`)
  assert.equal((await state('m.room.name')).name, 'News')
  assert.equal((await state('m.room.topic')).topic, 'All of them')
  assert.equal((await state('m.room.member', NOTICES.sender)).displayname, 'The house')
  await server.close()
})

test('the name of the sender cannot be registered', () =>
  withServer({}, async (server) => {
    const register = { username: 'notices', password: 'a password', auth: { type: 'm.login.dummy' } }
    await server.anonymous().refused('400 M_EXCLUSIVE', 'POST', `${V3}/register`, register)
  }))

test('rooms of notices are not encrypted, whatever other rooms are', async () => {
  const server = await TestServer.start({
    configure: (options) => ({
      ...withUsage({ notices: { autoJoin: true } })(options),
      rooms: { ...options.rooms, encryptedByDefault: 'all' },
    }),
  })
  const alice = await server.user('alice')
  await server.assembled.notices?.notify(idOf(alice), text('one'))
  const [room] = Object.keys((await alice.get(SYNC)).rooms.join)
  await alice.refused('404 M_NOT_FOUND', 'GET', `${V3}/rooms/${room}/state/m.room.encryption/`)
  await server.close()
})

test('who has not agreed to the policy is asked once for each version', async () => {
  let version = '1.0'
  const notice = { msgtype: 'm.text', body: 'Agree: %(consent_uri)s' }
  const server = await TestServer.start({
    configure: (options) =>
      withUsage({ notices: { autoJoin: true }, consent: { version, notice, blockEventsError: 'no' } })(
        options,
      ),
  })
  const alice = await server.user('alice')
  const asked = async (): Promise<string[]> => {
    const { rooms } = await alice.get(SYNC)
    const [room] = Object.values(rooms?.join ?? {}) as Json[]
    const messages = room.timeline.events.filter((event: Json) => event.type === 'm.room.message')
    return messages.map((event: Json) => event.content.body)
  }
  const first = await asked()
  assert.equal(first.length, 1)
  assert.match(first[0] ?? '', /^Agree: https:\/\/test\.example\/_matrix\/consent\?u=alice/)
  assert.equal((await asked()).length, 1)
  await server.restart()
  assert.equal((await asked()).length, 1)
  version = '2.0'
  await server.restart()
  assert.equal((await asked()).length, 2)
  const guest = server.anonymous()
  guest.become(await guest.post(`${V3}/register?kind=guest`, {}))
  assert.equal((await guest.get(SYNC)).rooms, undefined)
  await server.close()
})

test('the room of notices can be joined by who has not agreed yet', () =>
  withServer({ consent: { blockEventsError: 'no' } }, async (server, notices) => {
    const alice = await server.user('alice')
    await notices.notify(idOf(alice), text('hello'))
    const [room] = await invitation(alice)
    await alice.post(`${V3}/rooms/${room}/join`)
  }))

test('users are told that the limit of active users is reached, until it is not any more', () =>
  withServer(
    { usage: { monthlyMost: 1, adminContact: 'mailto:a@test.example' }, notices: { autoJoin: true } },
    async (server, _, world) => {
      const alice = await server.user('alice')
      await alice.get(SYNC)
      world.pass(61_000)
      await alice.get(SYNC)
      const [room = ''] = Object.keys((await alice.get(SYNC)).rooms.join)
      const pinned = async (): Promise<string[]> =>
        (await alice.get(`${V3}/rooms/${room}/state/m.room.pinned_events/`)).pinned
      const [id] = await pinned()
      const { content } = await alice.get(`${V3}/rooms/${room}/event/${id}`)
      assert.equal(content.msgtype, 'm.server_notice')
      assert.equal(content.server_notice_type, 'm.server_notice.usage_limit_reached')
      assert.equal(content.limit_type, 'monthly_active_user')
      assert.equal(content.admin_contact, 'mailto:a@test.example')
      world.pass(61_000)
      await alice.get(SYNC)
      assert.deepEqual(await pinned(), [id], 'told once')
    },
  ))
