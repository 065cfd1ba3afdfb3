import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEVICES_PER_USER_MAX } from '#/services/accounts/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { V3 } from '../../support/room-calls.ts'
import { LaterWorld, withServer } from './people.ts'

covers(
  'GET /_matrix/client/v3/devices',
  'GET /_matrix/client/v3/devices/{deviceId}',
  'PUT /_matrix/client/v3/devices/{deviceId}',
  'DELETE /_matrix/client/v3/devices/{deviceId}',
  'POST /_matrix/client/v3/delete_devices',
)

const DEVICES = `${V3}/devices`

const password = (who: ApiClient, session?: string, word = 'a password'): Json => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: who.userId },
  password: word,
  ...(session === undefined ? {} : { session }),
})

const ids = async (who: ApiClient): Promise<string[]> =>
  (await who.get(DEVICES)).devices.map((device: Json) => device.device_id).sort()

/** Sets a pusher of a device, named like it. */
const pusherOf = ({ userId: user }: ApiClient, device: string) =>
  ({
    op: 'pusher.put',
    pusher: { user, appId: 'app', pushkey: device, kind: 'http', device, data: PUSHER_DATA, ts: 1 },
    append: true,
    max: 10,
  }) as const

const PUSHER_DATA = JSON.stringify({
  app_display_name: 'App',
  device_display_name: 'Phone',
  lang: 'en',
  data: { url: 'https://push.example/_matrix/push/v1/notify' },
})

test('devices are listed, shown and renamed', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    const second = await server.device(user)
    assert.deepEqual(await ids(user), [user.deviceId, second.deviceId].sort())
    const one = `${DEVICES}/${second.deviceId}`
    assert.deepEqual(await user.put(one, { display_name: 'My phone' }), {})
    assert.equal((await user.get(one)).display_name, 'My phone')
    await user.put(one, {})
    assert.equal((await user.get(one)).display_name, 'My phone', 'what is not given stays')
    const own = await user.get(`${DEVICES}/${user.deviceId}`)
    assert.equal(own.last_seen_ip, '127.0.0.1')
    assert.equal((await user.get(one)).last_seen_ts, undefined, 'the second was not used')
  }))

test('last uses outlive a restart', async () => {
  const world = new LaterWorld()
  await withServer({ world }, async (server) => {
    const user = await server.user('user')
    const stored = async () => (await server.store.accounts.device(user.userId, user.deviceId))?.seenTs
    await user.get(`${V3}/account/whoami`)
    assert.equal(await stored(), null, 'not with every request')
    assert.equal((await user.get(`${DEVICES}/${user.deviceId}`)).last_seen_ts, world.time)
    await server.restart()
    assert.equal(await stored(), world.time)
    world.time += 1000
    const second = await server.device(user)
    const seen = await second.get(`${DEVICES}/${user.deviceId}`)
    assert.equal(seen.last_seen_ts, world.time - 1000)
  })
})

test('a device is deleted with its session, after the password was given', () =>
  withServer({}, async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    const second = await server.device(user)
    const one = `${DEVICES}/${second.deviceId}`
    const asked = await user.call('DELETE', one, {})
    assert.equal(asked.status, 401)
    assert.deepEqual(asked.json.flows, [{ stages: ['m.login.password'] }])
    const wrong = await user.call('DELETE', one, { auth: password(user, asked.json.session, 'wrong') })
    assert.equal(wrong.status, 401)
    const foreign = await user.call('DELETE', one, { auth: password(other, asked.json.session) })
    assert.equal(foreign.status, 403)
    const auth = password(user, asked.json.session)
    const changed = await user.call('DELETE', `${DEVICES}/${user.deviceId}`, { auth })
    assert.equal(changed.status, 403, 'what is confirmed for one device is not for another')
    await user.refused('400 M_BAD_JSON', 'DELETE', one, { auth: 'a password' })
    await user.ok('DELETE', one, { auth })
    assert.deepEqual(await ids(user), [user.deviceId])
    await second.refused('401 M_UNKNOWN_TOKEN', 'GET', `${V3}/account/whoami`)
    await user.ok('DELETE', one, { auth: password(user) })
  }))

test('several devices are deleted at once', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    const more = [await server.device(user), await server.device(user)]
    const devices = [...more.map(({ deviceId }) => deviceId), 'NOTHERE']
    const asked = await user.call('POST', `${V3}/delete_devices`, { devices })
    assert.equal(asked.status, 401)
    const auth = password(user, asked.json.session)
    await user.post(`${V3}/delete_devices`, { devices, auth })
    assert.deepEqual(await ids(user), [user.deviceId])
    await user.refused('400 M_MISSING_PARAM', 'POST', `${V3}/delete_devices`, {})
    await user.refused('400 M_BAD_JSON', 'POST', `${V3}/delete_devices`, { devices: 'X' })
    await user.refused('400 M_BAD_JSON', 'POST', `${V3}/delete_devices`, { devices: Array(1001).fill('X') })
  }))

test('devices of others and none', () =>
  withServer({}, async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    for (const id of [other.deviceId, 'NOTHERE']) {
      await user.refused('404 M_NOT_FOUND', 'GET', `${DEVICES}/${id}`)
      await user.refused('404 M_NOT_FOUND', 'PUT', `${DEVICES}/${id}`, { display_name: 'x' })
      await user.refused('404 M_NOT_FOUND', 'PUT', `${DEVICES}/${id}`, {})
    }
    await user.ok('DELETE', `${DEVICES}/${other.deviceId}`, { auth: password(user) })
    assert.deepEqual(await ids(other), [other.deviceId])
    await user.refused('400 M_BAD_JSON', 'PUT', `${DEVICES}/${user.deviceId}`, {
      display_name: 'x'.repeat(101),
    })
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', DEVICES)
  }))

test('adv-34: who logs in ever again has no more than the most devices', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    await user.get(DEVICES)
    const put = (n: number) =>
      ({ op: 'device.put', user: user.userId, device: `OLD${n}`, displayName: null, ts: n }) as const
    const ops = Array.from({ length: DEVICES_PER_USER_MAX - 1 }, (_, n) => put(n + 1))
    await server.store.commit({ lane: 'x', ops })
    await server.store.commit({ lane: 'x', ops: [pusherOf(user, 'OLD1'), pusherOf(user, 'OLD2')] })
    assert.equal((await ids(user)).length, DEVICES_PER_USER_MAX)
    const next = await server.device(user)
    const now = await ids(user)
    assert.equal(now.length, DEVICES_PER_USER_MAX)
    assert.ok(now.includes(user.deviceId) && now.includes(next.deviceId) && !now.includes('OLD1'))
    const { pushers } = await user.get(`${V3}/pushers`)
    assert.deepEqual(
      pushers.map((one: Json) => one.pushkey),
      ['OLD2'],
      'the pusher of the device that made place is gone',
    )
  }))
