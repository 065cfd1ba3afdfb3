/**
 * What holds for every route that is served, tried on each of them from the route table: tokens, guests,
 * administrators, paths, queries and bodies that cannot be read.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  BODY_BYTES_ANONYMOUS,
  PATH_PARAM_CHARS_MAX,
  QUERY_CHARS_MAX,
  QUERY_PARAMS_MAX,
} from '#/http/limits.ts'
import type { Route } from '#/http/route.ts'
import type { ApiClient, Method } from '../support/api-client.ts'
import { TestServer } from '../support/test-server.ts'
import { administrator } from './people/people.ts'

let server: TestServer
let routes: readonly Route[]
let nobody: ApiClient
let user: ApiClient
let guest: ApiClient
let admin: ApiClient
before(async () => {
  server = await TestServer.start()
  routes = server.assembled.routes
  nobody = server.anonymous()
  user = await server.user('user')
  guest = server.anonymous()
  guest.become(await guest.post('/_matrix/client/v3/register?kind=guest'))
  admin = await administrator(server)
})
after(() => server.close())

/** Values of path parameters that can be read. */
const READABLE: Readonly<Record<string, string>> = {
  roomId: '!nowhere',
  roomIdOrAlias: '!nowhere',
  roomAlias: '#nowhere:test.example',
  eventId: '$nothing',
  threadRoot: '$nothing',
  userId: '@nobody:test.example',
  kind: 'override',
  receiptType: 'm.read',
  relType: 'm.thread',
}

/** A path of a route with values that can be read, but for those that are given. */
function pathOf(path: string, values: Readonly<Record<string, string>> = {}): string {
  return path.replace(
    /:(\w+)/g,
    (_, name: string) => values[name] ?? encodeURIComponent(READABLE[name] ?? 'x'),
  )
}

const paths = (route: Route): readonly string[] => [route.path, ...(route.also ?? [])]
const namesOf = (path: string): string[] => [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!)
const open = ({ auth }: Route): boolean => auth === 'none' || auth === 'sharedSecret'
const takesJson = ({ body }: Route): boolean => body === 'event' || typeof body === 'object'

/** Who gets past the door of a route. */
const entitled = ({ auth }: Route): ApiClient => (auth === 'admin' ? admin : auth === 'guest' ? guest : user)

/** Tries something on routes, all of them before it complains, and on at least one. */
async function each(
  some: readonly Route[],
  run: (route: Route, path: string) => Promise<void>,
): Promise<void> {
  const wrong: string[] = []
  for (const route of some) {
    for (const path of paths(route)) {
      try {
        await run(route, path)
      } catch (error) {
        wrong.push(`${route.method} ${path}: ${(error as Error).message.slice(0, 300)}`)
      }
    }
  }
  assert.ok(some.length > 0)
  assert.deepEqual(wrong, [])
}

const refused = (
  who: ApiClient,
  expected: string,
  route: Route,
  url: string,
  body?: unknown,
): Promise<void> => who.refused(expected, route.method as Method, url, body)

test('adv-58 without a token nothing is served that does not say so', async () => {
  const closed = routes.filter((route) => !open(route) && route.auth !== 'optional')
  assert.ok(closed.length > routes.length / 2)
  await each(closed, (route, path) => refused(nobody, '401 M_MISSING_TOKEN', route, pathOf(path), {}))
})

test('a token that is none is refused, also where one could do without', async () => {
  const stranger = server.anonymous()
  stranger.token = 'made-up'
  await each(
    routes.filter((route) => !open(route)),
    (route, path) => refused(stranger, '401 M_UNKNOWN_TOKEN', route, pathOf(path), {}),
  )
})

test('guests are served what says so alone', async () => {
  await each(
    routes.filter(({ auth }) => auth === 'user'),
    (route, path) => refused(guest, '403 M_GUEST_ACCESS_FORBIDDEN', route, pathOf(path), {}),
  )
})

test('administration is for administrators alone', async () => {
  for (const who of [user, guest]) {
    await each(
      routes.filter(({ auth }) => auth === 'admin'),
      (route, path) => refused(who, '403 M_FORBIDDEN', route, pathOf(path), {}),
    )
  }
})

test('adv-34 a parameter of the path that is broken, has NUL or is too long', async () => {
  const withParams = routes.filter(({ path }) => path.includes(':'))
  const bad = ['%', '%ff', '%00', 'a%00b', '%ed%a0%80', 'x'.repeat(PATH_PARAM_CHARS_MAX + 1)]
  await each(withParams, async (route, path) => {
    for (const name of namesOf(path)) {
      for (const value of bad)
        await refused(entitled(route), '400 M_INVALID_PARAM', route, pathOf(path, { [name]: value }), {})
    }
  })
})

test('adv-34 a query that is broken, too long or has too many parts', async () => {
  const bad = [
    'a=%ff',
    'a=%00',
    '%=1',
    `a=${'x'.repeat(QUERY_CHARS_MAX)}`,
    'a=1&'.repeat(QUERY_PARAMS_MAX + 1),
  ]
  await each(
    routes.filter((route) => route.query !== undefined),
    async (route, path) => {
      for (const query of bad)
        await refused(entitled(route), '400 M_INVALID_PARAM', route, `${pathOf(path)}?${query}`, {})
    },
  )
})

test('adv-41 a body that is no JSON, or JSON that no event may hold', async () => {
  await each(routes.filter(takesJson), async (route, path) => {
    const url = pathOf(path)
    for (const text of ['{', 'null null', '{"a":NaN}', '{"a":Infinity}', '{a:1}', '\u0000'])
      await refused(entitled(route), '400 M_NOT_JSON', route, url, text)
    await refused(entitled(route), '400 M_NOT_JSON', route, url, Buffer.from('{"a":"\xff"}', 'latin1'))
    const deep = `{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`
    for (const text of ['[]', 'null', '7', '"text"', '{"a":1,"a":2}', '{"a":"\\ud800"}', deep])
      await refused(entitled(route), '400 M_BAD_JSON', route, url, text)
  })
})

test('adv-35 a body that is too large, or compressed', async () => {
  const large = Buffer.alloc(BODY_BYTES_ANONYMOUS + 1, 0x20)
  await each(
    routes.filter((route) => takesJson(route) && (open(route) || route.auth === 'optional')),
    (route, path) => refused(nobody, '413 M_TOO_LARGE', route, pathOf(path), large),
  )
  const zeros = Buffer.alloc(64, 0)
  await each(routes.filter(takesJson), async (route, path) => {
    const headers = { 'content-encoding': 'gzip' }
    const { status } = await entitled(route).call(route.method as Method, pathOf(path), zeros, { headers })
    assert.ok(status === 415 || status === 400, String(status))
  })
})

test('a path under another method is answered with 405', async () => {
  await each(routes, async (_, path) => {
    const { status, json } = await user.call('PATCH' as Method, pathOf(path), {})
    assert.equal(`${status} ${json.errcode}`, '405 M_UNRECOGNIZED')
  })
})

test('no bug was met', () => {
  assert.deepEqual(
    server.log.filter((line) => line.level === 'error'),
    [],
  )
})
