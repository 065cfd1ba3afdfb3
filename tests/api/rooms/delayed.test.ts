/** Delayed events (MSC4140). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import { LIMITS } from '#/http/limit-names.ts'
import { RateLimiter } from '#/http/rate-limiter.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { withQuery } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { ServerWorld, settle } from '../../support/manual-world.ts'
import {
  createRoom,
  getEvent,
  getState,
  inRoom,
  leave,
  messages,
  roomOf,
  say,
  setState,
  texts,
  V3,
} from '../../support/room-calls.ts'
import { TestServer, type TestServerOptions } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events',
  'POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}',
  'POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/cancel',
  'POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/restart',
  'POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/send',
)

const DELAYED = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events'
const TYPE = 'org.example.call'

interface Bench {
  readonly server: TestServer
  readonly world: ServerWorld
  readonly alice: ApiClient
  readonly bob: ApiClient
}

async function withServer(
  run: (bench: Bench) => Promise<void>,
  options: TestServerOptions = {},
): Promise<void> {
  const world = new ServerWorld()
  const server = await TestServer.start({ ...options, world })
  try {
    await run({ server, world, alice: await server.user('alice'), bob: await server.user('bob') })
  } finally {
    await server.close()
  }
}

async function later(
  who: ApiClient,
  roomId: string,
  body: string,
  delay: number,
  txn = who.txn(),
): Promise<string> {
  const url = inRoom(roomId, 'send', 'm.room.message', txn)
  const query = { 'org.matrix.msc4140.delay': delay }
  return (await who.put(withQuery(url, query), { msgtype: 'm.text', body })).delay_id
}

async function laterState(
  who: ApiClient,
  roomId: string,
  key: string,
  content: Json,
  delay: number,
): Promise<string> {
  const query = { 'org.matrix.msc4140.delay': delay }
  return (await who.put(withQuery(inRoom(roomId, 'state', TYPE, key), query), content)).delay_id
}

const said = async (who: ApiClient, roomId: string): Promise<string[]> =>
  texts((await messages(who, roomId, { dir: 'f', limit: 100 })).chunk)

const held = async (who: ApiClient): Promise<Json[]> => (await who.get(DELAYED)).delayed_events
const act = (who: ApiClient, id: string, action: string): Promise<Json> =>
  who.post(`${DELAYED}/${id}/${action}`)

test('an event is sent when its time has come, and not before', () =>
  withServer(async ({ world, alice }) => {
    const roomId = await createRoom(alice)
    const id = await later(alice, roomId, 'later', 10_000)
    const since = world.time
    assert.deepEqual(await held(alice), [
      {
        delay_id: id,
        room_id: roomId,
        type: 'm.room.message',
        delay: 10_000,
        running_since: since,
        content: { msgtype: 'm.text', body: 'later' },
      },
    ])
    await world.pass(9_000)
    assert.deepEqual(await said(alice, roomId), [])
    await world.pass(1_500)
    assert.deepEqual(await said(alice, roomId), ['later'])
    assert.deepEqual(await held(alice), [])
    await world.pass(100_000)
    assert.deepEqual(await said(alice, roomId), ['later'])
  }))

test('state is set when its time has come', () =>
  withServer(async ({ world, alice }) => {
    const roomId = await createRoom(alice)
    await setState(alice, roomId, TYPE, { in: true }, 'k')
    const id = await laterState(alice, roomId, 'k', { in: false }, 5000)
    assert.deepEqual([(await held(alice))[0].delay_id, (await held(alice))[0].state_key], [id, 'k'])
    await world.pass(6000)
    assert.deepEqual(await getState(alice, roomId, TYPE, 'k'), { in: false })
    await laterState(alice, roomId, 'k', { in: false }, 5000)
    await world.pass(6000)
    assert.deepEqual(await held(alice), [], 'what says the same already is done with')
  }))

test('a leaving can be delayed as well', () =>
  withServer(async ({ world, alice, bob }) => {
    const roomId = await roomOf([alice, bob])
    const url = inRoom(roomId, 'state', 'm.room.member', bob.userId)
    await bob.put(withQuery(url, { 'org.matrix.msc4140.delay': 1000 }), { membership: 'leave' })
    await world.pass(2000)
    assert.equal((await getState(alice, roomId, 'm.room.member', bob.userId)).membership, 'leave')
    assert.deepEqual(await held(bob), [])
  }))

test('cancelled it is never sent; begun anew it waits again; sent now it is sent once', () =>
  withServer(async ({ world, alice }) => {
    const roomId = await createRoom(alice)
    const cancelled = await later(alice, roomId, 'cancelled', 5000)
    const renewed = await later(alice, roomId, 'renewed', 5000)
    const hurried = await later(alice, roomId, 'hurried', 5000)
    await act(alice, cancelled, 'cancel')
    await act(alice, hurried, 'send')
    assert.deepEqual(await said(alice, roomId), ['hurried'])
    await world.pass(4000)
    await alice.post(`${DELAYED}/${renewed}`, { action: 'restart' })
    await world.pass(4000)
    assert.deepEqual(await said(alice, roomId), ['hurried'])
    await world.pass(2000)
    assert.deepEqual(await said(alice, roomId), ['hurried', 'renewed'])
    for (const id of [cancelled, renewed, hurried, 'nonsense']) {
      for (const action of ['cancel', 'restart', 'send']) {
        await alice.refused('404 M_NOT_FOUND', 'POST', `${DELAYED}/${id}/${action}`)
        await alice.refused('404 M_NOT_FOUND', 'POST', `${DELAYED}/${id}`, { action })
      }
    }
  }))

test('the delay id is the key: nobody else needs to say who they are', () =>
  withServer(async ({ server, alice, bob }) => {
    const roomId = await createRoom(alice)
    const id = await later(alice, roomId, 'x', 5000)
    assert.ok(id.length >= 24)
    assert.deepEqual(await held(bob), [])
    await act(server.anonymous(), id, 'cancel')
    assert.deepEqual(await held(alice), [])
    await alice.refused('400 M_INVALID_PARAM', 'POST', `${DELAYED}/${id}`, { action: 'explode' })
    await alice.refused('400 M_MISSING_PARAM', 'POST', `${DELAYED}/${id}`, {})
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', DELAYED)
  }))

test('what the room refuses when it is to be sent now is refused with the reason, and dropped', () =>
  withServer(async ({ alice }) => {
    const roomId = await createRoom(alice)
    const url = withQuery(inRoom(roomId, 'send', 'm.reaction', alice.txn()), {
      'org.matrix.msc4140.delay': 5000,
    })
    const relates = { rel_type: 'm.annotation', event_id: '$nothing', key: '+' }
    const { delay_id } = await alice.put(url, { 'm.relates_to': relates })
    const refusal = await alice.refused('400 M_UNKNOWN', 'POST', `${DELAYED}/${delay_id}/send`)
    assert.match(refusal.error, /no such event/)
    assert.deepEqual(await held(alice), [])
  }))

test('state that somebody else sets cancels what was to come in its place', () =>
  withServer(async ({ world, alice, bob }) => {
    const roomId = await roomOf([alice, bob])
    const levels = await getState(alice, roomId, 'm.room.power_levels')
    await setState(alice, roomId, 'm.room.power_levels', {
      ...levels,
      events: { ...levels.events, [TYPE]: 0 },
    })
    await laterState(alice, roomId, 'k', { by: 'alice' }, 5000)
    await laterState(alice, roomId, 'other', { by: 'alice' }, 5000)
    await setState(alice, roomId, TYPE, { by: 'alice now' }, 'k')
    assert.equal((await held(alice)).length, 2, 'their own state does not')
    await setState(bob, roomId, TYPE, { by: 'bob' }, 'k')
    assert.deepEqual(
      (await held(alice)).map((event) => event.state_key),
      ['other'],
    )
    await world.pass(6000)
    assert.deepEqual(await getState(alice, roomId, TYPE, 'k'), { by: 'bob' })
    assert.deepEqual(await getState(alice, roomId, TYPE, 'other'), { by: 'alice' })
  }))

test('a restart forgets nothing, and sends what became due in the meantime once', () =>
  withServer(async ({ server, world, alice }) => {
    const roomId = await createRoom(alice)
    await later(alice, roomId, 'due while away', 5000)
    await later(alice, roomId, 'due later', 60_000)
    await server.restart(() => {
      world.time += 10_000
    })
    await settle()
    await world.pass(1000)
    assert.deepEqual(await said(alice, roomId), ['due while away'])
    await server.restart()
    await world.pass(60_000)
    assert.deepEqual(await said(alice, roomId), ['due while away', 'due later'])
  }))

test('a crash between the sending and the end of its job does not send it twice', () =>
  withServer(async ({ server, world, alice }) => {
    const roomId = await createRoom(alice)
    const id = await later(alice, roomId, 'once', 5000)
    await world.pass(6000)
    const job = { op: 'job.put', kind: 'delayed_event', key: id, dueTs: world.time, data: '{}' } as const
    await server.store.commit({ lane: 'jobs', ops: [job] })
    await server.restart()
    await world.pass(10_000)
    assert.deepEqual(await said(alice, roomId), ['once'])
  }))

test('a repeated request schedules once', () =>
  withServer(async ({ server, alice }) => {
    const roomId = await createRoom(alice)
    const id = await later(alice, roomId, 'x', 5000, 'same')
    assert.equal(await later(alice, roomId, 'x', 5000, 'same'), id)
    await server.restart()
    assert.equal(await later(alice, roomId, 'x', 5000, 'same'), id)
    assert.equal((await held(alice)).length, 1)
    await act(alice, id, 'cancel')
    assert.equal(await later(alice, roomId, 'x', 5000, 'same'), id)
    assert.deepEqual(await held(alice), [])
  }))

test('no more than allowed per user, no longer than allowed, only where one is, only well-formed', () =>
  withServer(async ({ alice, bob }) => {
    const roomId = await createRoom(alice)
    const url = (delay: unknown): string =>
      withQuery(inRoom(roomId, 'send', 'm.room.message', alice.txn()), {
        'org.matrix.msc4140.delay': String(delay),
      })
    await alice.refused('403 M_FORBIDDEN', 'PUT', url(24 * 3600 * 1000 + 1), {})
    await alice.refused('400 M_INVALID_PARAM', 'PUT', url(-1), {})
    await alice.refused('400 M_INVALID_PARAM', 'PUT', url('soon'), {})
    await alice.refused('400 M_NOT_JSON', 'PUT', url(10), 'nonsense')
    await bob.refused('403 M_FORBIDDEN', 'PUT', url(10), {})
    await bob.refused('403 M_FORBIDDEN', 'PUT', url(10).replace(encodeURIComponent(roomId), '!none:x'), {})
    for (let i = 0; i < 10; i++) await later(alice, roomId, `${i}`, 60_000)
    const { json } = await alice.call('PUT', url(10), {})
    assert.deepEqual([json.errcode, json.retry_after_ms], ['M_LIMIT_EXCEEDED', 60_000])
  }))

test('what the room refuses when the time has come is dropped', () =>
  withServer(async ({ world, alice, bob }) => {
    const roomId = await roomOf([alice, bob])
    await later(bob, roomId, 'from outside', 5000)
    const id = await later(bob, roomId, 'from outside too', 50_000)
    await leave(bob, roomId)
    await world.pass(6000)
    assert.deepEqual(
      (await held(bob)).map((event) => event.delay_id),
      [id],
    )
    await bob.refused('403 M_FORBIDDEN', 'POST', `${DELAYED}/${id}/send`)
    assert.deepEqual(await held(bob), [])
    assert.deepEqual(await said(alice, roomId), [])
  }))

test('deactivation takes them away', () =>
  withServer(async ({ world, server, alice, bob }) => {
    const roomId = await roomOf([alice, bob])
    const id = await later(bob, roomId, 'x', 5000)
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: bob.userId },
      password: 'a password',
    }
    await bob.post(`${V3}/account/deactivate`, { auth })
    assert.equal(await server.store.delayed.byId(id), undefined)
    await world.pass(6000)
    assert.deepEqual(await said(alice, roomId), [])
  }))

for (const restriction of ['locked', 'suspended'] as const) {
  test(`what somebody scheduled before they were ${restriction} is not sent`, () =>
    withServer(async ({ world, server, alice, bob }) => {
      const roomId = await roomOf([alice, bob])
      await later(bob, roomId, 'too late', 5000)
      const now = await later(bob, roomId, 'nor now', 60_000)
      const flags = { op: 'account.flags', user: bob.userId, [restriction]: true } as const
      await server.store.commit({ lane: bob.userId, ops: [flags] })
      const refusal = restriction === 'locked' ? '403 M_FORBIDDEN' : '403 M_USER_SUSPENDED'
      await alice.refused(refusal, 'POST', `${DELAYED}/${now}/send`)
      await world.pass(6000)
      assert.deepEqual(await said(alice, roomId), [])
      assert.deepEqual(await server.store.delayed.ofUser(bob.userId), [])
    }))
}

test('a suspended account still leaves and takes its own messages back, later as at once', () =>
  withServer(async ({ world, server, alice, bob }) => {
    const roomId = await roomOf([alice, bob])
    const own = await say(bob, roomId, 'mine')
    const query = { 'org.matrix.msc4140.delay': 5000 }
    const redaction = inRoom(roomId, 'send', 'm.room.redaction', bob.txn())
    await bob.put(withQuery(redaction, query), { redacts: own })
    const leaving = inRoom(roomId, 'state', 'm.room.member', bob.userId)
    await bob.put(withQuery(leaving, { 'org.matrix.msc4140.delay': 7000 }), { membership: 'leave' })
    const flags = { op: 'account.flags', user: bob.userId, suspended: true } as const
    await server.store.commit({ lane: bob.userId, ops: [flags] })
    await world.pass(6000)
    assert.deepEqual((await getEvent(alice, roomId, own)).content, {})
    await world.pass(2000)
    const { membership } = await getState(alice, roomId, 'm.room.member', bob.userId)
    assert.equal(membership, 'leave')
  }))

test('where they are off they are refused, and clients are told', async () => {
  await withServer(
    async ({ alice }) => {
      const roomId = await createRoom(alice)
      const url = withQuery(inRoom(roomId, 'send', 'm.room.message', 't'), { 'org.matrix.msc4140.delay': 5 })
      await alice.refused('403 M_FORBIDDEN', 'PUT', url, {})
      const { unstable_features } = await alice.get('/_matrix/client/versions')
      assert.equal(unstable_features['org.matrix.msc4140'], false)
    },
    {
      configure: (options) => {
        const delayedEvents = { maxDelayMs: undefined, perUserMax: 10 }
        return { ...options, delayedEvents, discovery: { ...options.discovery, delayedEvents } }
      },
    },
  )
})

test('changes of delayed events are limited', async () => {
  const limits = new RateLimiter(realWorld.clock, {
    ...LIMITS,
    rc_registration: { perSecond: 1000, burst: 1000 },
    rc_delayed_event_mgmt: { perSecond: 0.001, burst: 2 },
  })
  await withServer(
    async ({ server, alice }) => {
      const roomId = await createRoom(alice)
      const id = await later(alice, roomId, 'x', 60_000)
      for (let i = 0; i < 2; i++) await act(alice, id, 'restart')
      await alice.refused('429 M_LIMIT_EXCEEDED', 'POST', `${DELAYED}/${id}/restart`)
      const nobody = server.anonymous()
      for (let i = 0; i < 2; i++) await act(nobody, id, 'restart')
      await nobody.refused('429 M_LIMIT_EXCEEDED', 'POST', `${DELAYED}/${id}/restart`)
    },
    { limits },
  )
})
