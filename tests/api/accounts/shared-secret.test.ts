import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { covers } from '../../support/covers.ts'
import { TestServer, V3 } from './test-server.ts'

covers('GET /_synapse/admin/v1/register', 'POST /_synapse/admin/v1/register')

const PATH = '/_synapse/admin/v1/register'
const SECRET = { registration: { enabled: false, sharedSecret: 'the secret' } }

function mac(parts: readonly string[], secret = 'the secret'): string {
  return createHmac('sha1', secret).update(parts.join('\0')).digest('hex')
}

const nonceOf = async (server: TestServer): Promise<string> => (await server.expect(200, 'GET', PATH)).nonce

test('the MAC of these tests is that of Synapse’s documentation: HMAC-SHA1 over the parts with NUL between them', () => {
  /* printf 'thisisanonce\0pepper_roni\0pizza\0admin' | openssl sha1 -hmac shared_secret */
  const parts = ['thisisanonce', 'pepper_roni', 'pizza', 'admin']
  assert.equal(mac(parts, 'shared_secret'), '48715842ad67d5dc9a9ee938a3bda4fcfae8d7c7')
})

test('accounts made by shared secret, administrators and others, while registration is closed', async () => {
  await using server = await TestServer.start(SECRET)
  const nonce = await nonceOf(server)
  assert.match(nonce, /^[0-9a-f]{128}$/)
  const body = { nonce, username: 'Boss', password: 'wordpass', admin: true, displayname: 'The Boss' }
  const made = await server.expect(200, 'POST', PATH, {
    body: { ...body, mac: mac([nonce, 'Boss', 'wordpass', 'admin']) },
  })
  assert.deepEqual(Object.keys(made).sort(), ['access_token', 'device_id', 'home_server', 'user_id'])
  assert.equal(made.user_id, '@boss:home.test')
  await server.expect(200, 'GET', `${V3}/account/whoami`, { token: made.access_token })
  assert.equal((await server.store.accounts.byUser('@boss:home.test'))?.admin, true)
  const profile = await server.expect(200, 'GET', `${V3}/profile/@boss:home.test`)
  assert.deepEqual(profile, { displayname: 'The Boss' })
  const next = await nonceOf(server)
  const plain = { nonce: next, username: 'bob', password: 'wordpass', inhibit_login: true, user_type: null }
  assert.deepEqual(
    await server.expect(200, 'POST', PATH, {
      body: { ...plain, mac: mac([next, 'bob', 'wordpass', 'notadmin']) },
    }),
    { user_id: '@bob:home.test' },
  )
  assert.equal((await server.store.accounts.byUser('@bob:home.test'))?.admin, false)
})

test('a MAC over anything else is refused, and the nonce is gone', async () => {
  await using server = await TestServer.start(SECRET)
  const wrong: ((nonce: string) => string)[] = [
    (nonce) => mac([nonce, 'bob', 'wordpass', 'notadmin']),
    (nonce) => mac([nonce, 'bob', 'wordpass', 'admin'], 'another'),
    (nonce) => mac([nonce, 'bob', 'wordpass', 'admin', 'bot']),
    (nonce) => mac([nonce, 'bob', 'other', 'admin']),
    (nonce) => mac([nonce, 'eve', 'wordpass', 'admin']),
    () => mac(['', 'bob', 'wordpass', 'admin']),
    () => '',
    () => 'zz',
  ]
  for (const make of wrong) {
    const nonce = await nonceOf(server)
    const body = { nonce, username: 'bob', password: 'wordpass', admin: true, mac: make(nonce) }
    await server.refused(403, 'M_FORBIDDEN', 'POST', PATH, { body })
    const right = { ...body, mac: mac([nonce, 'bob', 'wordpass', 'admin']) }
    await server.refused(400, 'M_UNKNOWN', 'POST', PATH, { body: right })
  }
  assert.equal(await server.store.accounts.count(), 0)
})

test('nonces: unknown, used, older than a minute, pushed out by very many others', async () => {
  await using server = await TestServer.start(SECRET)
  const post = (nonce: string, username: string, status: number) =>
    server.expect(status, 'POST', PATH, {
      body: { nonce, username, password: 'wordpass', mac: mac([nonce, username, 'wordpass', 'notadmin']) },
    })
  await post('made up', 'a', 400)
  const nonce = await nonceOf(server)
  await post(nonce, 'a', 200)
  await post(nonce, 'b', 400)
  const old = await nonceOf(server)
  const young = await nonceOf(server)
  server.pass(59_000)
  await post(young, 'c', 200)
  server.pass(2_000)
  await post(old, 'd', 400)
  const pushed = await nonceOf(server)
  for (let n = 0; n < 1000; n++) server.accounts.services.sharedSecret.nonce()
  await post(pushed, 'e', 400)
})

test('a NUL cannot move the borders of the parts; an unknown type of user is refused', async () => {
  await using server = await TestServer.start(SECRET)
  const nonce = await nonceOf(server)
  const body = {
    nonce,
    username: 'bob\0x',
    password: 'wordpass',
    mac: mac([nonce, 'bob', 'x', 'wordpass', 'notadmin']),
  }
  await server.refused(400, 'M_INVALID_PARAM', 'POST', PATH, { body })
  const next = await nonceOf(server)
  const typed = { nonce: next, username: 'bob', password: 'wordpass', user_type: 'bot' }
  const parts = [next, 'bob', 'wordpass', 'notadmin', 'bot']
  await server.refused(400, 'M_UNKNOWN', 'POST', PATH, { body: { ...typed, mac: mac(parts) } })
})

test('adv-63: without a secret, or with an empty one, there is no such registration', async () => {
  for (const sharedSecret of [undefined, '']) {
    await using server = await TestServer.start({ registration: { sharedSecret } })
    const nonce = await nonceOf(server)
    const key = sharedSecret ?? ''
    const body = { nonce, username: 'bob', password: 'x', mac: mac([nonce, 'bob', 'x', 'notadmin'], key) }
    const refusal = await server.refused(400, 'M_UNKNOWN', 'POST', PATH, { body })
    assert.equal(refusal.error, 'Shared secret registration is not enabled.')
  }
})

test('names follow the same rules', async () => {
  await using server = await TestServer.start(SECRET)
  for (const [username, errcode] of [
    ['_a', 'M_INVALID_USERNAME'],
    ['123', 'M_INVALID_USERNAME'],
    ['a b', 'M_INVALID_USERNAME'],
  ] as const) {
    const nonce = await nonceOf(server)
    const body = { nonce, username, password: 'x', mac: mac([nonce, username, 'x', 'notadmin']) }
    await server.refused(400, errcode, 'POST', PATH, { body })
  }
})
