import assert from 'node:assert/strict'
import { test } from 'node:test'
import { covers } from '../../support/covers.ts'
import { TestServer, V3 } from './test-server.ts'

covers(
  'GET /_matrix/client/v3/profile/{userId}',
  'GET /_matrix/client/v3/profile/{userId}/{keyName}',
  'PUT /_matrix/client/v3/profile/{userId}/{keyName}',
  'DELETE /_matrix/client/v3/profile/{userId}/{keyName}',
)

const ALICE = '@alice:home.test'
const PROFILE = `${V3}/profile/${ALICE}`

const put = (server: TestServer, token: string, key: string, value: unknown, status = 200) =>
  server.expect(status, 'PUT', `${PROFILE}/${key}`, { token, body: { [key]: value } })

test('names, avatars and fields of one’s own, readable by anyone', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  await put(server, token, 'displayname', 'Alice \u{1F469}')
  await put(server, token, 'avatar_url', 'mxc://home.test/abc')
  await put(server, token, 'm.tz', 'Europe/Vienna')
  await put(server, token, 'org.example.job', { title: ['cook', null, 1] })
  await put(server, token, 'org.example.nothing', null)
  const all = {
    displayname: 'Alice \u{1F469}',
    avatar_url: 'mxc://home.test/abc',
    'm.tz': 'Europe/Vienna',
    'org.example.job': { title: ['cook', null, 1] },
    'org.example.nothing': null,
  }
  assert.deepEqual(await server.expect(200, 'GET', PROFILE), all)
  for (const [key, value] of Object.entries(all)) {
    assert.deepEqual(await server.expect(200, 'GET', `${PROFILE}/${key}`), { [key]: value })
  }
  await server.expect(200, 'DELETE', `${PROFILE}/org.example.job`, { token })
  await server.refused(404, 'M_NOT_FOUND', 'GET', `${PROFILE}/org.example.job`)
  await server.expect(200, 'DELETE', `${PROFILE}/displayname`, { token })
  await server.refused(400, 'M_INVALID_PARAM', 'DELETE', `${V3}/profile/alice/displayname`, { token })
  assert.deepEqual(await server.expect(200, 'GET', `${PROFILE}/displayname`), {})
  await put(server, token, 'avatar_url', '')
  assert.deepEqual(Object.keys(await server.expect(200, 'GET', PROFILE)), ['m.tz', 'org.example.nothing'])
})

test('profiles that are not there', async () => {
  await using server = await TestServer.start()
  await server.refused(404, 'M_NOT_FOUND', 'GET', PROFILE)
  await server.refused(404, 'M_NOT_FOUND', 'GET', `${PROFILE}/displayname`)
  await server.refused(404, 'M_NOT_FOUND', 'GET', `${V3}/profile/@x:other.test`)
  await server.refused(400, 'M_INVALID_PARAM', 'GET', `${V3}/profile/alice`)
})

test('what a field may be', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const refused = (status: number, code: string, key: string, body: unknown) =>
    server.refused(status, code, 'PUT', `${PROFILE}/${encodeURIComponent(key)}`, { token, body })
  for (const value of [1, null, true, {}, ['x'], 'x'.repeat(257)]) {
    await refused(400, 'M_INVALID_PARAM', 'displayname', { displayname: value })
  }
  for (const value of [1, null, 'x'.repeat(1001)]) {
    await refused(400, 'M_INVALID_PARAM', 'avatar_url', { avatar_url: value })
  }
  for (const key of ['Upper', '1a', 'a b', 'ä', '.a', '__proto__']) {
    await refused(400, 'M_INVALID_PARAM', key, JSON.parse(`{${JSON.stringify(key)}: 1}`))
  }
  const long = `a.${'b'.repeat(254)}`
  await refused(400, 'M_KEY_TOO_LARGE', long, { [long]: 1 })
  await put(server, token, long.slice(0, 255), 1)
  await refused(400, 'M_MISSING_PARAM', 'm.tz', {})
  await refused(400, 'M_MISSING_PARAM', 'm.tz', { displayname: 'x' })
  await refused(400, 'M_MISSING_PARAM', 'constructor', {})
  await refused(400, 'M_BAD_JSON', 'm.tz', ['x'])
  await refused(400, 'M_BAD_JSON', 'org.example.float', { 'org.example.float': 1.5 })
  await put(server, token, 'displayname', '\u{1F469}'.repeat(256))
})

test('adv-34: a profile stays below 64 KiB, to the byte', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice', 'wordpass')
  await server.expect(200, 'DELETE', `${PROFILE}/displayname`, { token })
  const room = 65_536 - '{"org.example.a":""}'.length
  const refused = await server.call('PUT', `${PROFILE}/org.example.a`, {
    token,
    body: { 'org.example.a': 'x'.repeat(room) },
  })
  assert.equal(refused.status, 400)
  assert.equal(refused.body.errcode, 'M_PROFILE_TOO_LARGE')
  await put(server, token, 'org.example.a', 'x'.repeat(room - 1))
  const more = { token, body: { 'm.tz': 'UTC' } }
  await server.refused(400, 'M_PROFILE_TOO_LARGE', 'PUT', `${PROFILE}/m.tz`, more)
  await server.expect(200, 'DELETE', `${PROFILE}/org.example.a`, { token })
  await server.expect(200, 'PUT', `${PROFILE}/m.tz`, more)
})

test('nobody writes the profile of another but an administrator', async () => {
  await using server = await TestServer.start()
  const alice = await server.register('alice')
  const bob = await server.register('bob')
  const body = { displayname: 'Other' }
  await server.refused(401, 'M_MISSING_TOKEN', 'PUT', `${PROFILE}/displayname`, { body })
  await server.refused(403, 'M_FORBIDDEN', 'PUT', `${PROFILE}/displayname`, { token: bob.access_token, body })
  await server.refused(403, 'M_FORBIDDEN', 'DELETE', `${PROFILE}/displayname`, { token: bob.access_token })
  await server.commit({ op: 'account.flags', user: '@bob:home.test', admin: true })
  server.accounts.services.sessions.forgetUser('@bob:home.test')
  await server.expect(200, 'PUT', `${PROFILE}/displayname`, { token: bob.access_token, body })
  assert.deepEqual(await server.expect(200, 'GET', PROFILE), body)
  await server.refused(404, 'M_NOT_FOUND', 'PUT', `${V3}/profile/@nobody:home.test/displayname`, {
    token: bob.access_token,
    body,
  })
  await server.expect(200, 'PUT', `${PROFILE}/displayname`, { token: alice.access_token, body })
})

test('a name that may be set once: M_FORBIDDEN afterwards', async () => {
  await using server = await TestServer.start({ profile: { setDisplayname: false, setAvatarUrl: false } })
  const { access_token: token } = await server.register('alice')
  await put(server, token, 'avatar_url', 'mxc://a/b')
  for (const [key, value] of [
    ['displayname', 'New'],
    ['avatar_url', 'mxc://a/c'],
  ] as const) {
    const body = { [key]: value }
    await server.refused(403, 'M_FORBIDDEN', 'PUT', `${PROFILE}/${key}`, { token, body })
    await server.refused(403, 'M_FORBIDDEN', 'DELETE', `${PROFILE}/${key}`, { token })
  }
  await put(server, token, 'm.tz', 'UTC')
})

test('changes of name and avatar are told, in the plan and after it; others and repetitions are not', async () => {
  const heard: string[] = []
  await using server = await TestServer.start({
    hooks: {
      profileOps: (userId, now) => [{ op: 'job.put', kind: 'spread', key: userId, dueTs: now, data: '{}' }],
      onProfileChanged: (userId) => heard.push(userId),
    },
  })
  const { access_token: token } = await server.register('alice')
  await put(server, token, 'm.tz', 'UTC')
  await put(server, token, 'displayname', 'alice')
  assert.deepEqual(heard, [])
  assert.deepEqual(await server.store.jobs.due(server.now(), 10), [])
  await put(server, token, 'displayname', 'Alice')
  await put(server, token, 'displayname', 'Alice')
  assert.deepEqual(heard, [ALICE])
  assert.deepEqual(
    (await server.store.jobs.due(server.now(), 10)).map(({ key }) => key),
    [ALICE],
  )
  await put(server, token, 'avatar_url', 'mxc://a/b')
  assert.deepEqual(heard, [ALICE, ALICE])
  const members = await server.accounts.profileMembers(
    ALICE as Parameters<typeof server.accounts.profileMembers>[0],
  )
  assert.deepEqual(members, { displayname: 'Alice', avatar_url: 'mxc://a/b' })
})

test('fields that are written at once are all kept', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const keys = Array.from({ length: 20 }, (_, n) => `org.example.k${n}`)
  await Promise.all(keys.map((key) => put(server, token, key, key)))
  const all = await server.expect(200, 'GET', PROFILE)
  for (const key of keys) assert.equal(all[key], key)
})
