import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import { sweepHandler } from '#/services/jobs/sweep.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  allState,
  getEvent,
  getState,
  inRoom,
  join,
  leave,
  messages,
  redact,
  roomOf,
  say,
  setState,
  sync,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}')

const RETENTION_MS = 1000 * 3600

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let carol: ApiClient
before(async () => {
  server = await TestServer.start({ redactionRetentionMs: RETENTION_MS })
  alice = await server.user('alice')
  bob = await server.user('bob')
  carol = await server.user('carol')
})
after(() => server.close())

const redactUrl = (who: ApiClient, roomId: string, eventId: string): string =>
  inRoom(roomId, 'redact', eventId, who.txn())

async function original(eventId: string): Promise<string | undefined> {
  const row = await server.store.events.byId(eventId)
  const found = (await server.ask('SELECT json FROM event_originals WHERE event = ?1', row!.nid))[0]
  return found?.['json'] as string | undefined
}

for (const version of ['1', '3', '10', '11', '12']) {
  test(`version ${version}: one redacts an own message; its content is gone and says why`, async () => {
    const roomId = await roomOf([alice, bob], { room_version: version })
    const target = await say(bob, roomId, 'oh no')
    const redaction = await redact(bob, roomId, target, 'typo')
    const event = await getEvent(alice, roomId, target)
    assert.deepEqual(event.content, {})
    assert.equal(event.unsigned.redacted_because.event_id, redaction)
    assert.equal(event.unsigned.redacted_because.content.reason, 'typo')
    const itself = await getEvent(alice, roomId, redaction)
    assert.deepEqual([itself.redacts, itself.content.redacts], [target, target], '§5.3 in both places')
  })
}

test('§5.3 redacts stands in the content from version 11 and at the top before, as other servers see it', async () => {
  for (const [version, inContent] of [
    ['10', false],
    ['11', true],
  ] as const) {
    const roomId = await roomOf([alice], { room_version: version })
    const redaction = await redact(alice, roomId, await say(alice, roomId, 'x'))
    const row = await server.store.events.byId(redaction)
    const json = JSON.parse(row!.json)
    const target = inContent ? json.content.redacts : json.redacts
    assert.ok(target.startsWith('$'))
    assert.equal(inContent ? json.redacts : json.content.redacts, undefined)
  }
})

test('who has the level redacts what others wrote, who has not does not', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const target = await say(bob, roomId, 'rude')
  await carol.refused('403 M_FORBIDDEN', 'PUT', redactUrl(carol, roomId, target), {})
  assert.equal((await getEvent(bob, roomId, target)).content.body, 'rude')
  await redact(alice, roomId, target)
  assert.deepEqual((await getEvent(bob, roomId, target)).content, {})
})

test('the level for the redaction event itself is asked for', async () => {
  const roomId = await roomOf([alice, bob], {
    power_level_content_override: { events: { 'm.room.redaction': 50 } },
  })
  const target = await say(bob, roomId, 'stays')
  await bob.refused('403 M_FORBIDDEN', 'PUT', redactUrl(bob, roomId, target), {})
})

test('an event that is not there, or in another room, is refused in the same words', async () => {
  const roomId = await roomOf([alice])
  const other = await roomOf([alice])
  const elsewhere = await say(alice, other, 'elsewhere')
  const known = await alice.refused('400 M_INVALID_PARAM', 'PUT', redactUrl(alice, roomId, elsewhere), {})
  const unknown = await alice.refused('400 M_INVALID_PARAM', 'PUT', redactUrl(alice, roomId, '$nothing'), {})
  assert.equal(known.error, unknown.error)
  await alice.refused('400 M_INVALID_PARAM', 'PUT', redactUrl(alice, roomId, 'nothing'), {})
  assert.equal((await getEvent(alice, other, elsewhere)).content.body, 'elsewhere')
})

test('those outside learn nothing by redacting: a known and an unknown event are refused alike', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'secret')
  await leave(bob, roomId)
  for (const who of [bob, carol]) {
    const known = await who.refused('403 M_FORBIDDEN', 'PUT', redactUrl(who, roomId, target), {})
    const unknown = await who.refused('403 M_FORBIDDEN', 'PUT', redactUrl(who, roomId, '$none'), {})
    assert.deepEqual(known, unknown)
  }
})

test('§5.3 a redacted topic is an absent topic, and still the state', async () => {
  const roomId = await roomOf([alice, bob], { topic: 'before' })
  const topic = await setState(alice, roomId, 'm.room.topic', { topic: 'bad words' })
  await redact(alice, roomId, topic)
  assert.deepEqual(await getState(bob, roomId, 'm.room.topic'), {})
  const event = (await allState(bob, roomId)).get('m.room.topic|')
  assert.equal(event.event_id, topic)
  assert.ok(event.unsigned.redacted_because)
})

test('§5.3 who redacts an own join stays in the room', async () => {
  const roomId = await roomOf([alice, bob])
  const member = (await allState(bob, roomId)).get(`m.room.member|${bob.userId}`)
  await redact(bob, roomId, member.event_id)
  await say(bob, roomId, 'still here')
  assert.deepEqual(await getState(alice, roomId, 'm.room.member', bob.userId), { membership: 'join' })
  const { joined } = await alice.get(inRoom(roomId, 'joined_members'))
  assert.deepEqual(joined[bob.userId], {})
})

test('what follows a redacted state event does not show what it said (adv-57)', async () => {
  const roomId = await roomOf([alice, bob])
  const first = await setState(alice, roomId, 'm.room.topic', { topic: 'bad words' })
  const second = await setState(alice, roomId, 'm.room.topic', { topic: 'good words' })
  const { next_batch } = await sync(bob)
  assert.equal((await getEvent(bob, roomId, second)).unsigned.prev_content.topic, 'bad words')
  await redact(alice, roomId, first)
  assert.deepEqual((await getEvent(bob, roomId, second)).unsigned.prev_content, {})
  const again = JSON.stringify(await sync(bob))
  assert.ok(!again.includes('bad words'))
  assert.ok(!JSON.stringify(await messages(bob, roomId, { limit: 100 })).includes('bad words'))
  assert.ok(!JSON.stringify(await sync(bob, { since: next_batch })).includes('bad words'))
})

test('after a redaction no way of reading shows the words any more (adv-57)', async () => {
  const roomId = await roomOf([alice, bob])
  const before = await sync(bob)
  const target = await say(alice, roomId, 'unspeakable')
  await sync(bob, { since: before.next_batch })
  await messages(bob, roomId)
  await redact(alice, roomId, target)
  const ways = [
    await getEvent(bob, roomId, target),
    await messages(bob, roomId, { limit: 50 }),
    await messages(bob, roomId, { dir: 'f', limit: 50 }),
    await sync(bob),
    await sync(bob, { since: before.next_batch }),
  ]
  for (const way of ways) assert.ok(!JSON.stringify(way).includes('unspeakable'))
})

test('a redaction of a redaction leaves the first in force, and its reason gone', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'words')
  const first = await redact(alice, roomId, target, 'a reason')
  await redact(alice, roomId, first)
  const event = await getEvent(bob, roomId, target)
  assert.deepEqual(event.content, {})
  assert.ok(!JSON.stringify(event).includes('a reason'))
})

test('two redactions that aim at each other end (adv-13)', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'words')
  const first = await redact(alice, roomId, target)
  const second = await redact(alice, roomId, first)
  await redact(alice, roomId, second)
  for (const eventId of [target, first, second]) await getEvent(alice, roomId, eventId)
  assert.ok((await messages(alice, roomId, { limit: 50 })).chunk.length > 3)
})

test('a second redaction changes nothing: the first stays the reason', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(bob, roomId, 'twice')
  const first = await redact(bob, roomId, target)
  await redact(alice, roomId, target)
  assert.equal((await getEvent(bob, roomId, target)).unsigned.redacted_because.event_id, first)
  assert.ok((await original(target))?.includes('twice'), 'and the kept original is the original')
})

for (const version of ['1', '2', '11']) {
  test(`version ${version}: being of the same server is no licence to redact what others wrote`, async () => {
    const roomId = await roomOf([alice, bob, carol], { room_version: version })
    const target = await say(bob, roomId, 'mine')
    await carol.refused('403 M_FORBIDDEN', 'PUT', redactUrl(carol, roomId, target), {})
    const sent = inRoom(roomId, 'send', 'm.room.redaction', carol.txn())
    await carol.refused('403 M_FORBIDDEN', 'PUT', sent, { redacts: target })
  })
}

for (const version of ['1', '9', '10', '11', '12']) {
  test(`version ${version}: the create event is not redacted, the room keeps its version (adv-14, adv-22)`, async () => {
    const roomId = await roomOf([alice, bob], { room_version: version })
    const create = (await allState(alice, roomId)).get('m.room.create|')
    await alice.refused('403 M_FORBIDDEN', 'PUT', redactUrl(alice, roomId, create.event_id), {})
    assert.equal((await getState(alice, roomId, 'm.room.create')).room_version, version)
    await say(bob, roomId, 'as before')
  })
}

test('a redaction is no state event, and names what it redacts, now as later', async () => {
  const roomId = await roomOf([alice])
  const eventId = await say(alice, roomId, 'stays')
  for (const delay of ['', '?org.matrix.msc4140.delay=1000']) {
    const asState = inRoom(roomId, 'state', 'm.room.redaction', '') + delay
    await alice.refused('400 M_INVALID_PARAM', 'PUT', asState, { redacts: eventId })
    const asMessage = inRoom(roomId, 'send', 'm.room.redaction', alice.txn()) + delay
    for (const content of [{}, { redacts: 5 }, { redacts: null }]) {
      await alice.refused('400 M_BAD_JSON', 'PUT', asMessage, content)
    }
  }
  const initial_state = [{ type: 'm.room.redaction', content: { redacts: eventId } }]
  await alice.refused('400 M_INVALID_PARAM', 'POST', `${V3}/createRoom`, { initial_state })
  assert.equal((await getEvent(alice, roomId, eventId)).content.body, 'stays')
})

test('a server ACL is not redacted', async () => {
  const roomId = await roomOf([alice])
  const acl = await setState(alice, roomId, 'm.room.server_acl', {
    allow: ['*'],
    deny: [],
    allow_ip_literals: true,
  })
  await alice.refused('403 M_FORBIDDEN', 'PUT', redactUrl(alice, roomId, acl), {})
})

test('redacting power levels keeps the levels that the version keeps', async () => {
  const roomId = await roomOf([alice, bob])
  const levels = (await allState(alice, roomId)).get('m.room.power_levels|')
  await redact(alice, roomId, levels.event_id)
  const after = await getState(alice, roomId, 'm.room.power_levels')
  assert.deepEqual([after.ban, after.invite, after.historical], [50, 50, undefined])
  await bob.refused('403 M_FORBIDDEN', 'PUT', inRoom(roomId, 'state', 'm.room.name', ''), { name: 'x' })
})

test('a transaction id redacts once', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'x')
  const url = redactUrl(alice, roomId, target)
  const ids = await Promise.all([1, 2, 3, 4].map(() => alice.put(url, { reason: 'r' })))
  assert.equal(new Set(ids.map((answer: Json) => answer.event_id)).size, 1)
  assert.equal((await alice.put(url, {})).event_id, ids[0].event_id)
})

test('a redaction may be sent as an event whose content names its target', async () => {
  for (const version of ['10', '11']) {
    const roomId = await roomOf([alice, bob], { room_version: version })
    const target = await say(alice, roomId, 'sent')
    const url = inRoom(roomId, 'send', 'm.room.redaction', alice.txn())
    const { event_id } = await alice.put(url, { redacts: target, reason: 'by sending' })
    const event = await getEvent(bob, roomId, target)
    assert.deepEqual([event.content, event.unsigned.redacted_because.event_id], [{}, event_id])
  }
})

test('the body of a redaction may be empty or absent', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'x')
  const { status } = await alice.call('PUT', redactUrl(alice, roomId, target))
  assert.equal(status, 200)
})

test('the original is kept for its time and then swept', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'kept for a while')
  await redact(alice, roomId, target)
  assert.ok((await original(target))?.includes('kept for a while'))
  const sweepAt = async (ms: number) => {
    const clock = { ...realWorld.clock, now: () => realWorld.clock.now() + ms }
    await sweepHandler(server.store, clock)({ kind: 'sweep', key: 'all', dueTs: 0, attempts: 0, data: '{}' })
  }
  await sweepAt(RETENTION_MS - 60_000)
  assert.ok(await original(target), 'not before its time')
  await sweepAt(RETENTION_MS + 60_000)
  assert.equal(await original(target), undefined)
  assert.ok((await getEvent(alice, roomId, target)).unsigned.redacted_because)
})

test('redactions beside each other in one room all take effect', async () => {
  const roomId = await roomOf([alice])
  const targets = await Promise.all(Array.from({ length: 10 }, (_, i) => say(alice, roomId, `w${i}`)))
  await Promise.all(targets.map((target) => redact(alice, roomId, target)))
  for (const target of targets) assert.deepEqual((await getEvent(alice, roomId, target)).content, {})
})

test('an incremental sync tells the redaction to those who have the event already', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'x')
  const { next_batch } = await sync(bob)
  const redaction = await redact(alice, roomId, target)
  const { timeline } = (await sync(bob, { since: next_batch })).rooms.join[roomId]
  assert.equal(timeline.events.length, 1)
  assert.deepEqual([timeline.events[0].event_id, timeline.events[0].redacts], [redaction, target])
})

test('who joined after a redaction sees the redacted form', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'before your time')
  await redact(alice, roomId, target)
  await join(carol, roomId)
  assert.deepEqual((await getEvent(carol, roomId, target)).content, {})
})
