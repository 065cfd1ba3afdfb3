import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Rate } from '#/base/rate-limit.ts'
import { LIMITS, type LimitName } from '#/http/limit-names.ts'
import { RateLimiter } from '#/http/rate-limiter.ts'
import { PRESENCE_GATHER_MS, PRESENCE_SWEEP_MS, STATUS_CHARS_MAX } from '#/services/ephemeral/limits.ts'
import { PRESENCE_DEFAULTS, type PresenceOptions } from '#/services/ephemeral/presence.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { presenceIn, presencePath, read, token } from '../../support/ephemeral-calls.ts'
import { ManualWorld } from '../../support/manual-world.ts'
import { join, roomOf, say, sync, syncWith } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('GET /_matrix/client/v3/presence/{userId}/status', 'PUT /_matrix/client/v3/presence/{userId}/status')

const { activeMs, onlineMs, idleMs } = PRESENCE_DEFAULTS.times
const world = new ManualWorld(20)
let server: TestServer
let alice: ApiClient
let bob: ApiClient
let roomId: string
before(async () => {
  server = await TestServer.start({ world })
  alice = await server.user('alice')
  bob = await server.user('bob')
  roomId = await roomOf([alice, bob])
})
after(() => server.close())

const status = (who: ApiClient, of: ApiClient): Promise<Json> => who.get(presencePath(of.userId))
const set = (who: ApiClient, presence: string, status_msg?: string): Promise<Json> =>
  who.put(presencePath(who.userId), { presence, status_msg })

/** Lets everybody go offline, and what was not told yet be told. */
async function rest(): Promise<void> {
  await world.pass(2 * onlineMs)
}

async function withPresence(options: Partial<PresenceOptions>): Promise<TestServer> {
  const presence = { ...PRESENCE_DEFAULTS, ...options }
  return TestServer.start({ world, configure: (plain) => ({ ...plain, presence }) })
}

test('who syncs is online, and offline some time after the last sync', async () => {
  await rest()
  assert.deepEqual((await status(alice, bob)).presence, 'offline')
  await sync(bob)
  const online = await status(alice, bob)
  assert.deepEqual(online, { presence: 'online', last_active_ago: 0, currently_active: true })
  await world.pass(onlineMs - 1000)
  assert.equal((await status(alice, bob)).presence, 'online')
  await world.pass(1000)
  assert.equal((await status(alice, bob)).presence, 'offline')
})

test('§5.11 set_presence: absent means online, the others as they say', async () => {
  await rest()
  const cases = [
    ['offline', 'offline'],
    ['unavailable', 'unavailable'],
    ['online', 'online'],
    [undefined, 'online'],
  ] as const
  for (const [set_presence, expected] of cases) {
    await sync(bob, { set_presence })
    assert.equal((await status(alice, bob)).presence, expected)
  }
  await bob.refused('400 M_INVALID_PARAM', 'GET', '/_matrix/client/v3/sync?set_presence=asleep')
})

test('§5.11 set_presence=offline does not undo what the user said, nor keep them online', async () => {
  await rest()
  await set(bob, 'online')
  await sync(bob, { set_presence: 'offline' })
  assert.equal((await status(alice, bob)).presence, 'online')
  assert.ok(presenceIn(await sync(bob, { set_presence: 'offline' })).has(bob.userId), 'and they see it')
  await world.pass(onlineMs - 1000)
  await sync(bob, { set_presence: 'offline' })
  await world.pass(1000)
  assert.equal((await status(alice, bob)).presence, 'offline')
})

test('who first appears as idle was active then', async () => {
  const [idle, other] = [await server.user('idle'), await server.user('other')]
  await roomOf([idle, other])
  await sync(idle, { set_presence: 'unavailable' })
  assert.deepEqual(await status(other, idle), { presence: 'unavailable', last_active_ago: 0 })
})

test('a waiting sync keeps its user online', async () => {
  await rest()
  const since = await token(bob)
  const waiting = sync(bob, { since, timeout: 200_000 })
  await world.pass(onlineMs * 3)
  const { presence, currently_active: active } = await status(alice, bob)
  assert.deepEqual([presence, active], ['online', false])
  await world.pass(200_000)
  await waiting
})

test('the most present of several devices counts', async () => {
  await rest()
  const tablet = await server.device(bob)
  await sync(bob, { set_presence: 'unavailable' })
  await sync(tablet, { set_presence: 'online' })
  assert.equal((await status(alice, bob)).presence, 'online')
  await world.pass(onlineMs - 1000)
  await sync(bob, { set_presence: 'unavailable' })
  await world.pass(2000)
  assert.equal((await status(alice, bob)).presence, 'unavailable')
})

test('others are told in sync: coming, a status message, idling and going', async () => {
  await rest()
  let since = await token(alice)
  const next = async (): Promise<Json> => {
    await world.pass(PRESENCE_GATHER_MS)
    const answer = await sync(alice, { since })
    since = answer.next_batch
    return presenceIn(answer).get(bob.userId)
  }
  await next()
  await sync(bob)
  const { last_active_ago: ago, ...came } = await next()
  assert.deepEqual([came, ago], [{ presence: 'online', currently_active: true }, PRESENCE_GATHER_MS])
  assert.equal(await next(), undefined, 'told once')
  await set(bob, 'online', 'here')
  assert.equal((await next()).status_msg, 'here')
  await set(bob, 'unavailable', 'away')
  assert.deepEqual(await next(), {
    presence: 'unavailable',
    status_msg: 'away',
    last_active_ago: 2 * PRESENCE_GATHER_MS,
  })
  await world.pass(onlineMs + PRESENCE_SWEEP_MS)
  assert.equal((await next()).presence, 'offline')
  await set(bob, 'offline')
})

test('a waiting sync wakes when somebody comes online, once for many', async () => {
  await rest()
  const others = [await server.user('u'), await server.user('u'), await server.user('u')]
  for (const other of others) await join(other, roomId)
  const since = await token(alice)
  await world.pass(PRESENCE_GATHER_MS)
  const { next_batch } = await sync(alice, { since })
  const waiting = sync(alice, { since: next_batch, timeout: 100_000 })
  await world.pass(10)
  for (const other of others) await sync(other)
  await world.pass(PRESENCE_GATHER_MS)
  const seen = presenceIn(await waiting)
  assert.deepEqual([...seen.keys()].sort(), others.map((other) => other.userId).sort())
})

test('what one says on one device comes to the others, and to the one that said it', async () => {
  await rest()
  const tablet = await server.device(bob)
  let since = await token(tablet)
  const waiting = sync(tablet, { since, timeout: 20_000 })
  await world.pass(10_000)
  await set(bob, 'online', 'from the phone')
  await world.pass(PRESENCE_GATHER_MS)
  const answer = await waiting
  since = answer.next_batch
  assert.equal(presenceIn(answer).get(bob.userId).status_msg, 'from the phone')
  assert.equal(presenceIn(await sync(bob, { since })).size, 0, 'once')
  await set(bob, 'unavailable')
  await set(tablet, 'unavailable')
  await world.pass(PRESENCE_GATHER_MS)
  const own = presenceIn(await sync(bob, { since, set_presence: 'offline' })).get(bob.userId)
  assert.deepEqual([own.presence, own.status_msg], ['unavailable', undefined])
})

test('who comes online is told so: at once by an initial sync, or by a sync that waits', async () => {
  await rest()
  const tablet = await server.device(bob)
  const first = await sync(tablet)
  assert.equal(presenceIn(first).get(bob.userId).presence, 'online')
  const { next_batch: since } = first
  assert.equal((await sync(tablet, { since })).presence, undefined, 'once')
  await rest()
  const waiting = sync(tablet, { since, timeout: 20_000 })
  await world.pass(PRESENCE_GATHER_MS)
  const own = presenceIn(await waiting)
  assert.deepEqual([...own.keys()], [bob.userId])
  assert.equal(own.get(bob.userId).presence, 'online')
})

test('a client that asks again and again as online is not woken by itself', async () => {
  await rest()
  const alone = await server.user('alone')
  let since = await token(alone)
  const started = world.clock.monotonic()
  for (let asked = 1; asked <= 3; asked++) {
    const waiting = sync(alone, { since, timeout: 200_000 })
    await world.pass(200_000)
    const answer = await waiting
    since = answer.next_batch
    assert.equal(answer.presence, undefined)
    assert.equal(world.clock.monotonic() - started, asked * 200_000)
  }
})

test('an idle user: activity makes them online again', async () => {
  await rest()
  await sync(bob, { set_presence: 'unavailable' })
  assert.equal((await status(alice, bob)).presence, 'unavailable')
  const eventId = await say(bob, roomId, 'back')
  assert.deepEqual(await status(alice, bob), {
    presence: 'online',
    last_active_ago: 0,
    currently_active: true,
  })
  await sync(bob, { set_presence: 'unavailable' })
  await read(bob, roomId, eventId)
  assert.equal((await status(alice, bob)).presence, 'online')
})

test('who does nothing is no longer currently active, and idle after a longer time', async () => {
  await rest()
  const waiting = sync(bob, { since: await token(bob), timeout: 290_000 })
  await world.pass(activeMs - 1000)
  assert.equal((await status(alice, bob)).currently_active, true)
  await world.pass(1000)
  const before = await status(alice, bob)
  assert.deepEqual([before.presence, before.currently_active], ['online', false])
  await world.pass(290_000)
  await waiting
  await world.pass(idleMs - activeMs - 290_000 + 1)
  assert.notEqual((await status(alice, bob)).presence, 'online')
})

test('an initial sync has oneself and who is online, not who is offline', async () => {
  await rest()
  const away = await server.user('away')
  await join(away, roomId)
  await set(away, 'offline')
  await sync(bob)
  const seen = presenceIn(await sync(alice))
  assert.deepEqual([seen.has(alice.userId), seen.has(bob.userId), seen.has(away.userId)], [true, true, false])
  const full = presenceIn(await sync(alice, { since: await token(alice), full_state: true }))
  assert.ok(full.has(bob.userId))
})

test('presence is for those who share a room', async () => {
  await rest()
  const stranger = await server.user('stranger')
  const since = await token(stranger)
  await sync(bob)
  assert.deepEqual([...presenceIn(await sync(stranger, { since })).keys()], [])
  assert.deepEqual([...presenceIn(await sync(stranger)).keys()], [stranger.userId])
  await stranger.refused('403 M_FORBIDDEN', 'GET', presencePath(bob.userId))
  await stranger.refused('403 M_FORBIDDEN', 'GET', presencePath('@nobody:test.example'))
  await stranger.refused('400 M_INVALID_PARAM', 'GET', presencePath('nobody'))
  const before = await token(bob)
  await join(stranger, roomId)
  assert.ok(presenceIn(await sync(stranger, { since })).has(bob.userId), 'who joins sees who is there')
  assert.ok(presenceIn(await sync(bob, { since: before })).has(stranger.userId), 'and is seen')
  assert.equal((await status(stranger, bob)).presence, 'online')
})

test('who joins is told of those who are offline too', async () => {
  await rest()
  const newcomer = await server.user('newcomer')
  const since = await token(newcomer)
  await sync(bob, { set_presence: 'offline' })
  await join(newcomer, roomId)
  assert.equal(presenceIn(await sync(newcomer, { since })).get(bob.userId)?.presence, 'offline')
})

test('one sets the presence of oneself alone, and to what there is', async () => {
  const path = presencePath(bob.userId)
  await alice.refused('403 M_FORBIDDEN', 'PUT', path, { presence: 'online' })
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'PUT', path, { presence: 'online' })
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', path)
  await bob.refused('400 M_MISSING_PARAM', 'PUT', path, {})
  const long = 'x'.repeat(STATUS_CHARS_MAX + 1)
  for (const body of [{ presence: 'asleep' }, { presence: 'online', status_msg: 5 }, []]) {
    await bob.refused('400 M_BAD_JSON', 'PUT', path, body)
  }
  const answer = await bob.call('PUT', path, { presence: 'online', status_msg: long })
  assert.equal(answer.status, 400)
})

test('the presence filter chooses senders, and may leave everything out', async () => {
  await rest()
  const since = await token(alice)
  await sync(bob)
  await world.pass(PRESENCE_GATHER_MS)
  for (const presence of [{ types: [] }, { not_types: ['m.presence'] }, { not_senders: [bob.userId] }]) {
    assert.equal((await syncWith(alice, { presence }, { since })).presence, undefined)
  }
  const chosen = await syncWith(alice, { presence: { senders: [bob.userId] } }, { since })
  assert.deepEqual([...presenceIn(chosen).keys()], [bob.userId])
})

test('after a restart who comes back is told of, and tokens of before are good', async () => {
  await rest()
  await sync(bob)
  const since = await token(alice)
  await server.restart()
  await sync(bob)
  await world.pass(PRESENCE_GATHER_MS)
  assert.equal(presenceIn(await sync(alice, { since })).get(bob.userId)?.presence, 'online')
})

test('without presence there is none, and nobody is told so', async () => {
  for (const options of [{ enabled: false }, { tracked: false }]) {
    await using other = await closing(withPresence(options))
    const [a, b] = [await other.server.user('a'), await other.server.user('b')]
    await roomOf([a, b])
    await sync(b)
    assert.deepEqual(await set(b, 'online', 'here'), {})
    assert.deepEqual(await status(a, b), { presence: 'offline' })
    assert.equal((await sync(a)).presence, undefined)
  }
})

test('initial syncs list who is offline where that is configured, and some rooms do not count', async () => {
  await using all = await closing(withPresence({ includeOffline: true }))
  const [a, b] = [await all.server.user('a'), await all.server.user('b')]
  const shared = await roomOf([a, b])
  await set(b, 'offline', 'gone')
  assert.deepEqual(presenceIn(await sync(a)).get(b.userId)?.status_msg, 'gone')
  const excludedRooms = new Set<string>()
  await using less = await closing(withPresence({ excludedRooms }))
  const [c, d] = [await less.server.user('c'), await less.server.user('d')]
  excludedRooms.add(await roomOf([c, d]))
  await sync(d)
  assert.equal(presenceIn(await sync(c)).has(d.userId), false)
  await c.refused('403 M_FORBIDDEN', 'GET', presencePath(d.userId))
  assert.ok(shared)
})

async function closing(starting: Promise<TestServer>): Promise<AsyncDisposable & { server: TestServer }> {
  const started = await starting
  return { server: started, [Symbol.asyncDispose]: () => started.close() }
}

test('presence that is set too often is refused, not lost; what a sync says has a rate of its own', async () => {
  const often = { perSecond: 1000, burst: 1000 }
  const rates = Object.fromEntries(Object.keys(LIMITS).map((name) => [name, often])) as Record<
    LimitName,
    Rate
  >
  const limits = new RateLimiter(world.clock, {
    ...rates,
    'rc_presence.per_user': { perSecond: 0.1, burst: 1 },
  })
  const limited = await TestServer.start({ world, limits })
  const user = await limited.user('limited')
  const seen = async (): Promise<unknown[]> => {
    const { presence, status_msg: said } = await user.get(presencePath(user.userId))
    return [presence, said]
  }
  await sync(user)
  await set(user, 'unavailable', 'first')
  const second = { presence: 'online', status_msg: 'second' }
  const refusal = await user.refused('429 M_LIMIT_EXCEEDED', 'PUT', presencePath(user.userId), second)
  assert.equal(refusal.retry_after_ms, 10_000)
  assert.deepEqual(await seen(), ['unavailable', 'first'])
  await sync(user, { set_presence: 'online' })
  assert.deepEqual(await seen(), ['unavailable', 'first'], 'left out without an error')
  await world.pass(10_000)
  await set(user, 'online', 'second')
  assert.deepEqual(await seen(), ['online', 'second'])
  await limited.close()
})
