/** `hs_disabled`, and the limit on monthly active users. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coversPart } from '../../support/covers.ts'
import { ShiftedWorld } from '../../support/shifted-world.ts'
import { TestServer } from '../../support/test-server.ts'
import { withUsage } from '../../support/usage-options.ts'

coversPart('POST /_matrix/client/v3/login', 'POST /_matrix/client/v3/register', 'GET /_matrix/client/v3/sync')

const V3 = '/_matrix/client/v3'
const SYNC = `${V3}/sync`
const LIMITED = '403 M_RESOURCE_LIMIT_EXCEEDED'
const DAY = 24 * 3_600_000
const password = (user: string) => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user },
  password: 'a password',
})

async function withServer(
  usage: NonNullable<Parameters<typeof withUsage>[0]['usage']>,
  run: (server: TestServer, world: ShiftedWorld) => Promise<void>,
): Promise<void> {
  const world = new ShiftedWorld()
  const server = await TestServer.start({ world, configure: withUsage({ usage }) })
  try {
    await run(server, world)
  } finally {
    await server.close()
  }
}

test('a server that is closed lets nobody in', async () => {
  let disabled = false
  const world = new ShiftedWorld()
  const options = { disabledMessage: 'Closed for the winter.', adminContact: 'mailto:a@test.example' }
  const server = await TestServer.start({
    world,
    configure: (plain) => withUsage({ usage: { ...options, disabled } })(plain),
  })
  const alice = await server.user('alice')
  const { room_id: room } = await alice.post(`${V3}/createRoom`, {})
  disabled = true
  await server.restart()
  const refusal = await alice.refused(LIMITED, 'GET', SYNC)
  assert.equal(refusal.error, options.disabledMessage)
  assert.equal(refusal.admin_contact, options.adminContact)
  assert.equal(refusal.limit_type, 'hs_disabled')
  const send = `${V3}/rooms/${room}/send/m.room.message/1`
  await alice.refused(LIMITED, 'PUT', send, { msgtype: 'm.text', body: 'x' })
  await alice.refused(LIMITED, 'POST', `${V3}/createRoom`, {})
  await alice.refused(LIMITED, 'POST', '/_matrix/client/v4/sync', {})
  await alice.refused(LIMITED, 'POST', `${V3}/login`, password(alice.userId))
  const register = { username: 'new', password: 'a password', auth: { type: 'm.login.dummy' } }
  await server.anonymous().refused(LIMITED, 'POST', `${V3}/register`, register)
  await server.anonymous().refused(LIMITED, 'POST', `${V3}/register?kind=guest`, {})
  await alice.get(`${V3}/account/whoami`)
  await alice.post(`${V3}/logout`)
  await server.close()
})

test('above the limit nobody new is let in, and who counts goes on', () =>
  withServer({ monthlyMost: 2 }, async (server) => {
    const [a, b, c] = [await server.user('a'), await server.user('b'), await server.user('c')]
    await a.get(SYNC)
    await b.post(`${V3}/createRoom`, {})
    const refusal = await c.refused(LIMITED, 'GET', SYNC)
    assert.equal(refusal.limit_type, 'monthly_active_user')
    assert.equal(refusal.admin_contact, undefined)
    await c.refused(LIMITED, 'POST', `${V3}/createRoom`, {})
    await c.refused(LIMITED, 'POST', `${V3}/login`, password(c.userId))
    await a.get(SYNC)
    await b.get(SYNC)
    await server.device(a)
    const register = { username: 'new', password: 'a password', auth: { type: 'm.login.dummy' } }
    await server.anonymous().refused(LIMITED, 'POST', `${V3}/register`, register)
    await server.anonymous().refused(LIMITED, 'POST', `${V3}/register?kind=guest`, {})
    assert.equal(await server.store.usage.monthlyCount(0), 2)
    await server.restart()
    await c.refused(LIMITED, 'GET', SYNC)
    await a.get(SYNC)
  }))

test('whoever was not active for thirty days makes room', () =>
  withServer({ monthlyMost: 1 }, async (server, world) => {
    const [a, b] = [await server.user('a'), await server.user('b')]
    await a.get(SYNC)
    await b.refused(LIMITED, 'GET', SYNC)
    world.pass(29 * DAY)
    await b.refused(LIMITED, 'GET', SYNC)
    world.pass(2 * DAY)
    await b.get(SYNC)
    await a.refused(LIMITED, 'GET', SYNC)
  }))

test('activity is noted once in an hour, not with every request', () =>
  withServer({ countsOnly: true }, async (server, world) => {
    const a = await server.user('a')
    await a.get(SYNC)
    const first = await server.store.usage.monthly(a.userId)
    world.pass(30 * 60_000)
    await a.get(SYNC)
    assert.equal(await server.store.usage.monthly(a.userId), first)
    world.pass(31 * 60_000)
    await a.get(SYNC)
    assert.ok(((await server.store.usage.monthly(a.userId)) ?? 0) > (first ?? 0))
  }))

test('with `mau_stats_only` all are counted and none refused', () =>
  withServer({ countsOnly: true, monthlyMost: undefined }, async (server) => {
    for (const name of ['a', 'b', 'c']) await (await server.user(name)).get(SYNC)
    assert.equal(await server.store.usage.monthlyCount(0), 3)
  }))

test('new accounts do not count on trial; guests never count, but find no place in a full server', () =>
  withServer({ monthlyMost: 1, trialDays: 3 }, async (server, world) => {
    const [a, b] = [await server.user('a'), await server.user('b')]
    await a.get(SYNC)
    await b.get(SYNC)
    assert.equal(await server.store.usage.monthlyCount(0), 0)
    const guest = server.anonymous()
    guest.become(await guest.post(`${V3}/register?kind=guest`, {}))
    await guest.get(SYNC)
    assert.equal(await server.store.usage.monthlyCount(0), 0)
    world.pass(3 * DAY)
    await a.get(SYNC)
    assert.equal(await server.store.usage.monthlyCount(0), 1)
    await b.refused(LIMITED, 'GET', SYNC)
    await guest.refused(LIMITED, 'GET', SYNC)
  }))

test('many who are refused do not each count the users', async () => {
  let counts = 0
  const world = new ShiftedWorld()
  const server = await TestServer.start({
    world,
    configure: withUsage({ usage: { monthlyMost: 1 } }),
    wrapStore: (store) => ({
      ...store,
      commit(plan) {
        if (plan.ops.some((op) => op.op === 'month.seen')) counts++
        return store.commit(plan)
      },
    }),
  })
  const [a, b] = [await server.user('a'), await server.user('b')]
  await a.get(SYNC)
  for (let n = 0; n < 5; n++) await b.refused(LIMITED, 'GET', SYNC)
  assert.equal(counts, 2)
  world.pass(60_000)
  await b.refused(LIMITED, 'GET', SYNC)
  assert.equal(counts, 3)
  await server.close()
})

test('the shared secret registers accounts in a full server', () =>
  withServer({ monthlyMost: 0 }, async (server) => {
    const { createHmac } = await import('node:crypto')
    const path = '/_synapse/admin/v1/register'
    const client = server.anonymous()
    const { nonce } = await client.get(path)
    const mac = createHmac('sha1', 'a shared secret').update(`${nonce}\0new\0secret\0notadmin`).digest('hex')
    await client.post(path, { nonce, username: 'new', password: 'secret', mac, inhibit_login: true })
  }))
