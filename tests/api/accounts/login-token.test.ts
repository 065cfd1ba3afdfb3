import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountOptions } from '#/services/accounts/options.ts'
import { covers } from '../../support/covers.ts'
import { type Body, loginBody, type TestOptions, TestServer, V3 } from './test-server.ts'

covers('POST /_matrix/client/v1/login/get_token', 'POST /_matrix/client/v3/login')

const GET_TOKEN = '/_matrix/client/v1/login/get_token'
const LOGIN = `${V3}/login`
const WHOAMI = `${V3}/account/whoami`
const ALICE = '@alice:home.test'

const on = (
  options: Partial<AccountOptions['loginTokens']> = {},
  more: TestOptions = {},
): Promise<TestServer> =>
  TestServer.start({
    ...more,
    more: { loginTokens: { enabled: true, confirm: false, lifetimeMs: 300_000, ...options } },
  })

const byToken = (token: unknown, more: object = {}) => ({ type: 'm.login.token', token, ...more })

const got = (server: TestServer, token: string): Promise<Body> =>
  server.expect(200, 'POST', GET_TOKEN, { token, body: {} })

test('without the option there is neither endpoint nor flow', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  await server.refused(404, 'M_UNRECOGNIZED', 'POST', GET_TOKEN, { token, body: {} })
  assert.deepEqual((await server.expect(200, 'GET', LOGIN)).flows, [{ type: 'm.login.password' }])
  const { capabilities } = await server.expect(200, 'GET', `${V3}/capabilities`, { token })
  assert.deepEqual(capabilities['m.get_login_token'], { enabled: false })
  await server.refused(400, 'M_UNKNOWN', 'POST', LOGIN, { body: byToken('x') })
})

test('a login token opens one session of its user', async () => {
  await using server = await on()
  const { access_token: token } = await server.register('alice')
  assert.deepEqual((await server.expect(200, 'GET', LOGIN)).flows, [
    { type: 'm.login.password' },
    { type: 'm.login.token', get_login_token: true },
  ])
  const { capabilities } = await server.expect(200, 'GET', `${V3}/capabilities`, { token })
  assert.deepEqual(capabilities['m.get_login_token'], { enabled: true })
  await server.refused(400, 'M_BAD_JSON', 'POST', GET_TOKEN, { token, body: [] })
  const made = await got(server, token)
  assert.equal(made.expires_in_ms, 300_000)
  const body = byToken(made.login_token, { device_id: 'NEW', refresh_token: true })
  const session = await server.expect(200, 'POST', LOGIN, { body })
  assert.equal(session.user_id, ALICE)
  assert.equal(session.device_id, 'NEW')
  assert.ok(session.refresh_token)
  await server.expect(200, 'GET', WHOAMI, { token: session.access_token })
  await server.refused(403, 'M_FORBIDDEN', 'POST', LOGIN, { body })
  await server.expect(200, 'GET', WHOAMI, { token: session.access_token })
})

test('adv-67: of many logins with one token at once a single one succeeds', async () => {
  await using server = await on()
  const { access_token: token } = await server.register('alice')
  const { login_token } = await got(server, token)
  const tries = Array.from({ length: 8 }, () => server.call('POST', LOGIN, { body: byToken(login_token) }))
  const statuses = (await Promise.all(tries)).map((answer) => answer.status).sort()
  assert.deepEqual(statuses, [200, ...Array.from({ length: 7 }, () => 403)])
})

test('a login token ends with its time; what is no token is refused', async () => {
  await using server = await on({ lifetimeMs: 60_000 })
  const { access_token: token } = await server.register('alice')
  const { login_token } = await got(server, token)
  server.pass(60_000)
  for (const bad of [login_token, 'x', '', 'x'.repeat(1000), token]) {
    await server.refused(403, 'M_FORBIDDEN', 'POST', LOGIN, { body: byToken(bad) })
  }
  await server.refused(400, 'M_MISSING_PARAM', 'POST', LOGIN, { body: { type: 'm.login.token' } })
  await server.refused(400, 'M_BAD_JSON', 'POST', LOGIN, { body: byToken(7) })
})

test('who gets a token: full accounts with a session, after the password where the option says so', async () => {
  await using server = await on({ confirm: true }, { registration: { guests: true } })
  const { access_token: token } = await server.register('alice')
  await server.refused(401, 'M_MISSING_TOKEN', 'POST', GET_TOKEN, { body: {} })
  const guest = await server.expect(200, 'POST', `${V3}/register?kind=guest`, { body: {} })
  await server.refused(403, 'M_GUEST_ACCESS_FORBIDDEN', 'POST', GET_TOKEN, {
    token: guest.access_token,
    body: {},
  })
  const asked = await server.expect(401, 'POST', GET_TOKEN, { token, body: {} })
  assert.deepEqual(asked.flows, [{ stages: ['m.login.password'] }])
  const auth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: 'alice' },
    password: 'wordpass',
    session: asked.session,
  }
  const made = await server.expect(200, 'POST', GET_TOKEN, { token, body: { auth } })
  await server.expect(200, 'POST', LOGIN, { body: byToken(made.login_token) })
})

test('a proof given lately does not give a login token', async () => {
  await using server = await on({ confirm: true }, { sessions: { proofMs: 600_000 } })
  await server.register('alice')
  const { access_token: token } = await server.login('alice')
  await server.expect(401, 'POST', GET_TOKEN, { token, body: {} })
})

test('without a password that confirms, tokens are not to be had', async () => {
  await using server = await on({ confirm: true }, { passwords: { forReauth: false } })
  const { access_token: token } = await server.register('alice')
  await server.refused(403, 'M_FORBIDDEN', 'POST', GET_TOKEN, { token, body: {} })
  const { capabilities } = await server.expect(200, 'GET', `${V3}/capabilities`, { token })
  assert.deepEqual(capabilities['m.get_login_token'], { enabled: false })
})

test('one token in a minute', async () => {
  await using server = await on({}, { limited: true })
  const { access_token: token } = await server.register('alice')
  await got(server, token)
  const refused = await server.refused(429, 'M_LIMIT_EXCEEDED', 'POST', GET_TOKEN, { token, body: {} })
  assert.ok(refused.retry_after_ms > 50_000)
  server.pass(61_000)
  await got(server, token)
})

test('adv-65: deactivated and locked accounts cannot log in with a token', async () => {
  await using server = await on()
  for (const flag of ['deactivated', 'locked'] as const) {
    const { access_token: token } = await server.register(flag)
    const { login_token } = await got(server, token)
    await server.commit({ op: 'account.flags', user: `@${flag}:home.test`, [flag]: true })
    const answer = await server.call('POST', LOGIN, { body: byToken(login_token) })
    assert.ok([401, 403].includes(answer.status), `${flag}: ${JSON.stringify(answer.body)}`)
    assert.equal(answer.body.access_token, undefined)
  }
})

test('tokens stay secret: the store knows digests', async () => {
  await using server = await on()
  const { access_token: token } = await server.register('alice')
  const { login_token } = await got(server, token)
  assert.equal(await server.store.usage.loginToken(login_token), undefined)
  assert.ok(!JSON.stringify(server.log).includes(login_token))
})

test('the unstable path of the proposal', async () => {
  await using server = await on()
  const { access_token: token } = await server.register('alice')
  const path = '/_matrix/client/unstable/org.matrix.msc3882/login/token'
  const made = await server.expect(200, 'POST', path, { token, body: {} })
  assert.equal(made.expires_in, 300)
  await server.expect(200, 'POST', LOGIN, { body: byToken(made.login_token) })
})

test('a password of another login is not needed for the flows', async () => {
  await using server = await on({}, { passwords: { forLogin: false } })
  assert.deepEqual((await server.expect(200, 'GET', LOGIN)).flows, [
    { type: 'm.login.token', get_login_token: true },
  ])
  await server.refused(400, 'M_UNKNOWN', 'POST', LOGIN, { body: loginBody('alice', 'x') })
})
