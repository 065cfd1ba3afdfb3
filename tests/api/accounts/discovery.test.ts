import assert from 'node:assert/strict'
import { test } from 'node:test'
import { covers } from '../../support/covers.ts'
import { TestServer, V3 } from './test-server.ts'

covers(
  'GET /_matrix/client/versions',
  'GET /_matrix/client/v3/capabilities',
  'GET /.well-known/matrix/client',
  'GET /.well-known/matrix/server',
  'GET /.well-known/matrix/support',
  'GET /.well-known/matrix/policy_server',
)

test('versions', async () => {
  await using server = await TestServer.start()
  const { versions, unstable_features } = await server.expect(200, 'GET', '/_matrix/client/versions')
  for (const version of ['r0.6.1', 'v1.1', 'v1.11', 'v1.16', 'v1.19']) assert.ok(versions.includes(version))
  assert.equal(unstable_features['org.matrix.msc4222'], true)
})

test('capabilities say what is so', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const { capabilities } = await server.expect(200, 'GET', `${V3}/capabilities`, { token })
  assert.equal(capabilities['m.room_versions'].default, '12')
  const versions = Array.from({ length: 12 }, (_, n) => [`${n + 1}`, 'stable'])
  assert.deepEqual(capabilities['m.room_versions'].available, Object.fromEntries(versions))
  assert.deepEqual(capabilities['m.change_password'], { enabled: true })
  assert.deepEqual(capabilities['m.profile_fields'], { enabled: true })
  assert.deepEqual(capabilities['m.3pid_changes'], { enabled: false })
  assert.deepEqual(capabilities['m.get_login_token'], { enabled: false })
  await server.refused(401, 'M_MISSING_TOKEN', 'GET', `${V3}/capabilities`)
})

test('capabilities follow the configuration', async () => {
  await using server = await TestServer.start({
    profile: { setDisplayname: false, setAvatarUrl: false },
    passwords: { forReauth: false },
    discovery: { defaultRoomVersion: '11' },
  })
  const { access_token: token } = await server.register('alice')
  const { capabilities } = await server.expect(200, 'GET', `${V3}/capabilities`, { token })
  assert.equal(capabilities['m.room_versions'].default, '11')
  assert.deepEqual(capabilities['m.change_password'], { enabled: false })
  assert.deepEqual(capabilities['m.set_displayname'], { enabled: false })
  assert.deepEqual(capabilities['m.set_avatar_url'], { enabled: false })
  const disallowed = ['displayname', 'avatar_url']
  assert.deepEqual(capabilities['m.profile_fields'], { enabled: true, disallowed })
})

test('no well-known file without configuration', async () => {
  await using server = await TestServer.start()
  for (const name of ['client', 'server', 'support', 'policy_server']) {
    await server.refused(404, 'M_NOT_FOUND', 'GET', `/.well-known/matrix/${name}`)
  }
})

test('well-known files as configured; nothing overwrites our own keys', async () => {
  const support = { contacts: [{ role: 'm.role.admin', email_address: 'root@home.test' }] }
  const policyServer = { public_keys: { ed25519: '6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s' } }
  await using server = await TestServer.start({
    discovery: {
      publicBaseurl: 'https://matrix.home.test/',
      identityServer: 'https://id.home.test',
      extraClientWellKnown: { 'org.example': { a: 1 }, 'm.homeserver': { base_url: 'https://evil.test' } },
      serverWellKnown: true,
      support,
      policyServer,
    },
  })
  assert.deepEqual(await server.expect(200, 'GET', '/.well-known/matrix/client'), {
    'm.homeserver': { base_url: 'https://matrix.home.test/' },
    'm.identity_server': { base_url: 'https://id.home.test' },
    'org.example': { a: 1 },
  })
  assert.deepEqual(await server.expect(200, 'GET', '/.well-known/matrix/server'), {
    'm.server': 'home.test:443',
  })
  assert.deepEqual(await server.expect(200, 'GET', '/.well-known/matrix/support'), support)
  assert.deepEqual(await server.expect(200, 'GET', '/.well-known/matrix/policy_server'), policyServer)
})

test('adv-58: every endpoint says who may call it, and only these are open to anyone', async () => {
  await using server = await TestServer.start()
  const open = server.accounts.routes
    .filter(({ auth }) => auth === 'none' || auth === 'sharedSecret' || auth === 'optional')
    .map(({ method, path }) => `${method} ${path}`)
  assert.deepEqual(open.sort(), [
    'GET /.well-known/matrix/client',
    'GET /.well-known/matrix/policy_server',
    'GET /.well-known/matrix/server',
    'GET /.well-known/matrix/support',
    'GET /_matrix/client/v1/register/m.login.registration_token/validity',
    'GET /_matrix/client/v3/auth/:authType/fallback/web',
    'GET /_matrix/client/v3/login',
    'GET /_matrix/client/v3/password_policy',
    'GET /_matrix/client/v3/profile/:userId',
    'GET /_matrix/client/v3/profile/:userId/:keyName',
    'GET /_matrix/client/v3/register/available',
    'GET /_matrix/client/versions',
    'GET /_matrix/static/client/login/',
    'GET /_synapse/admin/v1/register',
    'POST /_matrix/client/v3/auth/:authType/fallback/web',
    'POST /_matrix/client/v3/login',
    'POST /_matrix/client/v3/refresh',
    'POST /_matrix/client/v3/register',
    'POST /_synapse/admin/v1/register',
  ])
  const guests = server.accounts.routes.filter(({ auth }) => auth === 'guest').map(({ path }) => path)
  assert.deepEqual(guests.sort(), [
    '/_matrix/client/v3/account/whoami',
    '/_matrix/client/v3/capabilities',
    '/_matrix/client/v3/logout',
    '/_matrix/client/v3/logout/all',
    '/_matrix/client/v3/profile/:userId/:keyName',
    '/_matrix/client/v3/profile/:userId/:keyName',
    '/_matrix/client/v3/user/:userId/filter',
    '/_matrix/client/v3/user/:userId/filter/:filterId',
  ])
})
