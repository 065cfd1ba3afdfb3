import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TIMESTAMP_SCAN_MAX } from '#/services/rooms/read/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  eventIds,
  inRoom,
  join,
  leave,
  messages,
  redact,
  roomOf,
  say,
  setState,
  texts,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}',
  'GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event',
)

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

function context(who: ApiClient, roomId: string, eventId: string, query: Json = {}): Promise<Json> {
  return who.get(inRoom(roomId, 'context', eventId), query)
}

function nearest(who: ApiClient, roomId: string, ts: number, dir: string): Promise<Json> {
  const url = inRoom(roomId, 'timestamp_to_event').replace('/v3/', '/v1/')
  return who.get(url, { ts, dir })
}

const withFilter = (filter: Json): Json => ({ filter: JSON.stringify(filter) })

async function sayMany(who: ApiClient, roomId: string, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < count; i++) ids.push(await say(who, roomId, `m${i}`))
  return ids
}

test('the events around one, newest first before and oldest first behind, and the state at the end', async () => {
  const roomId = await createRoom(alice, { name: 'around' })
  const ids = await sayMany(alice, roomId, 9)
  const found = await context(alice, roomId, ids[4]!, { limit: 5 })
  assert.equal(found.event.event_id, ids[4])
  assert.deepEqual(texts(found.events_before), ['m3', 'm2'])
  assert.deepEqual(texts(found.events_after), ['m5', 'm6', 'm7'])
  const state = new Map(found.state.map((event: Json) => [event.type, event]))
  assert.equal((state.get('m.room.name') as Json).content.name, 'around')
  assert.ok(state.has('m.room.member') && state.has('m.room.create'))
})

test('its tokens go on in both directions without gap or repetition', async () => {
  const roomId = await createRoom(alice)
  const ids = await sayMany(alice, roomId, 9)
  const found = await context(alice, roomId, ids[4]!, { limit: 4 })
  const back = await messages(alice, roomId, { dir: 'b', from: found.start, limit: 2 })
  assert.deepEqual(texts(back.chunk), ['m1', 'm0'])
  const on = await messages(alice, roomId, { dir: 'f', from: found.end, limit: 10 })
  assert.deepEqual(texts(on.chunk), ['m7', 'm8'])
})

test('without a limit ten events, with limit 0 none, but always the event', async () => {
  const roomId = await createRoom(alice)
  const ids = await sayMany(alice, roomId, 15)
  const plain = await context(alice, roomId, ids[7]!)
  assert.equal(plain.events_before.length + plain.events_after.length, 10)
  const none = await context(alice, roomId, ids[7]!, { limit: 0 })
  assert.deepEqual([none.events_before, none.events_after], [[], []])
  assert.equal(none.event.event_id, ids[7])
  const back = await messages(alice, roomId, { dir: 'b', from: none.start, limit: 1 })
  assert.deepEqual(eventIds(back.chunk), [ids[6]])
  const on = await messages(alice, roomId, { dir: 'f', from: none.end, limit: 1 })
  assert.deepEqual(eventIds(on.chunk), [ids[8]])
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${inRoom(roomId, 'context', ids[7]!)}?limit=-1`)
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${inRoom(roomId, 'context', ids[7]!)}?limit=x`)
})

test('at the ends of a room one side is empty and the tokens still stand', async () => {
  const roomId = await createRoom(alice)
  const last = await say(alice, roomId, 'last')
  const found = await context(alice, roomId, last, { limit: 4 })
  assert.deepEqual(found.events_after, [])
  await say(alice, roomId, 'later')
  const on = await messages(alice, roomId, { dir: 'f', from: found.end })
  assert.deepEqual(texts(on.chunk), ['later'])
  const [first] = (await messages(alice, roomId, { dir: 'f', limit: 1 })).chunk
  const start = await context(alice, roomId, first.event_id, { limit: 2 })
  assert.deepEqual(start.events_before, [])
  assert.equal(start.event.type, 'm.room.create')
  assert.ok(start.state.length > 0)
})

test('the state is that of the last event, not the present one', async () => {
  const roomId = await createRoom(alice, { name: 'old' })
  const id = await say(alice, roomId, 'then')
  await setState(alice, roomId, 'm.room.name', { name: 'new' })
  const found = await context(alice, roomId, id, { limit: 0 })
  const nameOf = (state: Json[]) => state.find((event) => event.type === 'm.room.name').content.name
  assert.equal(nameOf(found.state), 'old')
  const wider = await context(alice, roomId, id, { limit: 2 })
  assert.equal(nameOf(wider.state), 'new')
})

test('a filter holds for the events around and the state, not for the event', async () => {
  const roomId = await roomOf([alice, bob])
  const ids = await sayMany(alice, roomId, 4)
  await say(bob, roomId, 'bob says')
  const query = withFilter({ senders: [bob.userId] })
  const found = await context(alice, roomId, ids[2]!, query)
  assert.equal(found.event.sender, alice.userId)
  const senders = new Set([...found.events_before, ...found.events_after].map((event: Json) => event.sender))
  assert.deepEqual([...senders], [bob.userId])
  assert.deepEqual(
    found.state.map((event: Json) => event.sender),
    [bob.userId],
  )
  const nothing = await context(alice, roomId, ids[2]!, withFilter({ not_rooms: [roomId] }))
  assert.deepEqual([nothing.events_before, nothing.events_after, nothing.state], [[], [], []])
  const url = `${inRoom(roomId, 'context', ids[2]!)}?filter=`
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${url}nonsense`)
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${url}${encodeURIComponent('{"types":7}')}`)
})

test('with lazily loaded members the state holds those who sent something shown', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, bob, carol])
  await say(carol, roomId, 'far away')
  for (let i = 0; i < 5; i++) await say(alice, roomId, 'between')
  const id = await say(bob, roomId, 'here')
  const found = await context(alice, roomId, id, {
    limit: 4,
    ...withFilter({ lazy_load_members: true }),
  })
  const members = found.state.filter((event: Json) => event.type === 'm.room.member')
  const expected = [alice.userId, bob.userId].sort()
  assert.deepEqual(members.map((event: Json) => event.state_key).sort(), expected)
  assert.ok(found.state.some((event: Json) => event.type === 'm.room.create'))
})

test('adv-57: a redacted event comes redacted, in the middle and around', async () => {
  const roomId = await createRoom(alice)
  const ids = await sayMany(alice, roomId, 3)
  await redact(alice, roomId, ids[1]!)
  for (const id of ids) {
    const found = await context(alice, roomId, id)
    const all = [found.event, ...found.events_before, ...found.events_after]
    const event = all.find((other: Json) => other.event_id === ids[1])
    assert.deepEqual(event.content, {})
    assert.ok(event.unsigned.redacted_because)
  }
})

test('what the reader may not see is refused in the same words as what is not there', async () => {
  const roomId = await createRoom(alice)
  const id = await say(alice, roomId, 'secret')
  const other = await createRoom(bob)
  const url = inRoom(roomId, 'context', id)
  const stranger = await bob.refused('403 M_FORBIDDEN', 'GET', url)
  const nowhere = await bob.refused('403 M_FORBIDDEN', 'GET', inRoom('!nowhere:x', 'context', id))
  const unknown = await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(other, 'context', '$unknown'))
  const elsewhere = await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(other, 'context', id))
  assert.deepEqual([nowhere.error, elsewhere.error], [stranger.error, unknown.error])
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', url)
})

test('who left sees what was around then and nothing of later', async () => {
  const roomId = await roomOf([alice, bob])
  const ids = await sayMany(alice, roomId, 2)
  await leave(bob, roomId)
  await say(alice, roomId, 'after bob')
  const found = await context(bob, roomId, ids[1]!, { limit: 10 })
  assert.deepEqual(texts(found.events_after), [])
  assert.equal(found.events_after.at(-1).content.membership, 'leave')
})

test('who joined late does not see the hidden time before, whose events are left out', async () => {
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'joined' })
  const hidden = await say(alice, roomId, 'hidden')
  await join(bob, roomId)
  const shown = await say(alice, roomId, 'shown')
  await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'context', hidden))
  const found = await context(bob, roomId, shown, { limit: 20 })
  assert.ok(!eventIds(found.events_before).includes(hidden))
})

test('the event nearest to a time, in both directions', async () => {
  const roomId = await createRoom(alice)
  const ids = await sayMany(alice, roomId, 3)
  const { chunk } = await messages(alice, roomId, { dir: 'f', limit: 100 })
  const times = new Map<string, number>(chunk.map((event: Json) => [event.event_id, event.origin_server_ts]))
  const late = Math.max(...times.values())
  const last = await nearest(alice, roomId, late + 10_000, 'b')
  assert.deepEqual(last, { event_id: ids[2], origin_server_ts: times.get(ids[2]!) })
  const first = await nearest(alice, roomId, 0, 'f')
  assert.equal(first.event_id, chunk[0].event_id)
  const url = inRoom(roomId, 'timestamp_to_event').replace('/v3/', '/v1/')
  await alice.refused('404 M_NOT_FOUND', 'GET', `${url}?ts=${late + 10_000}&dir=f`)
  await alice.refused('404 M_NOT_FOUND', 'GET', `${url}?ts=0&dir=b`)
  const old = url.replace('/v1/', '/unstable/org.matrix.msc3030/')
  assert.equal((await alice.get(old, { ts: 0, dir: 'f' })).event_id, chunk[0].event_id)
})

test('a time needs a number and a direction, and the room a reader', async () => {
  const roomId = await createRoom(alice)
  const url = inRoom(roomId, 'timestamp_to_event').replace('/v3/', '/v1/')
  await alice.refused('400 M_MISSING_PARAM', 'GET', `${url}?dir=f`)
  await alice.refused('400 M_MISSING_PARAM', 'GET', `${url}?ts=1`)
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${url}?ts=x&dir=f`)
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${url}?ts=1&dir=x`)
  await bob.refused('403 M_FORBIDDEN', 'GET', `${url}?ts=1&dir=f`)
})

test('adv-50 the nearest event is one that the reader may see', async () => {
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'joined' })
  for (let i = 0; i < 120; i++) await say(alice, roomId, `hidden ${i}`)
  await join(bob, roomId)
  const found = await nearest(bob, roomId, 0, 'f')
  const event = await bob.get(inRoom(roomId, 'event', found.event_id))
  /* Shared history from before the change is visible to who joins later, so the first event is the create event. */
  assert.equal(event.type, 'm.room.create')
})

test('the nearest event is found behind more hidden ones than are looked at, in both directions', async () => {
  const [early, late] = [await server.user('early'), await server.user('late')]
  const roomId = await roomOf([alice, early])
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'joined' })
  await leave(early, roomId)
  const hidden = await say(alice, roomId, 'hidden')
  for (let i = 0; i < TIMESTAMP_SCAN_MAX + 100; i += 100) {
    await Promise.all(Array.from({ length: 100 }, () => say(alice, roomId, 'hidden too')))
  }
  await join(late, roomId)
  await say(alice, roomId, 'shown')
  const { origin_server_ts: start } = await alice.get(inRoom(roomId, 'event', hidden))
  const own = async (who: ApiClient, ts: number, dir: string): Promise<string> => {
    const { event_id } = await nearest(who, roomId, ts, dir)
    const { content, state_key } = await who.get(inRoom(roomId, 'event', event_id))
    assert.equal(state_key, who.userId)
    return content.membership
  }
  assert.equal(await own(late, start, 'f'), 'join')
  assert.equal(await own(early, Date.now() + 10_000, 'b'), 'leave')
})
