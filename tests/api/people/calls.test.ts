import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { OPENID_MS } from '#/services/accounts/limits.ts'
import { covers } from '../../support/covers.ts'
import { PLAIN_PEOPLE } from '../../support/people-options.ts'
import { V3 } from '../../support/room-calls.ts'
import { SERVER_NAME } from '../../support/test-server.ts'
import { LaterWorld, people, withServer } from './people.ts'

covers(
  'GET /_matrix/client/v3/voip/turnServer',
  'GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports',
  'POST /_matrix/client/v3/user/{userId}/openid/request_token',
  'GET /_matrix/client/v3/thirdparty/protocols',
  'GET /_matrix/federation/v1/openid/userinfo',
  'GET /_matrix/client/v3/thirdparty/location',
  'GET /_matrix/client/v3/thirdparty/user',
)

const TURN = `${V3}/voip/turnServer`
const uris = ['turn:turn.example.org?transport=udp', 'turns:turn.example.org']

test('TURN credentials by a shared secret', async () => {
  const world = new LaterWorld()
  const turn = { ...PLAIN_PEOPLE.turn, uris, sharedSecret: 'secret', lifetimeMs: 86_400_000 }
  await withServer({ ...people({ turn }), world }, async (server) => {
    const user = await server.user('user')
    const username = `${Math.floor(world.time / 1000) + 86_400}:${user.userId}`
    const password = createHmac('sha1', 'secret').update(username).digest('base64')
    assert.deepEqual(await user.get(TURN), { username, password, uris, ttl: 86_400 })
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', TURN)
  })
})

test('fixed TURN credentials', () =>
  withServer(
    people({ turn: { ...PLAIN_PEOPLE.turn, uris, username: 'u', password: 'p' } }),
    async (server) => {
      const user = await server.user('user')
      assert.deepEqual(await user.get(TURN), { username: 'u', password: 'p', uris, ttl: 3600 })
    },
  ))

test('servers of group calls, and where clients of old look for them', () => {
  const rtcTransports = [{ type: 'livekit', livekit_service_url: 'https://rtc.example.org/jwt' }]
  return withServer(
    {
      configure: (plain) => ({
        ...plain,
        people: { ...plain.people, rtcTransports },
        discovery: { ...plain.discovery, rtcTransports, publicBaseurl: 'https://m.example.org/' },
      }),
    },
    async (server) => {
      const user = await server.user('user')
      const url = '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports'
      assert.deepEqual(await user.get(url), { rtc_transports: rtcTransports })
      await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', url)
      const wellKnown = await user.get('/.well-known/matrix/client')
      assert.deepEqual(wellKnown['org.matrix.msc4143.rtc_foci'], rtcTransports)
      const { versions, unstable_features: features } = await user.get('/_matrix/client/versions')
      assert.ok(versions.includes('v1.19'))
      assert.equal(features['org.matrix.msc4143'], true)
    },
  )
})

test('OpenID tokens: for oneself, for an hour, for nothing else', async () => {
  const world = new LaterWorld()
  await withServer({ world }, async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    const url = `${V3}/user/${user.userId}/openid/request_token`
    const { access_token: token, ...rest } = await user.post(url, {})
    assert.deepEqual(rest, { token_type: 'Bearer', matrix_server_name: SERVER_NAME, expires_in: 3600 })
    const { openid } = server.assembled
    assert.equal(await openid.holder(token), user.userId)
    assert.equal(await openid.holder('nonsense'), undefined)
    const asks = server.anonymous()
    const userinfo = `/_matrix/federation/v1/openid/userinfo?access_token=${encodeURIComponent(token)}`
    assert.deepEqual(await asks.get(userinfo), { sub: user.userId })
    await asks.refused('401 M_UNKNOWN_TOKEN', 'GET', userinfo.slice(0, -1))
    await asks.refused('401 M_MISSING_TOKEN', 'GET', userinfo.split('?')[0]!)
    const long = `${userinfo}${'x'.repeat(600)}`
    await asks.refused('400 M_INVALID_PARAM', 'GET', long)
    const thief = server.anonymous()
    thief.token = token
    await thief.refused('401 M_UNKNOWN_TOKEN', 'GET', `${V3}/account/whoami`)
    world.time += OPENID_MS
    assert.equal(await openid.holder(token), undefined)
    await asks.refused('401 M_UNKNOWN_TOKEN', 'GET', userinfo)
    await other.refused('403 M_FORBIDDEN', 'POST', url, {})
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', url, {})
    await user.refused('400 M_BAD_JSON', 'POST', url, [])
  })
})

test('networks, on a server without bridges', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    assert.deepEqual(await user.get(`${V3}/thirdparty/protocols`), {})
    assert.deepEqual(await user.get(`${V3}/thirdparty/location`, { alias: '#a:b' }), [])
    assert.deepEqual(await user.get(`${V3}/thirdparty/user`, { userid: '@a:b' }), [])
    for (const path of ['protocol/irc', 'location/irc', 'user/irc']) {
      await user.refused('404 M_NOT_FOUND', 'GET', `${V3}/thirdparty/${path}`)
      await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', `${V3}/thirdparty/${path}`)
    }
  }))

test('requests of application services, on a server without any: nobody is one', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    const stranger = server.anonymous()
    const ping = '/_matrix/client/v1/appservice/irc/ping'
    const listing = `${V3}/directory/list/appservice/irc/${encodeURIComponent('!room:localhost')}`
    await user.refused('403 M_FORBIDDEN', 'POST', ping, { transaction_id: 'first' })
    await user.refused('400 M_BAD_JSON', 'POST', ping, { transaction_id: 1 })
    await stranger.refused('401 M_MISSING_TOKEN', 'POST', ping, {})
    await user.refused('403 M_FORBIDDEN', 'PUT', listing, { visibility: 'public' })
    await user.refused('400 M_BAD_JSON', 'PUT', listing, { visibility: 'hidden' })
    await stranger.refused('401 M_MISSING_TOKEN', 'PUT', listing, { visibility: 'public' })
  }))
