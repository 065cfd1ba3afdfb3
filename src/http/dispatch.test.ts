import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogLine, memoryLog } from '#/base/log.ts'
import { noMetrics } from '#/base/metrics.ts'
import { realWorld } from '#/base/world.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { createDispatch, type DispatchDeps, type DispatchRequest } from './dispatch.ts'
import { LIMITS } from './limit-names.ts'
import { BODY_BYTES_PER_TURN } from './limits.ts'
import { RateLimiter, unlimited } from './rate-limiter.ts'
import { content, jsonText, type Reply } from './reply.ts'
import type { Authenticator, Requester } from './requester.ts'
import { anyText, type Route, route } from './route.ts'
import { t } from './schema.ts'

const account = (name: string, more: Partial<Requester> = {}): Requester => ({
  userId: `@${name}:test` as UserId,
  deviceId: 'DEV',
  isGuest: false,
  isAdmin: false,
  appserviceId: undefined,
  sessionId: 1,
  rateLimit: 'normal',
  ...more,
})
const ACCOUNTS: Record<string, Requester> = {
  alice: account('alice'),
  guest: account('guest', { isGuest: true }),
  admin: account('admin', { isAdmin: true }),
  bridge: account('bridge', { rateLimit: 'exempt' }),
  slow: account('slow', { rateLimit: { perSecond: 0.001, burst: 1 } }),
}
const authenticate: Authenticator = {
  user(token) {
    const found = Object.hasOwn(ACCOUNTS, token) ? ACCOUNTS[token] : undefined
    if (found === undefined) {
      throw new MatrixError('M_UNKNOWN_TOKEN', 'Unknown access token.', { soft_logout: false })
    }
    return token === 'alice' ? found : Promise.resolve(found)
  },
  async server(request, content) {
    if (request.header('authorization') !== 'X-Matrix good')
      throw new MatrixError('M_UNAUTHORIZED', 'No signature.')
    assert.notEqual(content, null)
    return { origin: 'remote.test' as ServerName }
  },
}

const echo = (extra: Partial<Route> & Pick<Route, 'path'>): Route =>
  ({
    method: 'POST',
    spec: 'own',
    auth: 'none',
    limit: 'none',
    handle: ({
      who,
      params,
      query,
      body,
    }: {
      who: unknown
      params: unknown
      query: unknown
      body: unknown
    }) => ({
      who: (who as Requester | undefined)?.userId,
      params,
      query,
      body,
    }),
    ...extra,
  }) as unknown as Route

function server(routes: readonly Route[], deps: Partial<DispatchDeps> = {}) {
  const lines: LogLine[] = []
  let id = 0
  const dispatch = createDispatch({
    routes,
    authenticate,
    limiter: unlimited,
    log: memoryLog(lines),
    metrics: noMetrics,
    clock: realWorld.clock,
    ids: () => `r${++id}`,
    ...deps,
  })
  const call = async (method: string, url: string, body?: unknown, more: Partial<DispatchRequest> = {}) => {
    const reply = await dispatch({
      method,
      url,
      headers: {},
      remote: '192.0.2.1',
      signal: new AbortController().signal,
      body:
        body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      ...more,
    })
    return { status: reply.status, headers: reply.headers, reply, json: parsed(reply) }
  }
  const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  return { call, as, lines }
}

const parsed = (reply: Reply): Record<string, unknown> =>
  typeof reply.body === 'string' && reply.body.startsWith('{') ? JSON.parse(reply.body) : {}

test('unknown path 404, wrong method 405, both M_UNRECOGNIZED with CORS headers', async () => {
  const { call } = server([echo({ path: '/a/:x' }), echo({ path: '/a/:x', method: 'GET' })])
  const unknown = await call('GET', '/nothing')
  assert.equal(unknown.status, 404)
  assert.equal(unknown.json['errcode'], 'M_UNRECOGNIZED')
  const wrong = await call('DELETE', '/a/b')
  assert.equal(wrong.status, 405)
  assert.equal(wrong.json['errcode'], 'M_UNRECOGNIZED')
  assert.equal(wrong.headers['Allow'], 'POST, GET, OPTIONS')
  for (const answer of [unknown, wrong, await call('POST', '/a/b')]) {
    assert.equal(answer.headers['Access-Control-Allow-Origin'], '*')
    assert.match(answer.headers['Access-Control-Allow-Headers'] ?? '', /Authorization/)
    assert.match(answer.headers['Access-Control-Allow-Methods'] ?? '', /PUT/)
  }
  const preflight = await call('OPTIONS', '/a/b')
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers['Access-Control-Allow-Origin'], '*')
  assert.equal((await call('HEAD', '/a/b')).status, 200, 'HEAD is GET without the body')
  assert.equal((await call('BREW', '/a/b')).status, 405)
})

test('targets in absolute form, with an escape in a literal, with a query', async () => {
  const { call } = server([echo({ path: '/a/:x', query: t.object({ q: t.opt(t.text()) }) })])
  assert.equal((await call('POST', 'http://host/a/b')).status, 200)
  assert.deepEqual((await call('POST', '/%61/b?q=%3F%2F')).json['query'], { q: '?/' })
})

test('path parameters: decoded once, long, empty only for parsers, broken ones 400', async () => {
  const { call } = server([
    echo({
      path: '/rooms/:roomId/x/:key',
      params: { roomId: parseRoomId, key: anyText },
      also: ['/rooms/:roomId/x'],
    }),
    echo({ path: '/plain/:text' }),
  ])
  const room = `!${'é'.repeat(100)}:test`
  const ok = await call('POST', `/rooms/${encodeURIComponent(room)}/x/a%2Fb%3Ac%252F`)
  assert.deepEqual(ok.json['params'], { roomId: room, key: 'a/b:c%2F' })
  assert.deepEqual((await call('POST', '/rooms/!a:b/x/')).json['params'], { roomId: '!a:b', key: '' })
  assert.deepEqual(
    (await call('POST', '/rooms/!a:b/x')).json['params'],
    { roomId: '!a:b', key: '' },
    'an alias',
  )
  const long = '%21'.repeat(300)
  assert.deepEqual((await call('POST', `/plain/${long}`)).json['params'], { text: '!'.repeat(300) })
  for (const bad of [
    '/plain/%',
    '/plain/%zz',
    '/plain/%ff',
    '/plain/%00',
    '/plain/',
    `/plain/${'x'.repeat(2000)}`,
  ]) {
    const refused = await call('POST', bad)
    assert.equal(refused.status, 400, bad)
    assert.equal(refused.json['errcode'], 'M_INVALID_PARAM', bad)
  }
  assert.equal((await call('POST', '/rooms/nonsense/x/y')).status, 400)
})

test('access tokens: header before query, missing, unknown, of another kind', async () => {
  const { call, as } = server([echo({ path: '/u', auth: 'user' })])
  assert.equal((await call('POST', '/u', undefined, as('alice'))).json['who'], '@alice:test')
  assert.equal(
    (await call('POST', '/u', undefined, { headers: { authorization: 'bearer admin' } })).json['who'],
    '@admin:test',
  )
  assert.equal((await call('POST', '/u?access_token=admin')).json['who'], '@admin:test')
  assert.equal(
    (await call('POST', '/u?access_token=admin', undefined, as('alice'))).json['who'],
    '@alice:test',
  )
  const missing = await call('POST', '/u')
  assert.deepEqual([missing.status, missing.json['errcode']], [401, 'M_MISSING_TOKEN'])
  const unknown = await call('POST', '/u?access_token=__proto__')
  assert.deepEqual(
    [unknown.status, unknown.json['errcode'], unknown.json['soft_logout']],
    [401, 'M_UNKNOWN_TOKEN', false],
  )
  for (const authorization of [
    'Basic eDp5',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    `Bearer ${'x'.repeat(3000)}`,
  ]) {
    assert.equal(
      (await call('POST', '/u', undefined, { headers: { authorization } })).json['errcode'],
      'M_MISSING_TOKEN',
    )
  }
})

test('adv-58: each kind of auth admits whom it says and nobody else', async () => {
  const kinds = ['none', 'user', 'guest', 'optional', 'admin', 'server'] as const
  const { call, as } = server(kinds.map((auth) => echo({ path: `/${auth}`, auth })))
  const callers = {
    nobody: {},
    alice: as('alice'),
    guest: as('guest'),
    admin: as('admin'),
    wrong: as('wrong'),
  }
  const table: Record<string, string> = {}
  for (const kind of kinds) {
    const statuses: number[] = []
    for (const more of Object.values(callers))
      statuses.push((await call('POST', `/${kind}`, undefined, more)).status)
    table[kind] = statuses.join(' ')
  }
  assert.deepEqual(table, {
    none: '200 200 200 200 200',
    user: '401 200 403 200 401',
    guest: '401 200 200 200 401',
    optional: '200 200 200 200 401',
    admin: '401 403 403 200 401',
    server: '401 401 401 401 401',
  })
  const signed = { headers: { authorization: 'X-Matrix good' } }
  assert.equal((await call('POST', '/server', { a: 1.5 }, signed)).status, 200)
  assert.equal((await call('POST', '/server', '{', signed)).json['errcode'], 'M_NOT_JSON')
})

test('bodies: schema, event, bytes, stream, none', async () => {
  const collect = route({
    method: 'POST',
    path: '/stream',
    spec: 'own',
    auth: 'none',
    limit: 'none',
    body: 'stream',
    bodyBytesMax: 10,
    async handle({ body }) {
      let size = 0
      for await (const chunk of body) size += chunk.byteLength
      return { size }
    },
  })
  const { call } = server([
    echo({ path: '/schema', body: t.object({ a: t.int() }) }),
    echo({ path: '/opt', body: t.object({ a: t.opt(t.number) }), emptyBody: true }),
    echo({ path: '/strict', body: t.object({ a: t.number }), strictJson: true }),
    echo({ path: '/event', body: 'event' }),
    echo({ path: '/bytes', body: 'bytes' }),
    echo({ path: '/nothing' }),
    collect,
  ])
  assert.deepEqual((await call('POST', '/schema', { a: 1, b: 2 })).json['body'], { a: 1, b: 2 })
  assert.equal((await call('POST', '/schema', '{a')).json['errcode'], 'M_NOT_JSON')
  assert.equal((await call('POST', '/schema', '')).json['errcode'], 'M_NOT_JSON')
  assert.equal((await call('POST', '/schema', '[]')).json['errcode'], 'M_BAD_JSON')
  assert.equal((await call('POST', '/schema', { a: 'x' })).json['errcode'], 'M_BAD_JSON')
  assert.equal((await call('POST', '/schema', {})).json['errcode'], 'M_MISSING_PARAM')
  assert.deepEqual((await call('POST', '/opt')).json['body'], {})
  assert.deepEqual((await call('POST', '/opt', { a: 0.5 })).json['body'], { a: 0.5 })
  assert.equal((await call('POST', '/strict', { a: 0.5 })).json['errcode'], 'M_BAD_JSON')
  assert.deepEqual((await call('POST', '/event', { msgtype: 'm.text' })).json['body'], { msgtype: 'm.text' })
  for (const bad of ['{"a":1.5}', '{"a":1,"a":1}', '"x"']) {
    assert.equal((await call('POST', '/event', bad)).json['errcode'], 'M_BAD_JSON', bad)
  }
  assert.deepEqual(Object.keys((await call('POST', '/bytes', 'ab')).json['body'] as object).length > 0, true)
  assert.equal((await call('POST', '/nothing', 'not json at all')).status, 200)
  assert.deepEqual((await call('POST', '/stream', 'x'.repeat(10))).json, { size: 10 })
  assert.equal((await call('POST', '/stream', 'x'.repeat(11))).status, 413)
})

test("adv-35: the limit is the route's, and a stranger's body is not read at all", async () => {
  let reads = 0
  const body = {
    async read(limit: number) {
      reads++
      assert.equal(limit, 100)
      return Buffer.from('{}')
    },
    stream: () => assert.fail(),
  }
  const { call, as } = server([echo({ path: '/u', auth: 'user', body: t.json, bodyBytesMax: 100 })])
  assert.equal((await call('POST', '/u', undefined, { body })).status, 401)
  assert.equal((await call('POST', '/u', undefined, { body, ...as('guest') })).status, 403)
  assert.equal(reads, 0)
  assert.equal((await call('POST', '/u', undefined, { body, ...as('alice') })).status, 200)
  assert.equal(reads, 1)
  const large = await call('POST', '/u', 'x'.repeat(101), as('alice'))
  assert.deepEqual([large.status, large.json['errcode']], [413, 'M_TOO_LARGE'])
})

test('adv-43: compressed bodies are refused unread', async () => {
  const { call } = server([echo({ path: '/e', body: 'event' })])
  assert.equal((await call('POST', '/e', '{}', { headers: { 'content-encoding': 'gzip' } })).status, 415)
  assert.equal((await call('POST', '/e', '{}', { headers: { 'content-encoding': 'identity' } })).status, 200)
})

test('a __proto__ key is an ordinary key', async () => {
  const { call } = server([
    route({
      method: 'POST',
      path: '/p',
      spec: 'own',
      auth: 'none',
      limit: 'none',
      body: t.object({ admin: t.opt(t.bool) }),
      handle: ({ body }) => ({
        admin: body.admin === true,
        plain: Object.getPrototypeOf(body) === Object.prototype,
        body,
      }),
    }),
  ])
  const answer = await call('POST', '/p', '{"__proto__":{"admin":true},"constructor":1}')
  assert.equal(answer.status, 200)
  assert.equal(answer.json['admin'], false)
  assert.equal(answer.json['plain'], true)
  assert.equal(
    answer.reply.body,
    '{"admin":false,"plain":true,"body":{"__proto__":{"admin":true},"constructor":1}}',
  )
  assert.equal(({} as { admin?: boolean }).admin, undefined)
})

test('rate limits: by user or address, 429 with retry_after_ms and Retry-After, own rates', async () => {
  const state = { ms: 0 }
  const clock = { ...realWorld.clock, monotonic: () => state.ms }
  const limiter = new RateLimiter(clock, LIMITS)
  const { call, as } = server(
    [
      echo({ path: '/send', auth: 'user', limit: 'rc_message' }),
      echo({ path: '/register', limit: 'rc_registration' }),
    ],
    { limiter, clock },
  )
  for (let i = 0; i < 10; i++) assert.equal((await call('POST', '/send', undefined, as('alice'))).status, 200)
  const refused = await call('POST', '/send', undefined, as('alice'))
  assert.equal(refused.status, 429)
  assert.equal(refused.json['errcode'], 'M_LIMIT_EXCEEDED')
  assert.equal(refused.json['retry_after_ms'], 5000)
  assert.equal(refused.headers['Retry-After'], '5')
  assert.equal(refused.headers['Access-Control-Allow-Origin'], '*')
  assert.equal((await call('POST', '/send', undefined, as('admin'))).status, 200)
  for (let i = 0; i < 30; i++)
    assert.equal((await call('POST', '/send', undefined, as('bridge'))).status, 200)
  assert.equal((await call('POST', '/send', undefined, as('slow'))).status, 200)
  assert.equal((await call('POST', '/send', undefined, as('slow'))).json['retry_after_ms'], 1_000_000)
  const from = (remote: string) => call('POST', '/register', undefined, { remote })
  for (let i = 0; i < 3; i++) assert.equal((await from(`2001:db8::${i}`)).status, 200)
  assert.equal((await from('2001:db8::ffff')).status, 429, 'one /64 is one address')
  assert.equal((await from('192.0.2.9')).status, 200)
})

test('errors: refusals with extra fields and own statuses, bugs without detail', async () => {
  class StoreFull extends Error {}
  const failing = (path: string, error: unknown, more: Partial<Route> = {}) =>
    echo({ path, ...more, handle: () => Promise.reject(error) })
  const { call, lines } = server(
    [
      failing('/extra', new MatrixError('M_WRONG_ROOM_KEYS_VERSION', 'Old.', { current_version: '7' })),
      failing('/own', new MatrixError('M_NOT_FOUND', 'No.'), { statuses: { M_NOT_FOUND: 400 } }),
      failing('/bug', new Error('secret detail')),
      failing('/odd', undefined),
      failing('/full', new StoreFull('disk')),
    ],
    {
      explain: (error) =>
        error instanceof StoreFull ? new MatrixError('M_UNKNOWN', 'Cannot write now.') : undefined,
    },
  )
  const extra = await call('POST', '/extra')
  assert.deepEqual(extra.json, { errcode: 'M_WRONG_ROOM_KEYS_VERSION', error: 'Old.', current_version: '7' })
  assert.equal((await call('POST', '/own')).status, 400)
  const bug = await call('POST', '/bug')
  assert.equal(bug.status, 500)
  assert.deepEqual(bug.json, { errcode: 'M_UNKNOWN', error: 'Internal server error (request r3).' })
  const line = lines.find((entry) => entry.level === 'error')!
  assert.equal((line.fields['error'] as Error).message, 'secret detail')
  assert.equal(line.fields['request'], 'r3')
  assert.equal((await call('POST', '/odd')).status, 500)
  assert.equal((await call('POST', '/full')).json['error'], 'Cannot write now.')
})

test('a handler that fails because the client has gone is no bug', async () => {
  const { call, lines } = server([
    echo({
      path: '/wait',
      handle: (async ({ request }: { request: { signal: AbortSignal } }) => {
        await new Promise((_, reject) => {
          request.signal.addEventListener('abort', () => reject(request.signal.reason))
        })
        return {}
      }) as never,
    }),
  ])
  const gone = new AbortController()
  const answer = call('POST', '/wait', undefined, { signal: gone.signal })
  gone.abort()
  assert.equal((await answer).status, 499)
  assert.ok(!lines.some((line) => line.level === 'error'))
})

test('one line per request: template, status, user, id; never a token, body or query', async () => {
  const { call, as, lines } = server([
    echo({ path: '/rooms/:roomId/send', auth: 'user', body: 'event' }),
    echo({ path: '/probe', quiet: true }),
  ])
  await call('POST', '/rooms/!a:b/send?access_token=alice&x=hidden', { password: 'hunter2' })
  await call('POST', '/rooms/!a:b/send', { password: 'hunter2' }, as('alice'))
  await call('POST', '/rooms/!a:b/send?access_token=stolen', { password: 'hunter2' })
  await call('GET', '/nowhere?access_token=stolen')
  await call('POST', '/probe')
  const text = JSON.stringify(lines)
  for (const secret of ['hidden', 'hunter2', 'stolen', 'access_token', 'Bearer', '!a:b']) {
    assert.ok(!text.includes(secret), secret)
  }
  assert.equal(lines.length, 5)
  assert.deepEqual(
    { ...lines[0]?.fields, ms: 0 },
    {
      request: 'r1',
      method: 'POST',
      route: '/rooms/:roomId/send',
      status: 200,
      ms: 0,
      from: '192.0.2.1',
      user: '@alice:test',
    },
  )
  assert.deepEqual(
    lines.map((line) => line.fields['status']),
    [200, 200, 401, 404, 200],
  )
  assert.equal(lines[4]?.level, 'debug')
})

test('replies of other kinds pass through', async () => {
  const { call } = server([
    echo({ path: '/text', handle: () => jsonText([Buffer.from('{"a":'), '1}']) }),
    echo({ path: '/png', handle: () => content(200, 'image/png', Buffer.from([1]), { ETag: '"x"' }) }),
  ])
  assert.deepEqual((await call('POST', '/text')).reply.body, [Buffer.from('{"a":'), '1}'])
  const png = await call('POST', '/png')
  assert.equal(png.headers['Content-Type'], 'image/png')
  assert.equal(png.headers['ETag'], '"x"')
  assert.equal(png.headers['Access-Control-Allow-Origin'], '*')
})

test('a bad table does not start', () => {
  const bad: [Partial<Route> & Pick<Route, 'path'>, RegExp][] = [
    [{ path: 'x' }, /starts with/],
    [{ path: '/x', limit: 'rc_nothing' as never }, /unknown limit/],
    [{ path: '/x', limit: 'toString' as never }, /unknown limit/],
    [{ path: '/x', limit: 'rc_message' }, /counts users/],
    [{ path: '/x', limit: 'rc_joins.local', auth: 'user' }, /counted by services/],
    [{ path: '/x', auth: 'anyone' as never }, /unknown auth/],
    [{ path: '/x', auth: undefined as never }, /unknown auth/],
    [{ path: '/x', method: 'HEAD' as never }, /unknown method/],
    [{ path: '/x/:a', params: { b: anyText } }, /no parameter b/],
    [{ path: '/x/:a', also: ['/y/:b'] }, /another parameter/],
    [
      { path: '/x', body: { type: 'object', properties: { a: { type: 'string' } } } as never },
      /without a length/,
    ],
    [{ path: '/x', query: t.json }, /object schema/],
  ]
  for (const [declared, why] of bad) assert.throws(() => server([echo(declared)]), why)
  assert.throws(
    () => server([echo({ path: '/x/:a' }), echo({ path: '/y', also: ['/x/:b'] })]),
    /another parameter/,
  )
  assert.throws(() => server([echo({ path: '/x/:a' }), echo({ path: '/x/:b' })]), /declared twice/)
})

test('a large body is read in a turn of the event loop of its own', async () => {
  let turns = 0
  const defer = (fn: () => void): void => {
    turns++
    realWorld.clock.defer(fn)
  }
  const routes = [echo({ path: '/u', auth: 'user', body: t.json })]
  const { call, as } = server(routes, { clock: { ...realWorld.clock, defer } })
  const turnsFor = async (bytes: number): Promise<number> => {
    turns = 0
    const { status } = await call('POST', '/u', `{"a":"${'x'.repeat(bytes)}"}`, as('alice'))
    assert.equal(status, 200)
    return turns
  }
  assert.equal(await turnsFor(100), 0)
  assert.equal(await turnsFor(BODY_BYTES_PER_TURN), 2)
})
