/** §2.11 Ratelimiting: each `rc_*` of the configuration, set low, holds back what it names and nothing else. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { loadConfig } from '#/app/config/load.ts'
import { memoryFiles } from '#/app/config/memory-files.ts'
import { configuredRates } from '#/app/rate-limits.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import { realWorld } from '#/base/world.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { RateLimiter, unlimited } from '#/http/rate-limiter.ts'
import type { Answer, ApiClient, Json } from '../support/api-client.ts'
import { createRoom, inRoom, roomOf, say, sync, V3 } from '../support/room-calls.ts'
import { TestServer } from '../support/test-server.ts'

/** The n-th of a kind of actions. Preparations are made before any limit holds. */
type Act = (n: number) => Promise<Answer>

interface Probe {
  /** `user` gives an account of the probe's own, the same for the same name in every test. */
  readonly prepare: (user: (name: string) => Promise<ApiClient>) => Promise<Act>
  /** Other limits that hold it back by right. */
  readonly under?: readonly string[]
}

/** Actions of each kind that are prepared. */
const ACTS = 2

let limits: RateLimits<LimitName> = unlimited
let server: TestServer
before(async () => {
  server = await TestServer.start({
    limits: {
      take: (name, key, options) => limits.take(name, key, options),
      record: (name, key, cost) => limits.record(name, key, cost),
    },
  })
})
after(() => server.close())

const accounts = new Map<string, Promise<ApiClient>>()

const userOf = (probe: string) => (name: string) => {
  const key = `${probe} ${name}`
  const known = accounts.get(key) ?? server.user(name)
  accounts.set(key, known)
  return known
}

const times = <T>(make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: ACTS }, (_, i) => make(i)))

const login = (user: string, password = 'a password') => {
  const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password }
  return server.anonymous().call('POST', `${V3}/login`, body)
}

const inviting = (who: ApiClient, room: string, user: ApiClient): Promise<Answer> =>
  who.call('POST', inRoom(room, 'invite'), { user_id: user.userId })

/** What each limit holds back, keyed as in the configuration. */
const PROBES: Readonly<Record<string, Probe>> = {
  rc_message: {
    async prepare(user) {
      const alice = await user('alice')
      const room = await createRoom(alice)
      return (n) => alice.call('PUT', inRoom(room, 'send', 'm.room.message', `t${n}`), { body: 'x' })
    },
  },
  'rc_message (state)': {
    async prepare(user) {
      const alice = await user('alice')
      const room = await createRoom(alice)
      return (n) => alice.call('PUT', inRoom(room, 'state', 'm.room.topic', ''), { topic: `${n}` })
    },
    under: ['rc_message'],
  },
  'rc_message (own redaction)': {
    async prepare(user) {
      const alice = await user('alice')
      const room = await createRoom(alice)
      const said = await times((i) => say(alice, room, `${i}`))
      return (n) => alice.call('PUT', inRoom(room, 'redact', said[n]!, 't'), {})
    },
    under: ['rc_message'],
  },
  'rc_message (ban)': {
    async prepare(user) {
      const alice = await user('alice')
      const room = await createRoom(alice)
      const users = await times((i) => user(`guest${i}`))
      return (n) => alice.call('POST', inRoom(room, 'ban'), { user_id: users[n]!.userId })
    },
    under: ['rc_message'],
  },
  rc_admin_redaction: {
    async prepare(user) {
      const [alice, bob] = [await user('alice'), await user('bob')]
      const room = await roomOf([alice, bob])
      const said = await times((i) => say(bob, room, `${i}`))
      return (n) => alice.call('PUT', inRoom(room, 'redact', said[n]!, 't'), {})
    },
    under: ['rc_message'],
  },
  'rc_presence.per_user': {
    async prepare(user) {
      const alice = await user('alice')
      const url = `${V3}/presence/${encodeURIComponent(alice.userId)}/status`
      return (n) => alice.call('PUT', url, { presence: 'online', status_msg: `${n}` })
    },
  },
  rc_registration: {
    async prepare() {
      const name = `r${Math.random()}`
      return (n) => {
        const body = { username: `${name}-${n}`, password: 'a password', auth: { type: 'm.login.dummy' } }
        return server.anonymous().call('POST', `${V3}/register`, body)
      }
    },
  },
  rc_registration_token_validity: {
    prepare: async () => () =>
      server
        .anonymous()
        .call('GET', '/_matrix/client/v1/register/m.login.registration_token/validity?token=x'),
  },
  'rc_login.address': {
    async prepare(user) {
      const users = await times((i) => user(`someone${i}`))
      return (n) => login(users[n]!.userId)
    },
  },
  'rc_login.account': {
    async prepare(user) {
      const alice = await user('alice')
      return () => login(alice.userId)
    },
    under: ['rc_login.address'],
  },
  'rc_login.failed_attempts': {
    async prepare(user) {
      const alice = await user('alice')
      return () => login(alice.userId, 'wrong')
    },
    under: ['rc_login.address'],
  },
  'rc_joins.local': {
    async prepare(user) {
      const [alice, bob] = [await user('alice'), await user('bob')]
      const rooms = await times(() => createRoom(alice, { preset: 'public_chat' }))
      return (n) => bob.call('POST', inRoom(rooms[n]!, 'join'), {})
    },
  },
  'rc_joins.local (state event)': {
    async prepare(user) {
      const [alice, bob] = [await user('alice'), await user('bob')]
      const rooms = await times(() => createRoom(alice, { preset: 'public_chat' }))
      return (n) =>
        bob.call('PUT', inRoom(rooms[n]!, 'state', 'm.room.member', bob.userId), { membership: 'join' })
    },
    under: ['rc_joins.local', 'rc_message'],
  },
  'rc_joins.local (knock as a state event)': {
    async prepare(user) {
      const [alice, bob] = [await user('alice'), await user('bob')]
      const knock = { type: 'm.room.join_rules', content: { join_rule: 'knock' } }
      const rooms = await times(() => createRoom(alice, { initial_state: [knock] }))
      return (n) =>
        bob.call('PUT', inRoom(rooms[n]!, 'state', 'm.room.member', bob.userId), { membership: 'knock' })
    },
    under: ['rc_joins.local', 'rc_message'],
  },
  rc_joins_per_room: {
    async prepare(user) {
      const alice = await user('alice')
      const room = await createRoom(alice, { preset: 'public_chat' })
      const users = await times((i) => user(`joiner${i}`))
      return (n) => users[n]!.call('POST', inRoom(room, 'join'), {})
    },
  },
  'rc_invites.per_room': {
    async prepare(user) {
      const [alice, bob] = [await user('alice'), await user('bob')]
      const room = await roomOf([alice, bob], { preset: 'public_chat' })
      const users = await times((i) => user(`guest${i}`))
      return (n) => inviting([alice, bob][n]!, room, users[n]!)
    },
  },
  'rc_invites.per_user': {
    async prepare(user) {
      const [bob, hosts] = [await user('bob'), await times((i) => user(`host${i}`))]
      const rooms = await times((i) => createRoom(hosts[i]!))
      return (n) => inviting(hosts[n]!, rooms[n]!, bob)
    },
  },
  'rc_invites.per_issuer': {
    async prepare(user) {
      const alice = await user('alice')
      const users = await times((i) => user(`guest${i}`))
      const rooms = await times(() => createRoom(alice))
      return (n) => inviting(alice, rooms[n]!, users[n]!)
    },
  },
  'rc_invites.per_issuer (state event)': {
    async prepare(user) {
      const alice = await user('alice')
      const users = await times((i) => user(`guest${i}`))
      const rooms = await times(() => createRoom(alice))
      return (n) => {
        const url = inRoom(rooms[n]!, 'state', 'm.room.member', users[n]!.userId)
        return alice.call('PUT', url, { membership: 'invite' })
      }
    },
    under: ['rc_invites.per_issuer', 'rc_message'],
  },
  'rc_invites.per_issuer (later)': {
    async prepare(user) {
      /* Of one's own each time: what is scheduled piles up. */
      const alice = await user(`alice${Math.floor(Math.random() * 1e9)}`)
      const users = await times((i) => user(`guest${i}`))
      const rooms = await times(() => createRoom(alice))
      return (n) => {
        const url = inRoom(rooms[n]!, 'state', 'm.room.member', users[n]!.userId)
        return alice.call('PUT', `${url}?org.matrix.msc4140.delay=60000`, { membership: 'invite' })
      }
    },
    under: ['rc_invites.per_issuer', 'rc_message'],
  },
  rc_delayed_event_mgmt: {
    async prepare(user) {
      const alice = await user('alice')
      const url = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events'
      return () => alice.call('GET', url)
    },
  },
  rc_reports: {
    async prepare(user) {
      const [alice, bob] = [await user('alice'), await user('bob')]
      return () => alice.call('POST', `${V3}/users/${encodeURIComponent(bob.userId)}/report`, { reason: 'x' })
    },
  },
  rc_room_creation: {
    async prepare(user) {
      const alice = await user('alice')
      return () => alice.call('POST', `${V3}/createRoom`, {})
    },
  },
  'rc_message (own name)': {
    async prepare(user) {
      const alice = await user('alice')
      return (n) =>
        alice.call('PUT', `${V3}/profile/${alice.userId}/displayname`, { displayname: `Alice ${n}` })
    },
    under: ['rc_message'],
  },
  rc_profile: {
    async prepare(user) {
      const [alice, bob] = [await user('alice'), await user('bob')]
      return (n) => alice.call('GET', `${V3}/profile/${bob.userId}${n === 0 ? '' : '/displayname'}`)
    },
  },
  'rc_profile (of nobody)': {
    async prepare(user) {
      const bob = await user('bob')
      return () => server.anonymous().call('GET', `${V3}/profile/${bob.userId}`)
    },
    under: ['rc_profile'],
  },
  rc_user_directory: {
    async prepare(user) {
      const alice = await user('alice')
      return () => alice.call('POST', `${V3}/user_directory/search`, { search_term: 'x' })
    },
  },
}

const FREE = { per_second: 10_000, burst_count: 10_000 }
const KEYS = Object.keys(PROBES).filter((key) => !key.includes(' '))

/** The configuration's limits: these as written, all others without effect. */
function configured(low: Readonly<Record<string, object>>): RateLimits<LimitName> {
  const written: Record<string, unknown> = {
    server_name: 'test.example',
    database: { name: 'sqlite3', args: { database: 'x.db' } },
  }
  for (const key of [...KEYS, 'rc_key_requests', 'rc_joins.remote']) {
    if (key === 'rc_admin_redaction' && !(key in low)) continue
    const [group = '', part] = key.split('.')
    const value = low[key] ?? FREE
    written[group] = part === undefined ? value : { ...(written[group] as object), [part]: value }
  }
  const files = memoryFiles({ '/work/homeserver.yaml': JSON.stringify(written) })
  const { config } = loadConfig(['homeserver.yaml'], files)
  assert.ok(config)
  return new RateLimiter(realWorld.clock, configuredRates(config.rateLimits))
}

for (const key of KEYS) {
  test(`§2.11 ${key} set to one holds back the second, and whatever has another limit goes on`, async () => {
    const prepared: [string, Act][] = []
    for (const [name, probe] of Object.entries(PROBES))
      prepared.push([name, await probe.prepare(userOf(name))])
    limits = configured({ [key]: { per_second: 0.001, burst_count: 1 } })
    try {
      for (const [name, act] of prepared) {
        const held = name === key || PROBES[name]?.under?.includes(key)
        const first = await act(0)
        assert.ok(held ? first.status <= 429 : first.status !== 429, `${name}: the first`)
        const { status, json, headers } = await act(1)
        assert.equal(status === 429, held ?? false, `${name}: ${status} ${JSON.stringify(json)}`)
        if (!held) continue
        assert.equal(json.errcode, 'M_LIMIT_EXCEEDED')
        assert.ok(json.retry_after_ms > 100_000, name)
        assert.ok(Number(headers['Retry-After']) > 100, name)
      }
    } finally {
      limits = unlimited
    }
  })
}

/** Runs with one limit set to one action. */
async function under(key: string, run: () => Promise<void>): Promise<void> {
  limits = configured({ [key]: { per_second: 0.001, burst_count: 1 } })
  try {
    await run()
  } finally {
    limits = unlimited
  }
}

test('§2.11 rc_presence.per_user set to one leaves out what a second sync says, without an error', async () => {
  const alice = await server.user('alice')
  await under('rc_presence.per_user', async () => {
    for (const set_presence of ['unavailable', 'online']) await sync(alice, { set_presence })
  })
  assert.equal(
    (await alice.get(`${V3}/presence/${encodeURIComponent(alice.userId)}/status`)).presence,
    'unavailable',
  )
})

test('§2.11 rc_key_requests set to one leaves out the second request for keys and nothing else', async () => {
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await under('rc_key_requests', async () => {
    for (const [n, type] of ['m.room_key_request', 'm.room_key_request', 'm.test', 'm.test'].entries()) {
      const content = { action: 'request', requesting_device_id: alice.deviceId, request_id: `${n}`, n }
      const messages = { [bob.userId]: { '*': content } }
      await alice.put(`${V3}/sendToDevice/${type}/${alice.txn()}`, { messages })
    }
  })
  const { events } = (await sync(bob)).to_device
  assert.deepEqual(
    events.map((event: Json) => event.content.n),
    [0, 2, 3],
  )
})

test('§2.11 who renews their own member event by joining again is not counted, nor is a join that fails', async () => {
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const room = await createRoom(alice, { preset: 'public_chat' })
  await under('rc_joins.local', async () => {
    for (let i = 0; i < 3; i++) await bob.post(inRoom(room, 'join'), { reason: `${i}` })
  })
  const closed = await createRoom(alice)
  await under('rc_joins_per_room', async () => {
    for (let i = 0; i < 2; i++) await bob.refused('403 M_FORBIDDEN', 'POST', inRoom(closed, 'join'), {})
  })
})
