/** Purges, retention and the deletion of rooms, seen by clients and by verification. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RetentionOptions } from '#/services/rooms/purge/retention.ts'
import { maxLifetimeMs } from '#/services/rooms/purge/retention-policy.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { ServerWorld } from '../../support/manual-world.ts'
import { reply, threads } from '../../support/relation-calls.ts'
import {
  createRoom,
  eventIds,
  getState,
  inRoom,
  join,
  messages,
  redact,
  roomOf,
  say,
  setState,
  sync,
  syncWith,
  texts,
  V3,
} from '../../support/room-calls.ts'
import { sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

const HOUR = 3600 * 1000
const DAY = 24 * HOUR

interface Bench {
  readonly server: TestServer
  readonly world: ServerWorld
  readonly alice: ApiClient
  readonly bob: ApiClient
}

async function withServer(
  retention: RetentionOptions | undefined,
  run: (bench: Bench) => Promise<void>,
): Promise<void> {
  const world = new ServerWorld()
  const server = await TestServer.start({ world, configure: (options) => ({ ...options, retention }) })
  try {
    await run({ server, world, alice: await server.user('alice'), bob: await server.user('bob') })
    assert.deepEqual(await server.verify(), [], 'verification')
  } finally {
    await server.close()
  }
}

const POLICY: RetentionOptions = {
  defaultMaxMs: undefined,
  allowedMinMs: HOUR,
  allowedMaxMs: 30 * DAY,
  jobs: [{ intervalMs: HOUR, shortestMs: undefined, longestMs: undefined }],
}

const all20 = (): Json => ({ ranges: [[0, 9]], timeline_limit: 20, required_state: [] })

const all = async (who: ApiClient, roomId: string): Promise<Json[]> =>
  (await messages(who, roomId, { dir: 'f', limit: 1000 })).chunk

test('messages go when the lifetime that the room asks for is over; state and younger ones stay', () =>
  withServer(POLICY, async ({ world, server, alice, bob }) => {
    const roomId = await roomOf([alice, bob], { name: 'short memory' })
    const other = await createRoom(alice)
    await say(alice, other, 'kept')
    await setState(alice, roomId, 'm.room.retention', { max_lifetime: 5 * HOUR })
    for (let i = 0; i < 250; i++) await say(alice, roomId, `old ${i}`)
    const redacted = await say(bob, roomId, 'regretted')
    await redact(bob, roomId, redacted)
    const topic = await setState(alice, roomId, 'm.room.topic', { topic: 'rude' })
    const redaction = await redact(alice, roomId, topic)
    await world.pass(3 * HOUR)
    await say(bob, roomId, 'young')
    await world.pass(3 * HOUR + 1000)
    for (let i = 0; i < 20; i++) await world.pass(100)
    const left = await all(alice, roomId)
    assert.deepEqual(texts(left), ['young'])
    const ids = eventIds(left)
    assert.ok(ids.includes(topic) && !ids.includes(redaction))
    const { unsigned } = await alice.get(inRoom(roomId, 'event', topic))
    assert.equal(unsigned.redacted_because.event_id, redaction, 'a redaction of what stays stays')
    assert.ok(!ids.includes(redacted))
    assert.equal((await getState(alice, roomId, 'm.room.name')).name, 'short memory')
    assert.deepEqual(texts(await all(alice, other)), ['kept'])
    await alice.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'event', redacted))
    const section = (await sync(bob)).rooms.join[roomId]
    assert.deepEqual(texts(section.timeline.events), ['young'])
    await say(alice, roomId, 'goes on')
    const carol = await server.user('carol')
    await join(carol, roomId)
    assert.deepEqual(texts(await all(carol, roomId)), ['young', 'goes on'])
  }))

for (const dir of ['b', 'f'] as const) {
  test(`D7 who pages ${dir} while a purge runs gets each event once and in order, and no error`, () =>
    withServer(POLICY, async ({ world, alice, bob }) => {
      const roomId = await roomOf([alice, bob])
      for (let i = 0; i < 120; i++) {
        await say(alice, roomId, `old ${i}`)
        if (i % 10 === 0) await setState(alice, roomId, 'm.room.topic', { topic: `${i}` })
      }
      await world.pass(3 * HOUR)
      for (let i = 0; i < 30; i++) await say(alice, roomId, `young ${i}`)
      await setState(alice, roomId, 'm.room.retention', { max_lifetime: 5 * HOUR })
      const seen: Json[] = []
      let from: string | undefined
      for (let page = 0; page === 0 || from !== undefined; page++) {
        const purging = page === 3 ? world.pass(3 * HOUR) : undefined
        const { chunk, end } = await messages(bob, roomId, { dir, from, limit: 7 })
        await purging
        seen.push(...chunk)
        from = chunk.length === 0 && dir === 'f' ? undefined : end
      }
      assert.equal(new Set(eventIds(seen)).size, seen.length, 'nothing twice')
      if (dir === 'b') seen.reverse()
      const topics = seen.filter(({ type }) => type === 'm.room.topic').map(({ content }) => content.topic)
      assert.deepEqual(topics, ['0', '10', '20', '30', '40', '50', '60', '70', '80', '90', '100', '110'])
      const young = texts(seen).filter((text) => text.startsWith('young'))
      assert.deepEqual(
        young,
        Array.from({ length: 30 }, (_, i) => `young ${i}`),
      )
    }))
}

test('the newest event of a room stays stored, however old, and the room goes on from it', () =>
  withServer({ ...POLICY, defaultMaxMs: HOUR }, async ({ world, server, alice }) => {
    const roomId = await createRoom(alice)
    const stored = async (eventId: string): Promise<boolean> =>
      (await server.store.events.byId(eventId)) !== undefined
    const first = await say(alice, roomId, 'first')
    const last = await say(alice, roomId, 'last')
    await world.pass(3 * HOUR)
    assert.deepEqual([await stored(first), await stored(last)], [false, true])
    assert.deepEqual(texts(await all(alice, roomId)), [], 'nobody is shown it')
    const next = await say(alice, roomId, 'next')
    assert.deepEqual(texts(await all(alice, roomId)), ['next'])
    await world.pass(3 * HOUR)
    assert.deepEqual([await stored(last), await stored(next)], [false, true])
  }))

test('messages whose time is over are hidden from every reader before a purge has taken them', () =>
  withServer({ ...POLICY, jobs: [{ ...POLICY.jobs[0]!, intervalMs: 30 * DAY }] }, async (around) => {
    const { world, server, alice, bob } = around
    const roomId = await roomOf([alice, bob])
    await setState(alice, roomId, 'm.room.retention', { max_lifetime: 5 * HOUR })
    const { next_batch: since } = await sync(bob)
    const old = await say(alice, roomId, 'old needle')
    const topic = await setState(alice, roomId, 'm.room.topic', { topic: 'of old' })
    await world.pass(6 * HOUR)
    const young = await say(alice, roomId, 'young needle')
    assert.ok(await server.store.events.byId(old), 'it is still there')
    assert.deepEqual(texts(await all(bob, roomId)), ['young needle'])
    await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'event', old))
    await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'context', old))
    const { events_before: earlier } = await bob.get(inRoom(roomId, 'context', young))
    assert.ok(eventIds(earlier).includes(topic) && !eventIds(earlier).includes(old))
    for (const answer of [await sync(bob), await sync(bob, { since })]) {
      const { events } = answer.rooms.join[roomId].timeline
      assert.deepEqual(texts(events), ['young needle'])
      assert.ok(eventIds(events).includes(topic), 'state stays')
    }
    const { rooms } = await sliding(bob, { lists: { all: all20() } })
    assert.deepEqual(texts(rooms[roomId].timeline), ['young needle'])
    const found = await bob.post(`${V3}/search`, {
      search_categories: { room_events: { search_term: 'needle' } },
    })
    const hits: Json[] = found.search_categories.room_events.results
    assert.deepEqual(
      hits.map(({ result }) => result.event_id),
      [young],
    )
    /* A longer lifetime brings back what is still there. */
    await setState(alice, roomId, 'm.room.retention', { max_lifetime: 2 * DAY })
    assert.deepEqual(texts(await all(bob, roomId)), ['old needle', 'young needle'])
  }))

for (const [when, intervalMs] of [
  ['before', 30 * DAY],
  ['after', HOUR],
] as const) {
  test(`what is over is neither counted nor listed among notifications and threads, ${when} a purge`, () =>
    withServer({ ...POLICY, jobs: [{ ...POLICY.jobs[0]!, intervalMs }] }, async (around) => {
      const { world, server, alice, bob } = around
      const roomId = await roomOf([alice, bob])
      await setState(alice, roomId, 'm.room.retention', { max_lifetime: 5 * HOUR })
      const root = await say(alice, roomId, 'old root')
      const lost = await say(alice, roomId, 'lost root')
      for (let i = 0; i < 3; i++) await reply(alice, roomId, root, `old ${i}`)
      await reply(alice, roomId, lost, 'lost')
      const counts = async (): Promise<Json> => {
        const filter = { room: { timeline: { unread_thread_notifications: true } } }
        const section = (await syncWith(bob, filter)).rooms.join[roomId]
        const { rooms } = await sliding(bob, { lists: { all: all20() } })
        const byThread: Json[] = Object.values(section.unread_thread_notifications ?? {})
        const main = section.unread_notifications.notification_count
        return [
          main,
          byThread.map((each) => each.notification_count).sort(),
          rooms[roomId].notification_count,
          (await syncWith(bob, {})).rooms.join[roomId].unread_notifications.notification_count,
        ]
      }
      const listed = async (): Promise<string[]> =>
        (await bob.get(`${V3}/notifications`)).notifications.map((each: Json) => each.event.event_id)
      assert.deepEqual(await counts(), [2, [1, 3], 6, 6])
      assert.equal((await listed()).length, 6)
      assert.equal((await threads(bob, roomId)).chunk.length, 2)
      await world.pass(3 * HOUR)
      const young = await say(alice, roomId, 'young')
      const answer = await reply(alice, roomId, root, 'young reply')
      await world.pass(3 * HOUR)
      assert.equal((await server.store.events.byId(lost)) !== undefined, when === 'before')
      assert.deepEqual(await counts(), [1, [1], 2, 2])
      assert.deepEqual(await listed(), [answer, young])
      assert.ok(!eventIds((await threads(bob, roomId)).chunk).includes(lost))
      await world.pass(3 * HOUR)
      assert.deepEqual(await counts(), [0, [], 0, 0])
      assert.deepEqual(await listed(), [])
    }))
}

test('a lifetime is bounded by what the configuration allows, and nonsense counts as none', () => {
  const policy = { defaultMaxMs: 2 * DAY, allowedMinMs: DAY, allowedMaxMs: 3 * DAY }
  const of = (content: Json) => maxLifetimeMs(policy, content)
  assert.equal(of(undefined), 2 * DAY)
  assert.equal(of({ max_lifetime: 1 }), DAY)
  assert.equal(of({ max_lifetime: 9 * DAY }), 3 * DAY)
  assert.equal(of({ max_lifetime: 2.5 * DAY }), 2.5 * DAY)
  for (const bad of [-1, 0, 1.5, '5', null, true, {}]) assert.equal(of({ max_lifetime: bad }), 2 * DAY)
  const none = { defaultMaxMs: undefined, allowedMinMs: undefined, allowedMaxMs: undefined }
  assert.equal(maxLifetimeMs(none, undefined), undefined)
  assert.equal(maxLifetimeMs(none, { max_lifetime: 7 }), 7)
})

test('without retention nothing is deleted, whatever a room asks for', () =>
  withServer(undefined, async ({ world, alice }) => {
    const roomId = await createRoom(alice)
    await setState(alice, roomId, 'm.room.retention', { max_lifetime: 1 })
    await say(alice, roomId, 'kept')
    await say(alice, roomId, 'kept too')
    await world.pass(3 * DAY)
    assert.equal(texts(await all(alice, roomId)).length, 2)
  }))

test('a room that is deleted is out of sight at once, its rows go through restarts, the rest stays', () =>
  withServer(undefined, async ({ server, world, alice, bob }) => {
    const other = await roomOf([alice, bob])
    await say(alice, other, 'kept')
    const roomId = await roomOf([alice, bob], { room_version: '11' })
    for (let i = 0; i < 30; i++) await say(bob, roomId, `${i}`)
    const room = await server.store.rooms.byId(roomId)
    const job = {
      op: 'job.put',
      kind: 'rooms.delete',
      key: `${room?.nid}`,
      dueTs: world.time + HOUR,
      data: '{}',
    } as const
    await server.store.commit({ lane: roomId, ops: [{ op: 'room.hide', room: room!.nid }, job] })
    await alice.refused('403 M_FORBIDDEN', 'GET', `${inRoom(roomId, 'messages')}?dir=b`)
    const url = inRoom(roomId, 'send', 'm.room.message', 'late')
    const { status } = await bob.call('PUT', url, { msgtype: 'm.text', body: 'too late' })
    assert.ok(status === 403 || status === 404, `${status}`)
    assert.deepEqual((await alice.get(`${V3}/joined_rooms`)).joined_rooms, [other])
    assert.equal((await sync(bob)).rooms.join[roomId], undefined)
    await server.store.commit({ lane: '', ops: [{ op: 'room.clear', room: room!.nid, limit: 10 }] })
    assert.deepEqual(await server.verify(), [], 'half of it is gone')
    await server.restart()
    await world.pass(2 * HOUR)
    assert.equal(await server.count('SELECT COUNT(*) AS n FROM events WHERE room = ?1', room!.nid), 0)
    assert.deepEqual(texts(await all(bob, other)), ['kept'])
  }))
