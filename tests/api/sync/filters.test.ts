import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json, Query } from '../../support/api-client.ts'
import {
  createRoom,
  eventIds,
  inRoom,
  join,
  leave,
  roomOf,
  say,
  setState,
  sync,
  syncWith,
  texts,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

async function token(who: ApiClient): Promise<string> {
  return (await sync(who)).next_batch
}

/** One room of a sync with a filter. */
async function section(who: ApiClient, roomId: string, filter: Json, query: Query = {}): Promise<Json> {
  return (await syncWith(who, filter, query)).rooms?.join?.[roomId]
}

const types = (events: readonly Json[]): string[] => events.map((event) => event.type)

/** State keys of the member events among events, sorted. */
const membersIn = (events: readonly Json[]): string[] =>
  events
    .filter((event) => event.type === 'm.room.member')
    .map((event) => event.state_key)
    .sort()

test('§5.11 a filter that was stored works by its id, for its owner alone', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  for (let i = 0; i < 5; i++) await say(alice, roomId, `n${i}`)
  const url = `${V3}/user/${encodeURIComponent(bob.userId)}/filter`
  const { filter_id } = await bob.post(url, { room: { timeline: { limit: 2 } } })
  const { timeline } = (await sync(bob, { filter: filter_id })).rooms.join[roomId]
  assert.deepEqual(texts(timeline.events), ['n3', 'n4'])
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${V3}/sync?filter=${filter_id}7`)
})

test('a filter that is not there and one that is broken are refused', async () => {
  const broken = [
    '99',
    'x',
    '-1',
    '{',
    '{"room":[]}',
    '{"room":{"timeline":{"limit":"many"}}}',
    '{"room":{"timeline":{"rooms":["not a room"]}}}',
    '{"room":{"rooms":["not a room"]}}',
    '{"room":{"timeline":{"senders":["not a sender"]}}}',
    '{"room":{"timeline":{"contains_url":"yes"}}}',
    '{"event_format":"x"}',
    '{"room":{"rooms":["nonsense"]}}',
    '{"room":{"not_rooms":["#a:b"]}}',
    '{"room":{"state":{"rooms":["!a:b",""]}}}',
  ]
  for (const filter of [...broken, '{"room":{"timeline":{"types":[1]}}}', '{"event_fields":"content"}']) {
    await alice.refused('400 M_INVALID_PARAM', 'GET', `${V3}/sync?filter=${encodeURIComponent(filter)}`)
  }
})

test('rooms and not_rooms choose rooms', async () => {
  const bob = await server.user('bob')
  const [one, two] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const ask = async (room: Json) => Object.keys((await syncWith(bob, { room })).rooms?.join ?? {})
  assert.deepEqual(await ask({ rooms: [one] }), [one])
  assert.deepEqual(await ask({ not_rooms: [one] }), [two])
  assert.deepEqual(await ask({ rooms: [one], not_rooms: [one] }), [])
  assert.deepEqual(await ask({ rooms: [] }), [])
})

test('rooms of the timeline filter leave the room but not its timeline', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  await say(alice, roomId, 'x')
  const { timeline, state } = await section(bob, roomId, { room: { timeline: { not_rooms: [roomId] } } })
  assert.deepEqual(timeline.events, [])
  assert.ok(types(state.events).includes('m.room.create'))
})

test('the limit of the timeline is obeyed, from one to a hundred', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  for (let i = 0; i < 12; i++) await say(alice, roomId, `n${i}`)
  const ask = async (limit: number) =>
    (await section(bob, roomId, { room: { timeline: { limit } } })).timeline
  assert.deepEqual(texts((await ask(1)).events), ['n11'])
  const none = await ask(0)
  assert.deepEqual([none.events, none.limited], [[], true])
  assert.equal((await ask(12)).events.length, 12)
  const whole = await ask(100_000)
  assert.deepEqual([whole.events[0].type, whole.limited], ['m.room.create', false])
})

test('types and senders of the timeline are obeyed and the timeline is filled from further back', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  for (let i = 0; i < 20; i++) await say(i % 4 === 0 ? bob : alice, roomId, `n${i}`)
  const timeline = { senders: [bob.userId], types: ['m.room.message'], limit: 3 }
  const got = (await section(alice, roomId, { room: { timeline } })).timeline
  assert.deepEqual([texts(got.events), got.limited], [['n8', 'n12', 'n16'], true])
})

test('state that the timeline filter keeps out still reaches the client as state (§5.11)', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await setState(alice, roomId, 'm.room.topic', { topic: 'a' })
  await say(alice, roomId, 'words')
  await setState(alice, roomId, 'm.room.name', { name: 'b' })
  const filters: Json[] = [{ types: ['m.room.message'] }, { types: [] }, { not_types: ['m.room.*'] }]
  for (const timeline of filters) {
    const part = await section(bob, roomId, { room: { timeline } }, { since })
    assert.deepEqual(
      types(part.state.events).sort(),
      ['m.room.name', 'm.room.topic'],
      JSON.stringify(timeline),
    )
  }
})

test('a state filter chooses among state', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'n' })
  for (let i = 0; i < 12; i++) await say(alice, roomId, `n${i}`)
  const ask = async (state: Json) =>
    types((await section(bob, roomId, { room: { state } })).state.events).sort()
  assert.deepEqual(await ask({ types: ['m.room.name'] }), ['m.room.name'])
  assert.ok(!(await ask({ not_types: ['m.room.member'] })).includes('m.room.member'))
  assert.deepEqual(await ask({ types: [] }), [])
  assert.deepEqual(await ask({ senders: [bob.userId] }), ['m.room.member'])
  assert.deepEqual(await ask({ not_rooms: [roomId] }), [])
})

test('a filter that lets nothing through keeps a waiting sync asleep', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  const filter = { room: { timeline: { types: ['com.example.rare'] } } }
  const waiting = syncWith(bob, filter, { since, timeout: 300 })
  await say(alice, roomId, 'not rare')
  const answer = await waiting
  assert.equal(answer.rooms, undefined)
  const rare = inRoom(roomId, 'send', 'com.example.rare', alice.txn())
  const again = syncWith(bob, filter, { since: answer.next_batch, timeout: 30_000 })
  await say(alice, roomId, 'not rare either')
  await alice.put(rare, {})
  assert.deepEqual(types((await again).rooms.join[roomId].timeline.events), ['com.example.rare'])
})

test('account data has filters of its own', async () => {
  const bob = await server.user('bob')
  const base = `${V3}/user/${encodeURIComponent(bob.userId)}`
  const roomId = await roomOf([alice, bob])
  await bob.put(`${base}/account_data/com.example.a`, {})
  await bob.put(`${base}/account_data/com.example.b`, {})
  for (const type of ['com.example.c', 'com.example.d']) {
    await bob.put(`${base}/rooms/${encodeURIComponent(roomId)}/account_data/${type}`, {})
  }
  const filter = {
    account_data: { types: ['com.example.a'] },
    room: { account_data: { not_types: ['*.c'] } },
  }
  const answer = await syncWith(bob, filter)
  assert.deepEqual(types(answer.account_data.events), ['com.example.a'])
  assert.deepEqual(types(answer.rooms.join[roomId].account_data.events), ['com.example.d'])
  const of = async (filter: Json) =>
    types((await syncWith(bob, { room: { account_data: filter } })).rooms.join[roomId].account_data.events)
  assert.deepEqual(await of({ not_rooms: [roomId] }), [])
  assert.deepEqual(await of({ rooms: [] }), [])
  assert.deepEqual(await of({ rooms: [roomId] }), ['com.example.c', 'com.example.d'])
  assert.deepEqual(await of({ not_senders: [bob.userId] }), [])
  await bob.put(`${base}/account_data/com.example.link`, { url: 'mxc://test.example/a' })
  const linked = await syncWith(bob, { account_data: { contains_url: true } })
  assert.deepEqual(types(linked.account_data.events), ['com.example.link'])
})

test('event_format federation gives events as servers exchange them', async () => {
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'hello')
  const filter = { event_format: 'federation', room: { timeline: { limit: 1 } } }
  const answer = await alice.get(`${V3}/sync`, { filter: JSON.stringify(filter) }, { events: false })
  const { timeline, state } = answer.rooms.join[roomId]
  for (const event of [...timeline.events, ...state.events]) {
    assert.ok(Array.isArray(event.auth_events) && event.hashes && event.signatures, JSON.stringify(event))
  }
})

test('contains_url chooses events with and without', async () => {
  const roomId = await roomOf([alice])
  const since = (await sync(alice)).next_batch
  const image = { msgtype: 'm.image', body: 'a', url: 'mxc://test.example/a' }
  await alice.put(inRoom(roomId, 'send', 'm.room.message', alice.txn()), image)
  await say(alice, roomId, 'b')
  for (const [contains_url, expected] of [
    [true, ['a']],
    [false, ['b']],
  ] as const) {
    const answer = await syncWith(alice, { room: { timeline: { contains_url } } }, { since })
    assert.deepEqual(texts(answer.rooms.join[roomId].timeline.events), expected)
  }
})

test('related_by_senders and related_by_rel_types choose events that others relate to', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = (await sync(alice)).next_batch
  const [liked, threaded] = [await say(alice, roomId, 'liked'), await say(alice, roomId, 'threaded')]
  await say(alice, roomId, 'alone')
  const relate = (who: ApiClient, type: string, rel_type: string, event_id: string): Promise<Json> => {
    const relates = { rel_type, event_id, ...(type === 'm.reaction' ? { key: '+' } : {}) }
    const content = { msgtype: 'm.text', body: 'related', 'm.relates_to': relates }
    return who.put(inRoom(roomId, 'send', type, who.txn()), content)
  }
  await relate(bob, 'm.reaction', 'm.annotation', liked)
  await relate(bob, 'm.room.message', 'm.thread', threaded)
  await relate(alice, 'm.reaction', 'm.annotation', threaded)
  const cases: [Json, string[]][] = [
    [{ related_by_senders: [bob.userId] }, ['liked', 'threaded']],
    [{ related_by_senders: [alice.userId] }, ['threaded']],
    [{ related_by_rel_types: ['m.annotation'] }, ['liked', 'threaded']],
    [{ related_by_rel_types: ['m.annotation'], related_by_senders: [bob.userId] }, ['liked']],
    [{ related_by_rel_types: ['m.thread', 'm.reference'] }, ['threaded']],
    [{ related_by_rel_types: [] }, []],
    [{ related_by_rel_types: ['m.thread'], types: ['m.other'] }, []],
  ]
  for (const [timeline, expected] of cases) {
    const answer = await syncWith(alice, { room: { timeline } }, { since })
    assert.deepEqual(texts(answer.rooms?.join[roomId].timeline.events ?? []), expected)
    const filter = JSON.stringify(timeline)
    const { chunk } = await alice.get(inRoom(roomId, 'messages'), { dir: 'f', from: since, filter })
    assert.deepEqual(texts(chunk), expected)
  }
  const bad = { room: { timeline: { related_by_senders: Array(101).fill('@a:x') } } }
  const url = `${V3}/sync?filter=${encodeURIComponent(JSON.stringify(bad))}`
  await alice.refused('400 M_INVALID_PARAM', 'GET', url)
})

test('types with stars', async () => {
  const roomId = await roomOf([alice])
  const since = (await sync(alice)).next_batch
  for (const type of ['org.example.a', 'org.example.b.c', 'com.example.a']) {
    await alice.put(inRoom(roomId, 'send', type, alice.txn()), {})
  }
  const shown = async (timeline: Json): Promise<string[]> => {
    const answer = await syncWith(alice, { room: { timeline } }, { since })
    return (answer.rooms?.join[roomId].timeline.events ?? []).map((event: Json) => event.type)
  }
  assert.deepEqual(await shown({ types: ['org.*'] }), ['org.example.a', 'org.example.b.c'])
  assert.deepEqual(await shown({ types: ['*.a'] }), ['org.example.a', 'com.example.a'])
  assert.deepEqual(await shown({ types: ['*'], not_types: ['org.*.c', 'com.example.?'] }), [
    'org.example.a',
    'com.example.a',
  ])
})

test('event_fields leaves only the fields that were asked for', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  await say(alice, roomId, 'short')
  const event_fields = ['type', 'content.body', 'sender']
  const filter = { event_fields, room: { timeline: { limit: 1, types: ['m.room.message'] } } }
  /* What is left of an event is less than its schema asks for. */
  const url = `${V3}/sync?filter=${encodeURIComponent(JSON.stringify(filter))}`
  const reply = await server.assembled.dispatches.client({
    method: 'GET',
    url,
    headers: { authorization: `Bearer ${bob.token}` },
    remote: '127.0.0.1',
    signal: new AbortController().signal,
  })
  const { events } = JSON.parse(String(reply.body)).rooms.join[roomId].timeline
  assert.deepEqual(events, [{ type: 'm.room.message', content: { body: 'short' }, sender: alice.userId }])
  const whole = await section(bob, roomId, { ...filter, event_fields: [] })
  assert.equal(typeof whole.timeline.events[0].event_id, 'string', 'no fields named: all of them')
})

async function crowdedRoom(count: number): Promise<{ roomId: string; crowd: ApiClient[] }> {
  const crowd = await Promise.all(Array.from({ length: count }, () => server.user('member')))
  return { roomId: await roomOf([alice, ...crowd]), crowd }
}

const LAZY = { room: { state: { lazy_load_members: true }, timeline: { limit: 2 } } }

test('§5.11 lazy loading: senders of the timeline, oneself and the heroes, nobody else', async () => {
  const { roomId, crowd } = await crowdedRoom(9)
  const [bob, carol] = crowd as [ApiClient, ApiClient]
  await setState(alice, roomId, 'm.room.name', { name: 'no heroes needed' })
  await say(carol, roomId, 'a')
  await say(carol, roomId, 'b')
  const { state, summary } = await section(bob, roomId, LAZY)
  assert.equal(summary['m.heroes'], undefined)
  assert.deepEqual(membersIn(state.events), [bob.userId, carol.userId].sort())
})

test('§5.11 lazy loading brings the members that a room is named after', async () => {
  const { roomId, crowd } = await crowdedRoom(9)
  const [bob, carol] = crowd as [ApiClient, ApiClient]
  await say(carol, roomId, 'a')
  await say(carol, roomId, 'b')
  const { state, summary } = await section(bob, roomId, LAZY)
  const wanted = new Set([...summary['m.heroes'], bob.userId, carol.userId])
  assert.deepEqual(membersIn(state.events), [...wanted].sort())
})

test('§5.11 lazy loading does not repeat a member to a device that knows it, but to another', async () => {
  const { roomId, crowd } = await crowdedRoom(3)
  const [bob, carol] = crowd as [ApiClient, ApiClient]
  await setState(alice, roomId, 'm.room.name', { name: 'n' })
  await say(alice, roomId, 'x')
  const phone = await server.device(bob)
  const first = await syncWith(bob, LAZY)
  const phoneFirst = await syncWith(phone, LAZY)
  await say(carol, roomId, 'one')
  const second = await syncWith(bob, LAZY, { since: first.next_batch })
  assert.deepEqual(membersIn(second.rooms.join[roomId].state.events), [carol.userId])
  await say(carol, roomId, 'two')
  const third = await syncWith(bob, LAZY, { since: second.next_batch })
  assert.deepEqual(membersIn(third.rooms.join[roomId].state.events), [])
  const onPhone = await syncWith(phone, LAZY, { since: phoneFirst.next_batch })
  assert.deepEqual(membersIn(onPhone.rooms.join[roomId].state.events), [carol.userId])
})

test('an answer that was lost does not make its members known', async () => {
  const { roomId, crowd } = await crowdedRoom(3)
  const [bob, carol] = crowd as [ApiClient, ApiClient]
  await setState(alice, roomId, 'm.room.name', { name: 'n' })
  const first = await syncWith(bob, LAZY)
  await say(carol, roomId, 'one')
  for (let i = 0; i < 3; i++) {
    const again = await syncWith(bob, LAZY, { since: first.next_batch })
    assert.deepEqual(membersIn(again.rooms.join[roomId].state.events), [carol.userId])
  }
})

test('include_redundant_members repeats them', async () => {
  const { roomId, crowd } = await crowdedRoom(2)
  const [bob, carol] = crowd as [ApiClient, ApiClient]
  const state = { lazy_load_members: true, include_redundant_members: true }
  const filter = { room: { state, timeline: { limit: 2 } } }
  const first = await syncWith(bob, filter)
  await say(carol, roomId, 'one')
  const second = await syncWith(bob, filter, { since: first.next_batch })
  await say(carol, roomId, 'two')
  const third = await syncWith(bob, filter, { since: second.next_batch })
  for (const answer of [second, third]) {
    assert.ok(membersIn(answer.rooms.join[roomId].state.events).includes(carol.userId))
  }
})

test('§5.11 lazy loading: a limited sync has all changes of members in the gap', async () => {
  const { roomId, crowd } = await crowdedRoom(3)
  const [bob, carol, dora] = crowd as [ApiClient, ApiClient, ApiClient]
  const first = await syncWith(bob, LAZY)
  await leave(carol, roomId)
  await leave(dora, roomId)
  for (let i = 0; i < 4; i++) await say(alice, roomId, `n${i}`)
  const { state, timeline } = await section(bob, roomId, LAZY, { since: first.next_batch })
  assert.equal(timeline.limited, true)
  for (const who of [carol, dora]) assert.ok(membersIn(state.events).includes(who.userId))
})

test('lazy loading with state_after brings the senders as they are at the end', async () => {
  const { roomId, crowd } = await crowdedRoom(2)
  const [bob, carol] = crowd as [ApiClient, ApiClient]
  await setState(alice, roomId, 'm.room.name', { name: 'n' })
  await say(alice, roomId, 'x')
  const first = await syncWith(bob, LAZY, { use_state_after: true })
  await say(carol, roomId, 'one')
  const part = await section(bob, roomId, LAZY, { since: first.next_batch, use_state_after: true })
  assert.equal(part.state, undefined)
  assert.deepEqual(membersIn(part.state_after.events), [carol.userId])
})

test('§5.11 heroes: the first five who are in, never oneself, and only without a name', async () => {
  const { roomId, crowd } = await crowdedRoom(7)
  const bob = crowd[0]!
  const summaryOf = async () => (await section(bob, roomId, {})).summary
  const summary = await summaryOf()
  assert.equal(summary['m.joined_member_count'], 8)
  assert.equal(summary['m.heroes'].length, 5)
  assert.ok(!summary['m.heroes'].includes(bob.userId))
  await setState(alice, roomId, 'm.room.name', { name: 'named' })
  assert.equal((await summaryOf())['m.heroes'], undefined)
  await setState(alice, roomId, 'm.room.name', { name: '' })
  assert.equal((await summaryOf())['m.heroes'].length, 5)
})

test('§5.11 heroes: those who left, where nobody else is there', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  const roomId = await roomOf([bob, carol])
  await leave(carol, roomId)
  const { summary } = await section(bob, roomId, {})
  assert.deepEqual(summary, {
    'm.heroes': [carol.userId],
    'm.joined_member_count': 1,
    'm.invited_member_count': 0,
  })
})

test('§5.11 counts of a summary follow joins, invites and leaves, and are left out while they stay', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  const roomId = await createRoom(bob, { invite: [carol.userId] })
  const count = async (query: Query = {}) => {
    const answer = await sync(bob, query)
    const { summary } = answer.rooms.join[roomId]
    return {
      since: answer.next_batch,
      counts: [summary['m.joined_member_count'], summary['m.invited_member_count']],
    }
  }
  const first = await count()
  assert.deepEqual(first.counts, [1, 1])
  await join(carol, roomId)
  const second = await count({ since: first.since })
  assert.deepEqual(second.counts, [2, 0])
  await leave(carol, roomId)
  assert.deepEqual((await count({ since: second.since })).counts, [1, 0])
})

test('an incremental sync without changes of members has no counts', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await say(alice, roomId, 'x')
  const { summary } = (await sync(bob, { since })).rooms.join[roomId]
  assert.equal(summary?.['m.joined_member_count'], undefined)
})

test('full_state with lazy loading leaves the others out', async () => {
  const { roomId, crowd } = await crowdedRoom(9)
  const bob = crowd[0]!
  await setState(alice, roomId, 'm.room.name', { name: 'n' })
  const since = await token(bob)
  const { state } = await section(bob, roomId, LAZY, { since, full_state: true })
  assert.deepEqual(membersIn(state.events), [bob.userId])
  assert.equal(new Set(eventIds(state.events)).size, state.events.length)
})
