import assert from 'node:assert/strict'
import { test } from 'node:test'
import { covers } from '../../support/covers.ts'
import { type Body, TestServer, V3 } from './test-server.ts'

covers(
  'POST /_matrix/client/v3/register',
  'GET /_matrix/client/v3/register/available',
  'GET /_matrix/client/v3/password_policy',
  'GET /_matrix/client/v1/register/m.login.registration_token/validity',
)

const REGISTER = `${V3}/register`
const DUMMY = { type: 'm.login.dummy' }
const validity = (token: string) =>
  `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`
const CLOSED = { registration: { enabled: false, withoutVerification: false } }

const putToken = (server: TestServer, token: string, more: object = {}) =>
  server.commit({
    op: 'registration_token.put',
    token,
    usesAllowed: 1,
    expiresTs: null,
    admin: false,
    ...more,
  })

/** Registers with a registration token, in the two steps that clients take. */
async function withToken(server: TestServer, token: string, username: string): Promise<Body> {
  const body = { username, password: 'wordpass' }
  const { session } = await server.expect(401, 'POST', REGISTER, { body })
  const first = { ...body, auth: { type: 'm.login.registration_token', token, session } }
  const answer = await server.expect(401, 'POST', REGISTER, { body: first })
  if (answer.errcode !== undefined) return answer
  return (await server.call('POST', REGISTER, { body: { ...body, auth: { ...DUMMY, session } } })).body
}

test('an open registration: first the flows, then an account with a session', async () => {
  await using server = await TestServer.start()
  const asked = await server.expect(401, 'POST', REGISTER, { body: {} })
  assert.deepEqual(asked.flows, [{ stages: ['m.login.dummy'] }])
  const body = {
    username: 'Alice',
    password: 'wordpass',
    device_id: 'PHONE',
    initial_device_display_name: 'my phone',
    auth: { ...DUMMY, session: asked.session },
  }
  const made = await server.expect(200, 'POST', REGISTER, { body })
  assert.equal(made.user_id, '@alice:home.test')
  assert.equal(made.device_id, 'PHONE')
  assert.equal('refresh_token' in made || 'expires_in_ms' in made, false)
  const who = await server.expect(200, 'GET', `${V3}/account/whoami`, { token: made.access_token })
  assert.deepEqual(who, { user_id: '@alice:home.test', device_id: 'PHONE', is_guest: false })
  const device = await server.store.accounts.device('@alice:home.test', 'PHONE')
  assert.equal(device?.displayName, 'my phone')
  const account = await server.store.accounts.byUser('@alice:home.test')
  assert.equal(account?.admin, false)
  const profile = await server.expect(200, 'GET', `${V3}/profile/@alice:home.test`)
  assert.deepEqual(profile, { displayname: 'alice' })
})

test('who did not get the answer registers again in the same session, with the same password alone', async () => {
  await using server = await TestServer.start()
  for (const name of [undefined, 'again']) {
    const { session } = await server.expect(401, 'POST', REGISTER, { body: {} })
    const body = { username: name, password: 'wordpass', auth: { ...DUMMY, session } }
    const made = await server.expect(200, 'POST', REGISTER, { body })
    const repeated = await server.expect(200, 'POST', REGISTER, { body })
    assert.equal(repeated.user_id, made.user_id)
    assert.notEqual(repeated.access_token, made.access_token)
    const wrong = await server.expect(403, 'POST', REGISTER, { body: { ...body, password: 'other word' } })
    assert.equal(wrong.errcode, 'M_FORBIDDEN')
    const quiet = await server.expect(200, 'POST', REGISTER, { body: { ...body, inhibit_login: true } })
    assert.deepEqual(quiet, { user_id: made.user_id })
  }
})

test('the old path, an empty body and inhibit_login', async () => {
  await using server = await TestServer.start()
  await server.expect(401, 'POST', '/_matrix/client/r0/register')
  const made = await server.register('bob', 'wordpass', { inhibit_login: true })
  assert.deepEqual(made, { user_id: '@bob:home.test' })
  assert.deepEqual(await server.store.accounts.devices('@bob:home.test'), [])
  await server.login('bob')
})

test('without a name one is made up; without a password nothing is', async () => {
  await using server = await TestServer.start()
  const body = { password: 'wordpass', auth: DUMMY }
  const one = await server.expect(200, 'POST', REGISTER, { body })
  const two = await server.expect(200, 'POST', REGISTER, { body })
  assert.match(one.user_id, /^@u[a-z0-9]{11}:home\.test$/)
  assert.notEqual(one.user_id, two.user_id)
  await server.refused(400, 'M_MISSING_PARAM', 'POST', REGISTER, { body: { username: 'x', auth: DUMMY } })
  assert.equal(await server.store.accounts.count(), 2)
})

test('adv-69: an empty password is none', async () => {
  await using server = await TestServer.start()
  const body = { username: 'alice', password: '', auth: DUMMY }
  await server.refused(400, 'M_WEAK_PASSWORD', 'POST', REGISTER, { body })
})

test('names: grammar, underscore, digits, length, case', async () => {
  await using server = await TestServer.start()
  await server.register('alice')
  const bad = ['', 'a b', 'ä', 'a:b', '@a', '_bridge', '123', 'x'.repeat(246), 'a\u0000', 'a!']
  for (const username of bad) {
    const body = { username, password: 'wordpass', auth: DUMMY }
    await server.refused(400, 'M_INVALID_USERNAME', 'POST', REGISTER, { body })
  }
  for (const username of ['alice', 'ALICE', 'aLice']) {
    const body = { username, password: 'wordpass', auth: DUMMY }
    await server.refused(400, 'M_USER_IN_USE', 'POST', REGISTER, { body })
    await server.refused(400, 'M_USER_IN_USE', 'GET', `${REGISTER}/available?username=${username}`)
  }
  assert.equal((await server.register('x'.repeat(244))).user_id.length, 255)
  await server.register('a=_-./+9')
  assert.deepEqual(await server.expect(200, 'GET', `${REGISTER}/available?username=bob`), { available: true })
  await server.refused(400, 'M_INVALID_USERNAME', 'GET', `${REGISTER}/available?username=%20`)
  await server.refused(400, 'M_MISSING_PARAM', 'GET', `${REGISTER}/available`)
})

test('a name that differs from an imported one only in capital letters is taken', async () => {
  await using server = await TestServer.start()
  await server.commit({
    op: 'account.create',
    user: '@Old:home.test',
    passwordHash: null,
    admin: false,
    guest: false,
    ts: 1,
  })
  const body = { username: 'old', password: 'wordpass', auth: DUMMY }
  await server.refused(400, 'M_USER_IN_USE', 'POST', REGISTER, { body })
})

test('names with an underscore where they are allowed; names of bridges', async () => {
  await using server = await TestServer.start({
    registration: { underscorePrefix: true },
    hooks: { exclusive: (userId) => userId.startsWith('@irc_') },
  })
  assert.equal((await server.register('_x')).user_id, '@_x:home.test')
  const body = { username: 'irc_bob', password: 'wordpass', auth: DUMMY }
  await server.refused(400, 'M_EXCLUSIVE', 'POST', REGISTER, { body })
})

test('guests are refused', async () => {
  await using server = await TestServer.start()
  await server.refused(403, 'M_GUEST_ACCESS_FORBIDDEN', 'POST', `${REGISTER}?kind=guest`, { body: {} })
  await server.refused(400, 'M_INVALID_PARAM', 'POST', `${REGISTER}?kind=tree`, { body: {} })
})

test('a closed registration without any token refuses everything', async () => {
  await using server = await TestServer.start(CLOSED)
  await server.refused(403, 'M_FORBIDDEN', 'POST', REGISTER, { body: {} })
  const body = { username: 'alice', password: 'wordpass', auth: DUMMY }
  await server.refused(403, 'M_FORBIDDEN', 'POST', REGISTER, { body })
  await server.refused(403, 'M_FORBIDDEN', 'GET', `${REGISTER}/available?username=alice`)
  await server.refused(403, 'M_FORBIDDEN', 'GET', validity('any'))
})

test('a closed registration with a token in the store: the first account, administrator, and no second', async () => {
  await using server = await TestServer.start(CLOSED)
  await putToken(server, 'first-start', { admin: true })
  assert.deepEqual(await server.expect(200, 'GET', validity('first-start')), { valid: true })
  assert.deepEqual(await server.expect(200, 'GET', validity('other')), { valid: false })
  const asked = await server.expect(401, 'POST', REGISTER, { body: {} })
  assert.deepEqual(asked.flows, [{ stages: ['m.login.registration_token', 'm.login.dummy'] }])
  const wrong = await withToken(server, 'guess', 'mallory')
  assert.equal(wrong.errcode, 'M_UNAUTHORIZED')
  const made = await withToken(server, 'first-start', 'admin')
  assert.equal(made.user_id, '@admin:home.test')
  assert.equal((await server.store.accounts.byUser('@admin:home.test'))?.admin, true)
  await server.refused(403, 'M_FORBIDDEN', 'POST', REGISTER, { body: {} })
  await server.refused(403, 'M_FORBIDDEN', 'GET', validity('first-start'))
})

test('a closed registration is closed to the tokens of invited people, and once there is any account', async () => {
  await using server = await TestServer.start(CLOSED)
  await putToken(server, 'for-friends', { usesAllowed: null })
  await server.refused(403, 'M_FORBIDDEN', 'POST', REGISTER, { body: {} })
  await putToken(server, 'first-start', { admin: true })
  assert.deepEqual(await server.expect(200, 'GET', validity('for-friends')), { valid: false })
  assert.equal((await withToken(server, 'for-friends', 'friend')).errcode, 'M_UNAUTHORIZED')
  const op = { op: 'account.create', passwordHash: null, admin: true, guest: false, ts: 1 } as const
  await server.commit({ ...op, user: '@made:home.test' })
  await server.refused(403, 'M_FORBIDDEN', 'POST', REGISTER, { body: {} })
  await server.refused(403, 'M_FORBIDDEN', 'GET', validity('first-start'))
})

test('the token of the first start makes no administrator once there is an account', async () => {
  await using server = await TestServer.start({ registration: { requiresToken: true } })
  await putToken(server, 'first-start', { admin: true })
  await putToken(server, 'for-friends', { usesAllowed: null })
  assert.deepEqual(await server.expect(200, 'GET', validity('first-start')), { valid: true })
  assert.equal((await withToken(server, 'for-friends', 'friend')).user_id, '@friend:home.test')
  assert.deepEqual(await server.expect(200, 'GET', validity('first-start')), { valid: false })
  assert.equal((await withToken(server, 'first-start', 'mallory')).errcode, 'M_UNAUTHORIZED')
})

test('adv-68: a stage that is not offered proves nothing', async () => {
  await using server = await TestServer.start({ registration: { requiresToken: true } })
  const body = { username: 'alice', password: 'wordpass' }
  const { session } = await server.expect(401, 'POST', REGISTER, { body })
  for (const auth of [
    { type: 'm.login.password', user: 'alice', password: 'wordpass' },
    { type: 'm.login.email.identity' },
    { type: 'm.login.registration_token', token: '' },
    { type: '__proto__' },
    DUMMY,
  ]) {
    const answer = await server.expect(401, 'POST', REGISTER, {
      body: { ...body, auth: { ...auth, session } },
    })
    assert.ok(!answer.completed.includes('m.login.registration_token'))
  }
  assert.equal(await server.store.accounts.count(), 0)
})

test('the question for a token needs a token', async () => {
  await using server = await TestServer.start({ registration: { requiresToken: true } })
  const [bare] = validity('').split('?')
  await server.refused(400, 'M_MISSING_PARAM', 'GET', bare!)
  await server.refused(400, 'M_INVALID_PARAM', 'GET', validity('x'.repeat(10_000)))
})

test('a token that is expired or used up is not valid', async () => {
  await using server = await TestServer.start({ registration: { requiresToken: true } })
  await putToken(server, 'old', { expiresTs: server.now() - 1 })
  await putToken(server, 'soon', { expiresTs: server.now() + 60_000, usesAllowed: null })
  await putToken(server, 'twice', { usesAllowed: 2 })
  assert.deepEqual(await server.expect(200, 'GET', validity('old')), { valid: false })
  assert.equal((await withToken(server, 'old', 'a')).errcode, 'M_UNAUTHORIZED')
  assert.equal((await withToken(server, 'soon', 'b')).user_id, '@b:home.test')
  server.pass(120_000)
  assert.equal((await withToken(server, 'soon', 'c')).errcode, 'M_UNAUTHORIZED')
  for (const name of ['d', 'e']) {
    assert.equal((await withToken(server, 'twice', name)).user_id, `@${name}:home.test`)
  }
  assert.deepEqual(await server.expect(200, 'GET', validity('twice')), { valid: false })
  assert.equal((await withToken(server, 'twice', 'f')).errcode, 'M_UNAUTHORIZED')
})

test('two registrations with one single-use token at once: exactly one wins', async () => {
  await using server = await TestServer.start(CLOSED)
  await putToken(server, 'once', { admin: true })
  const sessions: [string, string][] = []
  for (const username of ['one', 'two', 'three']) {
    const body = { username, password: 'wordpass' }
    const { session } = await server.expect(401, 'POST', REGISTER, { body })
    const auth = { type: 'm.login.registration_token', token: 'once', session }
    await server.expect(401, 'POST', REGISTER, { body: { ...body, auth } })
    sessions.push([username, session])
  }
  const answers = await Promise.all(
    sessions.map(([username, session]) =>
      server.call('POST', REGISTER, {
        body: { username, password: 'wordpass', auth: { ...DUMMY, session } },
      }),
    ),
  )
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 403, 403])
  assert.equal(await server.store.accounts.count(), 1)
  assert.equal((await server.store.accounts.registrationToken('once'))?.completed, 1)
})

test('adv-71: registrations of one name at once: exactly one wins, and its password is the one that works', async () => {
  await using server = await TestServer.start()
  const answers = await Promise.all(
    [0, 1, 2, 3, 4].map(async (n) => ({
      n,
      ...(await server.call('POST', REGISTER, {
        body: { username: n % 2 ? 'same' : 'SAME', password: `wordpass${n}`, auth: DUMMY },
      })),
    })),
  )
  const won = answers.filter(({ status }) => status === 200)
  assert.equal(won.length, 1)
  for (const { status, body } of answers) if (status !== 200) assert.equal(body.errcode, 'M_USER_IN_USE')
  for (const { n } of answers) {
    const body = { type: 'm.login.password', user: 'same', password: `wordpass${n}` }
    const { status } = await server.call('POST', `${V3}/login`, { body })
    assert.equal(status, n === won[0]?.n ? 200 : 403)
  }
})

test('adv-71: an account that exists is not registered again, nor one that was deactivated', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const auth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: 'alice' },
    password: 'wordpass',
  }
  await server.expect(200, 'POST', `${V3}/account/deactivate`, { token, body: { auth } })
  const body = { username: 'alice', password: 'other', auth: DUMMY }
  await server.refused(400, 'M_USER_IN_USE', 'POST', REGISTER, { body })
})

test('a name that was taken meanwhile can be replaced in the same session', async () => {
  await using server = await TestServer.start({ registration: { requiresToken: true } })
  await putToken(server, 'tok', { usesAllowed: 2 })
  const { session } = await server.expect(401, 'POST', REGISTER, { body: { username: 'late' } })
  const auth = { type: 'm.login.registration_token', token: 'tok', session }
  await server.expect(401, 'POST', REGISTER, { body: { username: 'late', auth } })
  await withToken(server, 'tok', 'late')
  const again = { password: 'wordpass', auth: { ...DUMMY, session } }
  await server.refused(400, 'M_USER_IN_USE', 'POST', REGISTER, { body: { ...again, username: 'late' } })
  const made = await server.expect(200, 'POST', REGISTER, { body: { ...again, username: 'later' } })
  assert.equal(made.user_id, '@later:home.test')
  await server.refused(400, 'M_UNKNOWN', 'POST', REGISTER, { body: { ...again, username: 'latest' } })
})

test('adv-66: no row of an authentication session holds a password or a body', async () => {
  const kept: string[] = []
  await using server = await TestServer.start({
    registration: { requiresToken: true },
    wrap: (store) => ({
      ...store,
      commit(plan) {
        for (const op of plan.ops) if (op.op === 'uia.put') kept.push(JSON.stringify(op))
        return store.commit(plan)
      },
    }),
  })
  await putToken(server, 'tok')
  const body = { username: 'alice', password: 'sesame-open', initial_device_display_name: 'PHONE-NAME' }
  const { session } = await server.expect(401, 'POST', REGISTER, { body })
  const bad = { type: 'm.login.registration_token', token: 'wrong-token', session, password: 'sesame-open' }
  await server.expect(401, 'POST', REGISTER, { body: { ...body, auth: bad } })
  await server.expect(401, 'POST', REGISTER, { body: { ...body, auth: { ...bad, token: 'tok' } } })
  const made = await server.expect(200, 'POST', REGISTER, { body: { ...body, auth: { ...DUMMY, session } } })
  const change = {
    new_password: 'sesame-new',
    auth: { type: 'm.login.password', user: 'alice', password: 'bad-guess' },
  }
  await server.expect(401, 'POST', `${V3}/account/password`, { token: made.access_token, body: change })
  assert.ok(kept.length >= 5)
  for (const text of kept) assert.doesNotMatch(text, /sesame|wrong-token|PHONE-NAME|bad-guess/)
  for (const line of server.log) assert.doesNotMatch(JSON.stringify(line), /sesame|bad-guess|wordpass/)
})

test('an authentication session outlives a restart of the services', async () => {
  await using server = await TestServer.start()
  const { session } = await server.expect(401, 'POST', REGISTER, { body: {} })
  assert.ok(await server.store.accounts.uia(session))
  server.restart()
  await server.register('alice', 'wordpass', { auth: { ...DUMMY, session } })
  assert.equal(await server.store.accounts.uia(session), undefined)
})

test('stages that are finished stay finished while the rest of the request is put right', async () => {
  await using server = await TestServer.start({ registration: { requiresToken: true } })
  await putToken(server, 'tok')
  const { session } = await server.expect(401, 'POST', REGISTER, { body: {} })
  const token = { type: 'm.login.registration_token', token: 'tok', session }
  await server.expect(401, 'POST', REGISTER, { body: { auth: token } })
  const dummy = { username: 'alice', auth: { ...DUMMY, session } }
  await server.refused(400, 'M_MISSING_PARAM', 'POST', REGISTER, { body: dummy })
  await server.register('alice', 'wordpass', { auth: { session } })
})

test('without a password policy there is none to show', async () => {
  await using server = await TestServer.start()
  assert.deepEqual(await server.expect(200, 'GET', `${V3}/password_policy`), {})
})

test('the password policy speaks before anything else', async () => {
  const policy = {
    minimumLength: 8,
    requireDigit: true,
    requireSymbol: true,
    requireLowercase: true,
    requireUppercase: true,
  }
  await using server = await TestServer.start({ passwords: { policy } })
  assert.deepEqual(await server.expect(200, 'GET', `${V3}/password_policy`), {
    'm.minimum_length': 8,
    'm.require_digit': true,
    'm.require_symbol': true,
    'm.require_lowercase': true,
    'm.require_uppercase': true,
  })
  const cases = [
    ['aB1!', 'M_PASSWORD_TOO_SHORT'],
    ['aBcdefg!', 'M_PASSWORD_NO_DIGIT'],
    ['aBcdefg1', 'M_PASSWORD_NO_SYMBOL'],
    ['abcdefg1!', 'M_PASSWORD_NO_UPPERCASE'],
    ['ABCDEFG1!', 'M_PASSWORD_NO_LOWERCASE'],
  ]
  for (const [password, reason] of cases) {
    const body = { username: 'alice', password }
    const refusal = await server.refused(400, 'M_WEAK_PASSWORD', 'POST', REGISTER, { body })
    assert.equal(refusal.reason, reason)
  }
  await server.register('alice', 'aBcdefg1!')
})

test('rc_registration counts accounts that are made, by address', async () => {
  await using server = await TestServer.start({ limited: true })
  for (const name of ['a1', 'a2', 'a3']) {
    await server.expect(401, 'POST', REGISTER, { body: {} })
    await server.register(name)
  }
  const refusal = await server.refused(429, 'M_LIMIT_EXCEEDED', 'POST', REGISTER, { body: {} })
  assert.ok(refusal.retry_after_ms > 0 && refusal.retry_after_ms < 10_000)
  await server.expect(401, 'POST', REGISTER, { body: {}, from: '192.0.2.9' })
  server.pass(refusal.retry_after_ms)
  await server.register('a4')
})

test('rc_registration_token_validity and the check of names are limited', async () => {
  await using server = await TestServer.start({ limited: true })
  for (let n = 0; n < 5; n++) await server.expect(200, 'GET', validity('x'))
  await server.refused(429, 'M_LIMIT_EXCEEDED', 'GET', validity('x'))
  for (let n = 0; n < 20; n++) await server.expect(200, 'GET', `${REGISTER}/available?username=n${n}`)
  await server.refused(429, 'M_LIMIT_EXCEEDED', 'GET', `${REGISTER}/available?username=n4`)
  /* A client that asks with every letter uses up none of the registrations. */
  await server.register('n4')
})

test('adv-34: every text of a registration has a length', async () => {
  await using server = await TestServer.start()
  const long = 'x'.repeat(2000)
  for (const name of ['username', 'password', 'device_id', 'initial_device_display_name']) {
    const body = { username: 'alice', password: 'wordpass', auth: DUMMY, [name]: long }
    await server.refused(400, 'M_BAD_JSON', 'POST', REGISTER, { body })
  }
  assert.equal(await server.store.accounts.count(), 0)
})

test('with `inhibit_user_in_use_error` a taken name is told at the end alone', async () => {
  await using server = await TestServer.start({ registration: { inhibitInUse: true } })
  await server.register('alice')
  const available = await server.expect(200, 'GET', `${V3}/register/available?username=alice`)
  assert.deepEqual(available, { available: true })
  await server.refused(400, 'M_INVALID_USERNAME', 'GET', `${V3}/register/available?username=%20`)
  const body = { username: 'alice', password: 'wordpass' }
  const asked = await server.expect(401, 'POST', `${V3}/register`, { body })
  const auth = { type: 'm.login.dummy', session: asked.session }
  await server.refused(400, 'M_USER_IN_USE', 'POST', `${V3}/register`, { body: { ...body, auth } })
  await server.login('alice')
})
