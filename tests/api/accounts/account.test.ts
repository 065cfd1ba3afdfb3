import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { covers } from '../../support/covers.ts'
import { type Answer, loginBody, TestServer, V3 } from './test-server.ts'

covers(
  'POST /_matrix/client/v3/account/password',
  'POST /_matrix/client/v3/account/deactivate',
  'GET /_matrix/client/v3/account/3pid',
)

const PASSWORD = `${V3}/account/password`
const DEACTIVATE = `${V3}/account/deactivate`
const ALICE = '@alice:home.test' as UserId

const proof = (user: string, password: string, session?: string) => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user },
  password,
  session,
})

test('an account has no addresses, and its owner is told so', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  assert.deepEqual(await server.expect(200, 'GET', `${V3}/account/3pid`, { token }), { threepids: [] })
  await server.refused(401, 'M_MISSING_TOKEN', 'GET', `${V3}/account/3pid`)
})

test('a deactivation that is not as it should be deactivates nobody', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const auth = proof('alice', 'wordpass')
  await server.refused(400, 'M_BAD_JSON', 'POST', DEACTIVATE, { token, body: { auth, erase: 'yes' } })
  await server.refused(400, 'M_BAD_JSON', 'POST', DEACTIVATE, { token, body: { auth: 'password' } })
  await server.expect(200, 'GET', `${V3}/account/whoami`, { token })
})

test('a new password, and all other devices end', async () => {
  await using server = await TestServer.start()
  const here = await server.register('alice')
  const there = await server.login('alice', 'wordpass', { refresh_token: true })
  const token = here.access_token
  const asked = await server.expect(401, 'POST', PASSWORD, { token, body: { new_password: 'newpass' } })
  assert.deepEqual(asked.flows, [{ stages: ['m.login.password'] }])
  const auth = proof('alice', 'wordpass', asked.session)
  await server.expect(200, 'POST', PASSWORD, { token, body: { new_password: 'newpass', auth } })
  await server.expect(200, 'GET', `${V3}/account/whoami`, { token })
  await server.refused(401, 'M_UNKNOWN_TOKEN', 'GET', `${V3}/account/whoami`, { token: there.access_token })
  const body = { refresh_token: there.refresh_token }
  await server.refused(401, 'M_UNKNOWN_TOKEN', 'POST', `${V3}/refresh`, { body })
  await server.refused(403, 'M_FORBIDDEN', 'POST', `${V3}/login`, { body: loginBody('alice', 'wordpass') })
  await server.login('alice', 'newpass')
})

test('a new password with logout_devices false leaves the other devices alone', async () => {
  await using server = await TestServer.start()
  const here = await server.register('alice')
  const there = await server.login('alice')
  const body = { new_password: 'newpass', logout_devices: false, auth: proof(ALICE, 'wordpass') }
  await server.expect(200, 'POST', PASSWORD, { token: here.access_token, body })
  await server.expect(200, 'GET', `${V3}/account/whoami`, { token: there.access_token })
})

test('a new password: what is refused', async () => {
  const policy = {
    minimumLength: 6,
    requireDigit: false,
    requireSymbol: false,
    requireLowercase: false,
    requireUppercase: false,
  }
  await using server = await TestServer.start({ passwords: { policy } })
  const { access_token: token } = await server.register('alice')
  const auth = proof('alice', 'wordpass')
  await server.refused(401, 'M_MISSING_TOKEN', 'POST', PASSWORD, { body: { new_password: 'newpass', auth } })
  await server.refused(400, 'M_WEAK_PASSWORD', 'POST', PASSWORD, {
    token,
    body: { new_password: 'new', auth },
  })
  await server.refused(400, 'M_MISSING_PARAM', 'POST', PASSWORD, { token, body: { auth } })
  await server.refused(400, 'M_BAD_JSON', 'POST', PASSWORD, {
    token,
    body: { new_password: 'x'.repeat(513) },
  })
  await server.login('alice')
})

/** Tries a proof and gives what came of it. */
const attempt = (server: TestServer, token: string, auth: object): Promise<Answer> =>
  server.call('POST', PASSWORD, { token, body: { new_password: 'newpass', auth } })

test('adv-68: only the own password confirms; any other dict does not', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  await server.register('bob', 'bobpass')
  const { session } = (await attempt(server, token, {})).body
  for (const auth of [
    proof('alice', 'wrong', session),
    { ...proof('alice', 'wordpass', session), password: null },
    { type: 'm.login.password', session },
    { type: 'm.login.dummy', session },
    { type: 'm.login.registration_token', token: 'x', session },
    { type: 'm.login.sso', session },
    { session },
  ]) {
    const { status, body } = await attempt(server, token, auth)
    assert.equal(status, 401)
    assert.deepEqual(body.completed, [])
  }
  for (const foreign of [
    { type: 'm.login.password', user: 'bob', password: 'bobpass', session },
    proof('bob', 'bobpass', session),
    proof('bob', 'wrong', session),
    proof('nobody', 'wrong', session),
    proof('@bob:home.test', 'wordpass', session),
    proof('@alice:other.test', 'wordpass', session),
  ]) {
    const { status, body } = await attempt(server, token, foreign)
    assert.deepEqual([status, body.errcode], [403, 'M_FORBIDDEN'])
  }
  await server.login('alice')
})

test('adv-67: what was proven for one operation or by one user proves nothing for another', async () => {
  await using server = await TestServer.start()
  const alice = await server.register('alice')
  const bob = await server.register('bob')
  const auth = proof('alice', 'wordpass')
  const refusal = await server.call('POST', PASSWORD, { token: alice.access_token, body: { auth } })
  assert.equal(refusal.body.errcode, 'M_MISSING_PARAM')
  const { session } = (await attempt(server, alice.access_token, { type: 'm.login.password' })).body
  const use = { auth: { session } }
  await server.refused(403, 'M_FORBIDDEN', 'POST', DEACTIVATE, { token: alice.access_token, body: use })
  assert.equal((await attempt(server, bob.access_token, { session })).status, 403)
  assert.equal((await attempt(server, alice.access_token, proof('alice', 'wordpass', session))).status, 200)
  assert.equal((await attempt(server, alice.access_token, { session })).status, 400)
})

test('a user or a bug elsewhere cannot lock anyone out: confirmations are counted by themselves', async () => {
  await using server = await TestServer.start({ limited: true })
  const { access_token: token } = await server.register('alice')
  for (let n = 0; n < 3; n++)
    assert.equal((await attempt(server, token, proof('alice', 'wrong'))).status, 401)
  const refused = await attempt(server, token, proof('alice', 'wordpass'))
  assert.equal(refused.body.errcode, 'M_LIMIT_EXCEEDED')
  await server.login('alice')
  server.pass(refused.body.retry_after_ms)
  assert.equal((await attempt(server, token, proof('alice', 'wordpass'))).status, 200)
})

test('where passwords confirm nothing there is no way', async () => {
  await using server = await TestServer.start({ passwords: { forReauth: false } })
  const { access_token: token } = await server.register('alice')
  assert.equal((await attempt(server, token, proof('alice', 'wordpass'))).body.errcode, 'M_FORBIDDEN')
})

test('adv-72: deactivation leaves nothing of an account but its name', async () => {
  const heard: string[] = []
  await using server = await TestServer.start({
    hooks: {
      deactivationOps: (userId, now) => [
        { op: 'job.put', kind: 'leave', key: userId, dueTs: now, data: '{}' },
      ],
      onDeactivated: (userId) => heard.push(userId),
    },
  })
  const here = await server.register('alice')
  const there = await server.login('alice', 'wordpass', { refresh_token: true })
  const token = here.access_token
  await server.expect(200, 'PUT', `${V3}/profile/${ALICE}/avatar_url`, {
    token,
    body: { avatar_url: 'mxc://a/b' },
  })
  const data = { token, body: { secret: 1 } }
  await server.expect(200, 'PUT', `${V3}/user/${ALICE}/account_data/m.direct`, data)
  const filter = await server.expect(200, 'POST', `${V3}/user/${ALICE}/filter`, { token, body: { room: {} } })
  const filterId = Number(filter.filter_id)
  assert.equal(await server.store.accountData.filter(ALICE, filterId), '{"room":{}}')
  const bob = await server.register('bob')
  assert.equal((await server.call('POST', DEACTIVATE, { token })).status, 401)
  const auth = proof('alice', 'wordpass')
  const done = await server.expect(200, 'POST', DEACTIVATE, { token, body: { auth, erase: true } })
  assert.deepEqual(done, { id_server_unbind_result: 'success' })
  assert.deepEqual(heard, [ALICE])
  for (const gone of [token, there.access_token]) {
    await server.refused(401, 'M_UNKNOWN_TOKEN', 'GET', `${V3}/account/whoami`, { token: gone })
  }
  const body = { refresh_token: there.refresh_token }
  await server.refused(401, 'M_UNKNOWN_TOKEN', 'POST', `${V3}/refresh`, { body })
  const login = { body: loginBody('alice', 'wordpass') }
  await server.refused(403, 'M_USER_DEACTIVATED', 'POST', `${V3}/login`, login)
  await server.refused(404, 'M_NOT_FOUND', 'GET', `${V3}/profile/${ALICE}`)
  await server.refused(404, 'M_NOT_FOUND', 'GET', `${V3}/profile/${ALICE}/displayname`)
  const { accounts, accountData, jobs } = server.store
  const account = await accounts.byUser(ALICE)
  assert.equal(account?.deactivated, true)
  assert.equal(account?.passwordHash, null)
  assert.deepEqual(await accounts.devices(ALICE), [])
  assert.equal((await accounts.profile(ALICE))?.fields, '{}')
  assert.deepEqual(await accountData.since(ALICE, 0, server.store.position()), [])
  assert.equal(await accountData.filter(ALICE, filterId), undefined)
  const due = await jobs.due(server.now(), 10)
  assert.deepEqual(
    due.map(({ kind, key }) => [kind, key]),
    [['leave', ALICE]],
  )
  await server.expect(200, 'GET', `${V3}/account/whoami`, { token: bob.access_token })
})

test('deactivation when the store fails: nothing is half done, and nobody is told', async () => {
  const heard: string[] = []
  let broken = false
  await using server = await TestServer.start({
    hooks: { onDeactivated: (userId) => heard.push(userId) },
    wrap: (store) => ({
      ...store,
      commit: (plan) =>
        broken && plan.ops.some(({ op }) => op === 'account.flags')
          ? Promise.reject(new Error('disk full'))
          : store.commit(plan),
    }),
  })
  const { access_token: token } = await server.register('alice')
  broken = true
  await assert.rejects(server.accounts.services.account.deactivate(ALICE), /disk full/)
  broken = false
  assert.deepEqual(heard, [])
  await server.expect(200, 'GET', `${V3}/account/whoami`, { token })
  await server.login('alice')
})
