import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REFUSED_ROUTES } from '#/api/client/people/suspension.ts'
import type { ApiClient } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  inRoom,
  invite,
  join,
  leave,
  redact,
  roomOf,
  say,
  sync,
  V3,
} from '../../support/room-calls.ts'
import { administrator, withServer } from './people.ts'

covers(
  'GET /_matrix/client/v1/admin/lock/{userId}',
  'PUT /_matrix/client/v1/admin/lock/{userId}',
  'GET /_matrix/client/v1/admin/suspend/{userId}',
  'PUT /_matrix/client/v1/admin/suspend/{userId}',
  'GET /_matrix/client/v3/admin/whois/{userId}',
)

const LOCK = '/_matrix/client/v1/admin/lock'
const SUSPEND = '/_matrix/client/v1/admin/suspend'

test('§5.13 a locked account may log out and nothing else, until it is unlocked', () =>
  withServer({}, async (server) => {
    const [admin, user] = [await administrator(server), await server.user('user')]
    const other = await server.device(user)
    assert.deepEqual(await admin.get(`${LOCK}/${user.userId}`), { locked: false })
    assert.deepEqual(await admin.put(`${LOCK}/${user.userId}`, { locked: true }), { locked: true })
    assert.deepEqual(await admin.get(`${LOCK}/${user.userId}`), { locked: true })
    for (const [method, url] of [
      ['GET', `${V3}/account/whoami`],
      ['GET', `${V3}/sync`],
      ['GET', `${V3}/devices`],
      ['POST', `${V3}/createRoom`],
    ] as const) {
      const refusal = await user.refused('401 M_USER_LOCKED', method, url, method === 'POST' ? {} : undefined)
      assert.equal(refusal.soft_logout, true)
    }
    const login = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: user.userId },
      password: 'a password',
    }
    await server.anonymous().refused('401 M_USER_LOCKED', 'POST', `${V3}/login`, login)
    await other.post(`${V3}/logout`)
    await admin.put(`${LOCK}/${user.userId}`, { locked: false })
    assert.equal((await user.get(`${V3}/account/whoami`)).user_id, user.userId, 'the session is still there')
    await other.refused('401 M_UNKNOWN_TOKEN', 'GET', `${V3}/account/whoami`)
    await admin.put(`${LOCK}/${user.userId}`, { locked: true })
    await user.post(`${V3}/logout/all`)
  }))

async function suspended(admin: ApiClient, user: ApiClient, on = true): Promise<void> {
  assert.deepEqual(await admin.put(`${SUSPEND}/${user.userId}`, { suspended: on }), { suspended: on })
  assert.deepEqual(await admin.get(`${SUSPEND}/${user.userId}`), { suspended: on })
}

test('§5.13 a suspended account reads, leaves and tidies up, and does not act on others', () =>
  withServer({}, async (server) => {
    const [admin, user, other] = [
      await administrator(server),
      await server.user('user'),
      await server.user('other'),
    ]
    const room = await roomOf([user, other])
    const open = await roomOf([other])
    const asked = await createRoom(other)
    await invite(other, asked, user)
    const own = await say(user, room, 'mine')
    const theirs = await say(other, room, 'theirs')
    await suspended(admin, user)
    const profile = `${V3}/profile/${user.userId}/displayname`
    for (const [method, url, body] of [
      ['PUT', inRoom(room, 'send', 'm.room.message', 'a'), { msgtype: 'm.text', body: 'x' }],
      ['PUT', inRoom(room, 'state', 'm.room.topic', ''), { topic: 'x' }],
      ['PUT', inRoom(room, 'state', 'm.room.member', other.userId), { membership: 'leave' }],
      ['PUT', inRoom(open, 'state', 'm.room.member', user.userId), { membership: 'join' }],
      ['PUT', inRoom(room, 'redact', theirs, 'b'), {}],
      ['PUT', inRoom(room, 'send', 'm.room.redaction', 'c'), { redacts: theirs }],
      ['POST', inRoom(open, 'join'), {}],
      ['POST', `${V3}/join/${encodeURIComponent(open)}`, {}],
      ['POST', inRoom(asked, 'join'), {}],
      ['POST', inRoom(room, 'invite'), { user_id: admin.userId }],
      ['POST', inRoom(room, 'kick'), { user_id: other.userId }],
      ['POST', inRoom(room, 'ban'), { user_id: other.userId }],
      ['POST', `${V3}/createRoom`, {}],
      ['PUT', profile, { displayname: 'x' }],
      ['DELETE', profile, undefined],
    ] as const) {
      await user.refused('403 M_USER_SUSPENDED', method, url, body)
    }
    assert.ok((await sync(user)).rooms.join[room])
    await say(other, room, 'heard')
    await redact(user, room, own)
    const again = await server.device(user)
    await again.refused('403 M_USER_SUSPENDED', 'POST', inRoom(open, 'join'), {})
    await leave(user, asked)
    await user.put(inRoom(room, 'state', 'm.room.member', user.userId), { membership: 'leave' })
    await user.put(`${V3}/user/${user.userId}/account_data/m.direct`, {})
    await again.post(`${V3}/logout`)
    await suspended(admin, user, false)
    await join(user, open)
    await say(user, open, 'free again')
  }))

test('who may lock and suspend whom', () =>
  withServer({}, async (server) => {
    const [admin, second] = [await administrator(server), await administrator(server)]
    const user = await server.user('user')
    for (const [path, body] of [
      [LOCK, { locked: true }],
      [SUSPEND, { suspended: true }],
    ] as const) {
      await user.refused('403 M_FORBIDDEN', 'GET', `${path}/${user.userId}`)
      await user.refused('403 M_FORBIDDEN', 'PUT', `${path}/@nobody:test.example`, body)
      await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', `${path}/${user.userId}`)
      await admin.refused('403 M_FORBIDDEN', 'PUT', `${path}/${admin.userId}`, body)
      await admin.refused('403 M_FORBIDDEN', 'PUT', `${path}/${second.userId}`, body)
      await admin.refused('403 M_FORBIDDEN', 'GET', `${path}/${second.userId}`)
      await admin.refused('404 M_NOT_FOUND', 'PUT', `${path}/@nobody:test.example`, body)
      await admin.refused('404 M_NOT_FOUND', 'GET', `${path}/@nobody:test.example`)
      await admin.refused('400 M_INVALID_PARAM', 'GET', `${path}/@user:other.example`)
      await admin.refused('400 M_INVALID_PARAM', 'PUT', `${path}/@user:other.example`, body)
      await admin.refused('400 M_INVALID_PARAM', 'GET', `${path}/nobody`)
      await admin.refused('400 M_MISSING_PARAM', 'PUT', `${path}/${user.userId}`, {})
      await admin.refused('400 M_BAD_JSON', 'PUT', `${path}/${user.userId}`, { locked: 1, suspended: 1 })
    }
    const capability = async (who: ApiClient) =>
      (await who.get(`${V3}/capabilities`)).capabilities['m.account_moderation']
    assert.deepEqual(await capability(admin), { lock: true, suspend: true })
    assert.equal(await capability(user), undefined)
  }))

test('whois tells oneself and administrators of sessions', () =>
  withServer({}, async (server) => {
    const [admin, user, other] = [
      await administrator(server),
      await server.user('user'),
      await server.user('other'),
    ]
    const whois = `${V3}/admin/whois/${user.userId}`
    const options = { headers: { 'user-agent': 'A client/1.0' } }
    const own = await user.get(whois, {}, options)
    const [connection] = own.devices[user.deviceId].sessions[0].connections
    assert.equal(connection.ip, '127.0.0.1')
    assert.equal(connection.user_agent, 'A client/1.0')
    assert.ok(connection.last_seen > 0)
    assert.deepEqual(Object.keys((await admin.get(whois)).devices), [user.deviceId])
    await other.refused('403 M_FORBIDDEN', 'GET', whois)
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', whois)
    await user.refused('400 M_INVALID_PARAM', 'GET', `${V3}/admin/whois/nobody`)
  }))

test('§5.13 every request that suspended accounts are refused is one that the server knows', () =>
  withServer({}, async (server) => {
    const known = new Set(server.assembled.routes.map(({ method, path }) => `${method} ${path}`))
    assert.deepEqual(
      REFUSED_ROUTES.filter((name) => !known.has(name)),
      [],
    )
  }))
