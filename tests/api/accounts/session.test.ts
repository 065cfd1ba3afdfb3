import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { covers } from '../../support/covers.ts'
import { type Body, loginBody, TestServer, V3 } from './test-server.ts'

covers(
  'GET /_matrix/client/v3/login',
  'POST /_matrix/client/v3/login',
  'POST /_matrix/client/v3/refresh',
  'POST /_matrix/client/v3/logout',
  'POST /_matrix/client/v3/logout/all',
  'GET /_matrix/client/v3/account/whoami',
)

const ALICE = '@alice:home.test' as UserId
const LOGIN = `${V3}/login`
const WHOAMI = `${V3}/account/whoami`
const digest = (token: string) => createHash('sha256').update(token).digest('hex')
const works = (server: TestServer, token: string) => server.expect(200, 'GET', WHOAMI, { token })
const unknown = async (server: TestServer, token: string, softLogout: boolean) => {
  const refusal = await server.refused(401, 'M_UNKNOWN_TOKEN', 'GET', WHOAMI, { token })
  assert.equal(refusal.soft_logout, softLogout)
}
const refresh = (server: TestServer, token: string): Promise<Body> =>
  server.expect(200, 'POST', `${V3}/refresh`, { body: { refresh_token: token } })
const notRefreshed = (server: TestServer, token: string): Promise<Body> =>
  server.refused(401, 'M_UNKNOWN_TOKEN', 'POST', `${V3}/refresh`, { body: { refresh_token: token } })

test('the flows of login', async () => {
  await using server = await TestServer.start()
  assert.deepEqual(await server.expect(200, 'GET', LOGIN), { flows: [{ type: 'm.login.password' }] })
  await using closed = await TestServer.start({ passwords: { forLogin: false } })
  assert.deepEqual(await closed.expect(200, 'GET', LOGIN), { flows: [] })
  await closed.refused(400, 'M_UNKNOWN', 'POST', LOGIN, { body: loginBody('alice', 'x') })
})

test('login by localpart, id, capital letters, and in the way of old', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  for (const user of ['alice', '@alice:home.test', 'ALICE', '@Alice:home.test']) {
    const made = await server.login(user)
    assert.equal(made.user_id, '@alice:home.test')
    assert.match(made.device_id, /^[A-Z]{10}$/)
    assert.match(made.access_token, /^mya_[\w-]{43}$/)
    assert.equal((await works(server, made.access_token)).device_id, made.device_id)
  }
  const body = { type: 'm.login.password', user: 'alice', password: 'wordpass' }
  await server.expect(200, 'POST', '/_matrix/client/r0/login', { body })
})

test('a wrong password and an unknown user get the same answer, word for word', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  await server.commit({
    op: 'account.create',
    user: '@nopass:home.test',
    passwordHash: null,
    admin: false,
    guest: false,
    ts: 1,
  })
  const answers = new Set<string>()
  for (const user of ['alice', 'nobody', '@alice:other.test', 'nopass', '', '@', 'a:b:c']) {
    for (const password of ['wrong', '']) {
      const body = loginBody(user, password)
      answers.add(JSON.stringify(await server.refused(403, 'M_FORBIDDEN', 'POST', LOGIN, { body })))
    }
  }
  const byPhone = { type: 'm.login.password', password: 'x', identifier: { type: 'm.id.thirdparty' } }
  answers.add(JSON.stringify(await server.refused(403, 'M_FORBIDDEN', 'POST', LOGIN, { body: byPhone })))
  assert.equal(answers.size, 1)
})

test('login: what is missing or unknown', async () => {
  await using server = await TestServer.start()
  const post = (status: number, code: string, body: object) =>
    server.refused(status, code, 'POST', LOGIN, { body })
  await post(400, 'M_MISSING_PARAM', {})
  await post(400, 'M_UNKNOWN', { type: 'm.login.token', token: 'x' })
  await post(400, 'M_MISSING_PARAM', { type: 'm.login.password', password: 'x' })
  await post(400, 'M_MISSING_PARAM', { type: 'm.login.password', user: 'x' })
  await post(400, 'M_UNKNOWN', { type: 'm.login.password', password: 'x', identifier: { type: 'x' } })
  await post(400, 'M_MISSING_PARAM', {
    type: 'm.login.password',
    password: 'x',
    identifier: { type: 'm.id.user' },
  })
  await post(400, 'M_BAD_JSON', loginBody('alice', 'x'.repeat(600)))
})

test('the client well-known comes with a login where there is a public address', async () => {
  await using server = await TestServer.start({ discovery: { publicBaseurl: 'https://matrix.home.test/' } })
  await server.register('alice')
  const made = await server.login('alice')
  assert.deepEqual(made.well_known, { 'm.homeserver': { base_url: 'https://matrix.home.test/' } })
})

test('a login with the id of a device ends the earlier tokens of that device alone', async () => {
  await using server = await TestServer.start()
  const other = await server.register('alice')
  const first = await server.login('alice', 'wordpass', {
    device_id: 'PHONE',
    initial_device_display_name: 'one',
  })
  await works(server, first.access_token)
  const second = await server.login('alice', 'wordpass', { device_id: 'PHONE' })
  await unknown(server, first.access_token, false)
  await works(server, second.access_token)
  await works(server, other.access_token)
  assert.equal((await server.store.accounts.device('@alice:home.test', 'PHONE'))?.displayName, 'one')
})

test('only digests of tokens are kept', async () => {
  const plans: string[] = []
  const wrap = (store: Store): Store => ({
    ...store,
    commit(plan) {
      plans.push(JSON.stringify(plan))
      return store.commit(plan)
    },
  })
  await using server = await TestServer.start({ wrap })
  await server.register('alice')
  const made = await server.login('alice', 'wordpass', { refresh_token: true })
  assert.ok(plans.join().includes(digest(made.access_token)))
  assert.ok(plans.join().includes(digest(made.refresh_token)))
  for (const secret of [made.access_token, made.refresh_token, 'wordpass']) {
    assert.ok(!plans.join().includes(secret))
    assert.ok(!JSON.stringify(server.log).includes(secret))
  }
})

test('no token, a made-up token, a refresh token in the place of an access token and the reverse', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  const made = await server.login('alice', 'wordpass', { refresh_token: true })
  await server.refused(401, 'M_MISSING_TOKEN', 'GET', WHOAMI)
  await unknown(server, 'mya_x', false)
  await unknown(server, made.refresh_token, false)
  await notRefreshed(server, made.access_token)
  await notRefreshed(server, 'myr_x')
  await notRefreshed(server, '')
})

test('authentication answers at once when the token is known, and from the store after a restart', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  await works(server, token)
  const sessions = server.accounts.services.sessions
  assert.ok(!(sessions.find(token) instanceof Promise))
  server.restart()
  assert.ok(server.accounts.services.sessions.find(token) instanceof Promise)
  await works(server, token)
  assert.ok(!(server.accounts.services.sessions.find(token) instanceof Promise))
})

test('logout ends one session with its device, logout/all every one', async () => {
  await using server = await TestServer.start()
  const a = await server.register('alice')
  const b = await server.login('alice')
  const c = await server.login('alice')
  const bob = await server.register('bob')
  for (const { access_token } of [a, b, c, bob]) await works(server, access_token)
  assert.deepEqual(await server.expect(200, 'POST', `${V3}/logout`, { token: a.access_token }), {})
  await unknown(server, a.access_token, false)
  assert.equal(await server.store.accounts.device('@alice:home.test', a.device_id), undefined)
  await works(server, b.access_token)
  assert.deepEqual(await server.expect(200, 'POST', `${V3}/logout/all`, { token: b.access_token }), {})
  await unknown(server, b.access_token, false)
  await unknown(server, c.access_token, false)
  await works(server, bob.access_token)
  assert.deepEqual(await server.store.accounts.devices('@alice:home.test'), [])
})

test('a device that somebody else deletes in the store loses its session here', async () => {
  await using server = await TestServer.start()
  const { access_token: token, device_id } = await server.register('alice')
  await works(server, token)
  await server.commit({ op: 'device.delete', user: '@alice:home.test', devices: [device_id] })
  await unknown(server, token, false)
})

test('a token read while its session ends is not kept', async () => {
  const reads: (() => void)[] = []
  let slow = false
  const wrap = (store: Store): Store => ({
    ...store,
    accounts: {
      ...store.accounts,
      async token(wanted) {
        const row = await store.accounts.token(wanted)
        if (slow) await new Promise<void>((resolve) => reads.push(resolve))
        return row
      },
    },
  })
  await using server = await TestServer.start({ wrap })
  const { access_token: token } = await server.register('alice')
  slow = true
  const racing = server.call('GET', WHOAMI, { token })
  while (reads.length === 0) await new Promise((resolve) => setImmediate(resolve))
  slow = false
  await server.accounts.services.sessions.end('@alice:home.test', {})
  reads[0]?.()
  await racing
  await unknown(server, token, false)
})

test('lifetimes: a token that cannot be refreshed', async () => {
  await using server = await TestServer.start({ sessions: { nonrefreshableAccessTokenMs: 60_000 } })
  const made = await server.register('alice')
  assert.ok(made.expires_in_ms <= 60_000 && made.expires_in_ms > 59_000)
  await works(server, made.access_token)
  server.pass(60_001)
  await unknown(server, made.access_token, true)
  server.restart()
  await unknown(server, made.access_token, true)
})

test('lifetimes: a session ends whatever is refreshed; tokens never outlive it', async () => {
  await using server = await TestServer.start({ sessions: { lifetimeMs: 700_000, refreshTokenMs: 400_000 } })
  await server.register('alice')
  let made = await server.login('alice', 'wordpass', { refresh_token: true })
  assert.equal(Math.round(made.expires_in_ms / 1000), 300)
  server.pass(310_000)
  await unknown(server, made.access_token, true)
  made = await refresh(server, made.refresh_token)
  server.pass(310_000)
  made = await refresh(server, made.refresh_token)
  assert.ok(made.expires_in_ms <= 80_000 && made.expires_in_ms > 70_000)
  server.pass(81_000)
  await unknown(server, made.access_token, true)
  const refusal = await notRefreshed(server, made.refresh_token)
  assert.equal(refusal.soft_logout, true)
})

test('a refresh without a refresh token, and with something else in its place', async () => {
  await using server = await TestServer.start()
  await server.refused(400, 'M_MISSING_PARAM', 'POST', `${V3}/refresh`, { body: {} })
  await server.refused(400, 'M_BAD_JSON', 'POST', `${V3}/refresh`, { body: { refresh_token: 7 } })
})

test('lifetimes: a refresh token that was not used in time', async () => {
  await using server = await TestServer.start({ sessions: { refreshTokenMs: 400_000 } })
  await server.register('alice')
  const made = await server.login('alice', 'wordpass', { refresh_token: true })
  server.pass(400_001)
  await notRefreshed(server, made.refresh_token)
})

test('refresh tokens are given only to who asks, and nowhere where they are turned off', async () => {
  await using server = await TestServer.start({ sessions: { refreshableAccessTokenMs: undefined } })
  const made = await server.register('alice', 'wordpass', { refresh_token: true })
  assert.equal(made.refresh_token, undefined)
  await using other = await TestServer.start()
  assert.equal((await other.register('alice')).refresh_token, undefined)
  assert.equal((await other.login('alice')).refresh_token, undefined)
  assert.match(
    (await other.login('alice', 'wordpass', { refresh_token: true })).refresh_token,
    /^myr_[\w-]{43}$/,
  )
})

test('§5.13: the old refresh token stays valid until the new access token is used', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  const one = await server.login('alice', 'wordpass', { refresh_token: true })
  await works(server, one.access_token)
  const lost = await refresh(server, one.refresh_token)
  const two = await refresh(server, one.refresh_token)
  assert.notEqual(two.access_token, lost.access_token)
  await works(server, one.access_token)
  await notRefreshed(server, lost.refresh_token)
  await unknown(server, lost.access_token, false)
  await works(server, two.access_token)
  await notRefreshed(server, one.refresh_token)
  await unknown(server, one.access_token, false)
  await works(server, two.access_token)
  const three = await refresh(server, two.refresh_token)
  await works(server, three.access_token)
})

test('§5.13: the old refresh token stays valid until the new refresh token is used', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  const one = await server.login('alice', 'wordpass', { refresh_token: true })
  const two = await refresh(server, one.refresh_token)
  const three = await refresh(server, two.refresh_token)
  await notRefreshed(server, one.refresh_token)
  await unknown(server, one.access_token, false)
  await works(server, three.access_token)
  await notRefreshed(server, two.refresh_token)
})

test('refreshing twice at once gives one answer to both', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  const one = await server.login('alice', 'wordpass', { refresh_token: true })
  const [a, b] = await Promise.all([refresh(server, one.refresh_token), refresh(server, one.refresh_token)])
  assert.deepEqual(a, b)
  await works(server, a.access_token)
})

test('tokens do not pile up when a client refreshes again and again', async () => {
  const puts = new Set<string>()
  await using server = await TestServer.start()
  await server.register('alice')
  let made = await server.login('alice', 'wordpass', { refresh_token: true })
  for (let n = 0; n < 5; n++) {
    for (const token of [made.access_token, made.refresh_token]) puts.add(digest(token))
    made = await refresh(server, made.refresh_token)
    await works(server, made.access_token)
  }
  for (const old of puts) assert.equal(await server.store.accounts.token(old), undefined)
  assert.equal((await server.store.accounts.devices('@alice:home.test')).length, 2)
})

test('the end of a session that is written into a refresh token cannot be changed', async () => {
  await using server = await TestServer.start({ sessions: { lifetimeMs: 1_000_000 } })
  await server.register('alice')
  const made = await server.login('alice', 'wordpass', { refresh_token: true })
  const [text] = made.refresh_token.split('.')
  await notRefreshed(server, `${text}.${(server.now() + 1e12).toString(36)}`)
  await notRefreshed(server, text)
  await refresh(server, made.refresh_token)
})

const flags = (more: object): Op => ({ op: 'account.flags', user: '@alice:home.test', ...more })

test('§5.13: a locked account: M_USER_LOCKED with soft_logout on all but logout; the tokens stay', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  const made = await server.login('alice', 'wordpass', { refresh_token: true })
  await server.commit(flags({ locked: true }))
  server.accounts.services.sessions.forgetUser('@alice:home.test')
  const token = made.access_token
  for (let n = 0; n < 2; n++) {
    const refusal = await server.refused(401, 'M_USER_LOCKED', 'GET', WHOAMI, { token })
    assert.equal(refusal.soft_logout, true)
  }
  await server.refused(401, 'M_USER_LOCKED', 'POST', LOGIN, { body: loginBody('alice', 'wordpass') })
  await server.refused(403, 'M_FORBIDDEN', 'POST', LOGIN, { body: loginBody('alice', 'wrong') })
  const body = { refresh_token: made.refresh_token }
  await server.refused(401, 'M_USER_LOCKED', 'POST', `${V3}/refresh`, { body })
  await server.commit(flags({ locked: false }))
  server.accounts.services.sessions.forgetUser('@alice:home.test')
  await works(server, token)
  await server.commit(flags({ locked: true }))
  server.accounts.services.sessions.forgetUser('@alice:home.test')
  await server.expect(200, 'POST', '/_matrix/client/r0/logout', { token })
})

test('adv-65, adv-74: a deactivated account has no way in, whatever it brings', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  const made = await server.login('alice', 'wordpass', { refresh_token: true })
  const cached = await server.login('alice', 'wordpass')
  await works(server, cached.access_token)
  /* As if only the flag had been set, by a bug elsewhere: password and tokens are still there. */
  await server.commit(flags({ deactivated: true }))
  server.restart()
  await unknown(server, made.access_token, false)
  await unknown(server, cached.access_token, false)
  await notRefreshed(server, made.refresh_token)
  await server.refused(403, 'M_USER_DEACTIVATED', 'POST', LOGIN, { body: loginBody('alice', 'wordpass') })
  const account = await server.store.accounts.byUser('@alice:home.test')
  assert.ok(account)
  await assert.rejects(server.accounts.services.sessions.open(account, {}), { errcode: 'M_USER_DEACTIVATED' })
})

test('a bcrypt hash of Synapse logs in and becomes argon2id', async () => {
  await using server = await TestServer.start({ pepper: 'pepper' })
  const passwordHash = '$2b$04$9Ydx9NLZCqDt8gmdaO.YJuLQ6zAbeKWbxEvde4h63B5oU0je5p/6i'
  const user = '@old:home.test'
  await server.commit({ op: 'account.create', user, passwordHash, admin: false, guest: false, ts: 1 })
  await server.refused(403, 'M_FORBIDDEN', 'POST', LOGIN, { body: loginBody('old', 'correct horsE') })
  assert.equal((await server.store.accounts.byUser(user))?.passwordHash, passwordHash)
  const made = await Promise.all([1, 2, 3].map(() => server.login('old', 'correct horse')))
  for (const { access_token } of made) await works(server, access_token)
  assert.match((await server.store.accounts.byUser(user))?.passwordHash ?? '', /^\$argon2id\$/)
  await server.login('old', 'correct horse')
})

test('a password that was changed after it was checked opens nothing', async () => {
  let checked = () => {}
  let goOn = () => {}
  const atCheck = new Promise<void>((resolve) => (checked = resolve))
  const afterwards = new Promise<void>((resolve) => (goOn = resolve))
  let gate = false
  await using server = await TestServer.start({
    wrapPasswords: (passwords) => ({
      hash: (password) => passwords.hash(password),
      outdated: (hash) => passwords.outdated(hash),
      async verify(password, hash) {
        const right = await passwords.verify(password, hash)
        if (!gate) return right
        gate = false
        checked()
        await afterwards
        return right
      },
    }),
  })
  await server.register('alice')
  gate = true
  const login = server.call('POST', LOGIN, { body: loginBody('alice', 'wordpass') })
  await atCheck
  await server.accounts.services.account.setPassword(ALICE, 'other', true, undefined)
  goOn()
  const { status, body } = await login
  assert.equal(status, 403)
  assert.equal(body.errcode, 'M_FORBIDDEN')
  assert.deepEqual(await server.store.accounts.devices(ALICE), [])
  await server.login('alice', 'other')
})

test('rc_login.address counts every attempt of an address', async () => {
  await using server = await TestServer.start({ limited: true })
  await server.register('alice')
  await server.register('bob')
  for (const user of ['alice', 'bob', 'alice', 'bob', 'nobody']) {
    await server.call('POST', LOGIN, { body: loginBody(user, 'wordpass') })
  }
  const body = loginBody('alice', 'wordpass')
  const refusal = await server.refused(429, 'M_LIMIT_EXCEEDED', 'POST', LOGIN, { body })
  assert.ok(refusal.retry_after_ms > 60_000)
  await server.expect(200, 'POST', LOGIN, { body, from: '198.51.100.7' })
})

test('rc_login.failed_attempts: after three failures of an account nobody gets in for a while', async () => {
  await using server = await TestServer.start({ limited: true })
  await server.register('alice')
  await server.register('bob')
  const from = (n: number) => `198.51.100.${n}`
  for (let n = 0; n < 3; n++) {
    const body = loginBody(n % 2 ? '@ALICE:home.test' : 'alice', 'wrong')
    await server.refused(403, 'M_FORBIDDEN', 'POST', LOGIN, { body, from: from(n) })
  }
  const body = loginBody('alice', 'wordpass')
  const refusal = await server.refused(429, 'M_LIMIT_EXCEEDED', 'POST', LOGIN, { body, from: from(9) })
  await server.expect(200, 'POST', LOGIN, { body: loginBody('bob', 'wordpass'), from: from(9) })
  server.pass(refusal.retry_after_ms)
  await server.expect(200, 'POST', LOGIN, { body, from: from(10) })
})

test('rc_login.failed_attempts holds against many guesses at once', async () => {
  await using server = await TestServer.start({ limited: true })
  await server.register('alice')
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      server.call('POST', LOGIN, { body: loginBody('alice', `guess${n}`), from: `198.51.100.${n}` }),
    ),
  )
  assert.equal(answers.filter(({ status }) => status === 403).length, 3)
  assert.equal(answers.filter(({ status }) => status === 429).length, 17)
})

test('rc_login.failed_attempts counts no success; rc_login.account counts successes alone', async () => {
  await using server = await TestServer.start({ limited: true })
  await server.register('alice')
  const body = loginBody('alice', 'wordpass')
  for (let n = 0; n < 5; n++) await server.expect(200, 'POST', LOGIN, { body, from: `198.51.100.${n}` })
  const refusal = await server.refused(429, 'M_LIMIT_EXCEEDED', 'POST', LOGIN, { body, from: '198.51.100.9' })
  assert.ok(refusal.retry_after_ms > 60_000)
})

test('adv-64: tokens and device ids do not repeat', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  const made = await Promise.all(Array.from({ length: 20 }, () => server.login('alice')))
  assert.equal(new Set(made.map(({ access_token }) => access_token)).size, 20)
  assert.equal(new Set(made.map(({ device_id }) => device_id)).size, 20)
})

test('adv-61: a header does not change the address that is counted', async () => {
  await using server = await TestServer.start({ limited: true })
  for (let n = 0; n < 6; n++) {
    const { status } = await server.call('POST', LOGIN, {
      body: loginBody(`u${n}`, 'x'),
      headers: { 'x-forwarded-for': `203.0.113.${n}`, forwarded: `for=203.0.113.${n}` },
    })
    assert.equal(status, n < 5 ? 403 : 429)
  }
})
