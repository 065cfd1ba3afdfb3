/** `user_consent`: the page, the stage of registration, and events that are refused without agreement. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { DONE_SCRIPT, DONE_SCRIPT_HASH } from '#/api/html.ts'
import { parseTemplate } from '#/base/template.ts'
import { called, covers, coversPart } from '../../support/covers.ts'
import { TestServer } from '../../support/test-server.ts'
import { CONSENT, withUsage } from '../../support/usage-options.ts'

covers(
  'GET /_matrix/client/v3/auth/{authType}/fallback/web',
  'POST /_matrix/client/v3/auth/{authType}/fallback/web',
)
coversPart(
  'POST /_matrix/client/v3/register',
  'PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
)

const V3 = '/_matrix/client/v3'
const PAGE = '/_matrix/consent'
const DUMMY = { type: 'm.login.dummy' }

interface Page {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
}

async function ask(server: TestServer, method: 'GET' | 'POST', url: string, form?: object): Promise<Page> {
  const body = form && Buffer.from(new URLSearchParams(form as Record<string, string>).toString())
  const reply = await server.assembled.dispatches.client({
    method,
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    remote: '192.0.2.7',
    signal: new AbortController().signal,
    ...(body && { body }),
  })
  called(method, url, reply.status)
  return { status: reply.status, text: String(reply.body), headers: reply.headers }
}

const macOf = (user: string): string => createHmac('sha256', CONSENT.secret).update(user).digest('hex')
const linkFor = (user: string): string => `u=${encodeURIComponent(user)}&h=${macOf(user)}`

async function withServer(
  more: Parameters<typeof withUsage>[0],
  run: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await TestServer.start({ configure: withUsage(more) })
  try {
    await run(server)
  } finally {
    await server.close()
  }
}

test('the policy is shown to anybody, and with a link to whom it speaks of', () =>
  withServer({ consent: {} }, async (server) => {
    const open = await ask(server, 'GET', PAGE)
    assert.equal(open.status, 200)
    assert.match(open.headers['Content-Type'] ?? '', /^text\/html/)
    assert.ok(open.text.includes('the policy') && !open.text.includes('<form'))
    assert.equal((await ask(server, 'GET', `${PAGE}?v=0.9`)).text, 'old')
    assert.equal((await ask(server, 'GET', `${PAGE}?v=7`)).status, 404)
    assert.equal((await ask(server, 'GET', `${PAGE}?v=..%2F..%2Fetc%2Fpasswd`)).status, 404)
    const alice = await server.user('alice')
    for (const name of [alice.userId, alice.userId.slice(1).split(':')[0] ?? '']) {
      const page = await ask(server, 'GET', `${PAGE}?${linkFor(name)}`)
      assert.equal(page.status, 200)
      assert.ok(page.text.includes('<form') && page.text.includes(macOf(name)))
    }
    assert.equal((await ask(server, 'GET', `${PAGE}?u=alice`)).status, 400)
    assert.equal((await ask(server, 'GET', `${PAGE}?u=alice&h=00`)).status, 403)
    assert.equal((await ask(server, 'GET', `${PAGE}?u=bob&h=${macOf('alice')}`)).status, 403)
    assert.equal((await ask(server, 'GET', `${PAGE}?${linkFor('nobody')}`)).status, 404)
    assert.equal((await ask(server, 'GET', `${PAGE}?${linkFor('@x:other.example')}`)).status, 404)
  }))

test('adv-83, adv-84: pages escape what comes from outside, run no foreign script and are not framed', () =>
  withServer({ consent: {} }, async (server) => {
    const bad = '<script>alert(1)</script>"'
    const page = await ask(server, 'GET', `${PAGE}?${linkFor(bad)}`)
    assert.ok(!page.text.includes('<script>alert'))
    const open = await ask(server, 'GET', PAGE)
    const csp = open.headers['Content-Security-Policy'] ?? ''
    assert.match(csp, /default-src 'none'/)
    assert.match(csp, /frame-ancestors 'none'/)
    assert.equal(open.headers['X-Frame-Options'], 'DENY')
    const script = createHash('sha256').update(DONE_SCRIPT).digest('base64')
    assert.equal(DONE_SCRIPT_HASH, `sha256-${script}`, 'the only script that runs is the one named')
  }))

test('without the option there is no page, and nobody is asked', async () => {
  const server = await TestServer.start()
  assert.equal((await ask(server, 'GET', PAGE)).status, 404)
  const asked = await server.anonymous().call('POST', `${V3}/register`, { username: 'a', password: 'b' })
  assert.deepEqual(asked.json.flows, [{ stages: ['m.login.dummy'] }])
  await server.close()
})

test('events are refused until the policy is agreed to', () =>
  withServer({ consent: { blockEventsError: 'Agree at %(consent_uri)s, 100%%.' } }, async (server) => {
    const alice = await server.user('alice')
    const refused = await alice.refused('403 M_CONSENT_NOT_GIVEN', 'POST', `${V3}/createRoom`, {})
    assert.equal(refused.error, `Agree at ${refused.consent_uri}, 100%.`)
    const uri = new URL(refused.consent_uri)
    assert.equal(uri.origin + uri.pathname, 'https://test.example/_matrix/consent')
    await alice.get(`${V3}/sync`)
    const page = await ask(server, 'GET', uri.pathname + uri.search)
    assert.ok(page.text.includes('the policy'))
    const fields = { u: uri.searchParams.get('u'), h: uri.searchParams.get('h') }
    assert.equal((await ask(server, 'POST', PAGE, fields)).status, 400, 'the version is missing')
    assert.equal((await ask(server, 'POST', PAGE, { ...fields, v: '8' })).status, 404)
    assert.equal((await ask(server, 'POST', PAGE, { ...fields, h: 'abcd', v: '1.0' })).status, 403)
    assert.equal((await ask(server, 'POST', PAGE, { v: '1.0' })).status, 400)
    assert.equal((await ask(server, 'POST', PAGE, { ...fields, v: '0.9' })).status, 200)
    await alice.refused('403 M_CONSENT_NOT_GIVEN', 'POST', `${V3}/createRoom`, {})
    const thanks = await ask(server, 'POST', PAGE, { ...fields, v: '1.0' })
    assert.equal(thanks.status, 200)
    assert.match(thanks.text, /Thank you/)
    assert.ok((await ask(server, 'GET', uri.pathname + uri.search)).text.includes('agreed'))
    const { room_id: room } = await alice.post(`${V3}/createRoom`, {})
    await alice.put(`${V3}/rooms/${room}/send/m.room.message/1`, { msgtype: 'm.text', body: 'x' })
    const bob = await server.user('bob')
    await alice.post(`${V3}/rooms/${room}/invite`, { user_id: bob.userId })
    await bob.refused('403 M_CONSENT_NOT_GIVEN', 'POST', `${V3}/rooms/${room}/join`, {})
    await bob.refused('403 M_CONSENT_NOT_GIVEN', 'POST', `${V3}/join/${room}`, {})
    const join = { membership: 'join' }
    const state = `${V3}/rooms/${room}/state/m.room.member/${bob.userId}`
    await bob.refused('403 M_CONSENT_NOT_GIVEN', 'PUT', state, join)
    const message = { msgtype: 'm.text', body: 'x' }
    const old = `${V3}/rooms/${room}/send/m.room.message`
    await bob.refused('403 M_CONSENT_NOT_GIVEN', 'POST', old, message)
    await bob.refused('403 M_CONSENT_NOT_GIVEN', 'PUT', `${V3}/rooms/${room}/state/m.room.topic/`, {})
    await bob.put(state, { membership: 'leave' })
  }))

test('the operator says thank you in their own words', () =>
  withServer({ consent: { success: parseTemplate('<p>merci</p>') } }, async (server) => {
    const alice = await server.user('alice')
    const form = { u: alice.userId, h: macOf(alice.userId), v: '1.0' }
    assert.equal((await ask(server, 'POST', PAGE, form)).text, '<p>merci</p>')
  }))

test('registration asks for agreement, and notes it', () =>
  withServer({ consent: { atRegistration: true, blockEventsError: 'no' } }, async (server) => {
    const client = server.anonymous()
    const wanted = { username: 'carol', password: 'a password' }
    const asked = await client.call('POST', `${V3}/register`, wanted)
    assert.equal(asked.status, 401)
    assert.deepEqual(asked.json.flows, [{ stages: ['m.login.dummy', 'm.login.terms'] }])
    const en = { name: 'Privacy Policy', url: 'https://test.example/_matrix/consent?v=1.0' }
    assert.deepEqual(asked.json.params['m.login.terms'], {
      policies: { privacy_policy: { version: '1.0', en } },
    })
    const { session } = asked.json
    const half = await client.call('POST', `${V3}/register`, { ...wanted, auth: { ...DUMMY, session } })
    assert.deepEqual(half.json.completed, ['m.login.dummy'])
    const auth = { type: 'm.login.terms', session }
    client.become(await client.post(`${V3}/register`, { ...wanted, auth }))
    await client.post(`${V3}/createRoom`, {})
    assert.equal((await server.store.usage.consent(client.userId))?.version, '1.0')
  }))

const FALLBACK = (type: string, session: string): string =>
  `${V3}/auth/${type}/fallback/web?session=${encodeURIComponent(session)}`

test('stages as pages, for clients that do not know them', () =>
  withServer({ consent: { atRegistration: true, policyName: 'A <b> & C' } }, async (server) => {
    const client = server.anonymous()
    const wanted = { username: 'dora', password: 'a password' }
    const { session } = (await client.call('POST', `${V3}/register`, wanted)).json
    for (const type of ['m.login.dummy', 'm.login.terms']) {
      const page = await ask(server, 'GET', FALLBACK(type, session))
      assert.equal(page.status, 200)
      assert.ok(page.text.includes('<form method="post">') && !page.text.includes('<b>'), page.text)
      const done = await ask(server, 'POST', FALLBACK(type, session), {})
      assert.equal(done.status, 200)
      assert.ok(done.text.includes(`<script>${DONE_SCRIPT}</script>`))
      assert.equal((await ask(server, 'POST', FALLBACK(type, session), {})).status, 200, 'twice is once')
    }
    client.become(await client.post(`${V3}/register`, { ...wanted, auth: { session } }))
    assert.equal((await server.store.usage.consent(client.userId))?.version, '1.0')
    const gone = await ask(server, 'GET', FALLBACK('m.login.dummy', session))
    assert.equal(gone.status, 400)
    assert.equal((await ask(server, 'POST', FALLBACK('m.login.dummy', 'x'), {})).status, 400)
    assert.equal((await ask(server, 'GET', FALLBACK('m.login.password', session))).status, 404)
    assert.equal((await ask(server, 'GET', `${V3}/auth/m.login.dummy/fallback/web`)).status, 400)
  }))

test('the page of a registration token judges it', async () => {
  const server = await TestServer.start({
    configure: (options) => ({
      ...options,
      accounts: {
        ...options.accounts,
        registration: { ...options.accounts.registration, requiresToken: true },
      },
    }),
  })
  const op = {
    op: 'registration_token.put',
    token: 'welcome',
    usesAllowed: 1,
    expiresTs: null,
    admin: false,
  } as const
  await server.store.commit({ lane: 'x', ops: [op] })
  const client = server.anonymous()
  const wanted = { username: 'erna', password: 'a password' }
  const { session } = (await client.call('POST', `${V3}/register`, wanted)).json
  const url = FALLBACK('m.login.registration_token', session)
  assert.equal((await ask(server, 'GET', url)).status, 200)
  const wrong = await ask(server, 'POST', url, { token: '<i>wrong' })
  assert.equal(wrong.status, 401)
  assert.match(wrong.text, /not valid/)
  assert.equal((await ask(server, 'POST', url, {})).status, 401)
  assert.equal((await ask(server, 'POST', url, { token: 'welcome' })).status, 200)
  await client.post(`${V3}/register`, { ...wanted, auth: { ...DUMMY, session } })
  await server.close()
})

test('adv-68: a stage that was done on its page counts only where it is offered', () =>
  withServer({ consent: {} }, async (server) => {
    const alice = await server.user('alice')
    const asked = await alice.call('POST', `${V3}/account/deactivate`, {})
    assert.equal(asked.status, 401)
    const { session } = asked.json
    assert.equal((await ask(server, 'POST', FALLBACK('m.login.dummy', session), {})).status, 200)
    const again = await alice.call('POST', `${V3}/account/deactivate`, { auth: { session } })
    assert.equal(again.status, 401)
  }))

const ROOM = `${V3}/rooms/:roomId`

test('every route that syncs or writes events says so, and is guarded in all its forms', async () => {
  const server = await TestServer.start()
  const guarded = server.assembled.routes.filter(({ use }) => use !== undefined)
  assert.deepEqual(
    guarded.map(({ use, method, path }) => `${use} ${method} ${path}`).sort(),
    [
      `sync GET ${V3}/sync`,
      'sync POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync',
      'sync POST /_matrix/client/v4/sync',
      `join POST ${V3}/join/:roomIdOrAlias`,
      `join POST ${ROOM}/join`,
      `event POST ${V3}/createRoom`,
      `event POST ${V3}/knock/:roomIdOrAlias`,
      ...['invite', 'kick', 'ban', 'unban', 'upgrade'].map((deed) => `event POST ${ROOM}/${deed}`),
      `event POST ${ROOM}/send/:eventType`,
      `event PUT ${ROOM}/send/:eventType/:txnId`,
      `event PUT ${ROOM}/redact/:eventId/:txnId`,
      `event PUT ${ROOM}/state/:eventType`,
      `event PUT ${ROOM}/state/:eventType/`,
      `event PUT ${ROOM}/state/:eventType/:stateKey`,
    ].sort(),
  )
  await server.close()
})
