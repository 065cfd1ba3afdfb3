import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  allPages,
  createRoom,
  eventIds,
  inRoom,
  invite,
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

covers('GET /_matrix/client/v3/sync')

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

/** Milliseconds within which a waiting sync must hear of news, far below its timeout, on a busy machine. */
const SOON_MS = 2000
const LONG_MS = 30_000

const keys = (events: readonly Json[]): string[] =>
  events.map((event) => `${event.type}|${event.state_key}`).sort()

async function token(who: ApiClient): Promise<string> {
  return (await sync(who)).next_batch
}

/** A sync that waits; the answer, and that it came because of `news`. */
async function wakes(who: ApiClient, since: string, news: () => Promise<unknown>): Promise<Json> {
  const started = performance.now()
  const waiting = sync(who, { since, timeout: LONG_MS })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await news()
  const answer = await waiting
  assert.ok(performance.now() - started < SOON_MS, 'the sync was not woken')
  return answer
}

test('the first sync of a new account has its push rules, a token, and no rooms', async () => {
  const bob = await server.user('bob')
  const answer = await sync(bob)
  assert.deepEqual(
    answer.account_data.events.map((event: Json) => event.type),
    ['m.push_rules'],
  )
  assert.equal(answer.rooms, undefined)
  assert.ok(answer.next_batch)
})

test('an initial sync shows a room whole: timeline, and the state before it', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'one' })
  for (let i = 0; i < 12; i++) await say(alice, roomId, `n${i}`)
  const { timeline, state, summary } = (await sync(bob)).rooms.join[roomId]
  assert.deepEqual(
    texts(timeline.events),
    Array.from({ length: 10 }, (_, i) => `n${i + 2}`),
  )
  assert.equal(timeline.limited, true)
  assert.ok(keys(state.events).includes('m.room.create|'))
  assert.equal(state.events.length, 8, 'create, two members, levels, join rules, history, guests, name')
  assert.equal(summary['m.joined_member_count'], 2)
  for (const event of timeline.events) assert.equal(event.room_id, undefined)
})

test('§5.11 state and timeline of an initial sync do not overlap', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  await setState(alice, roomId, 'm.room.name', { name: 'first' })
  for (let i = 0; i < 9; i++) await say(alice, roomId, `n${i}`)
  await setState(alice, roomId, 'm.room.name', { name: 'second' })
  const { timeline, state } = (await sync(bob)).rooms.join[roomId]
  const ids = [...eventIds(timeline.events), ...eventIds(state.events)]
  assert.equal(new Set(ids).size, ids.length)
  const name = state.events.find((event: Json) => event.type === 'm.room.name')
  assert.equal(name.content.name, 'first', 'the name at the start of the timeline')
})

test('a sync without news answers at once, with the same token and nothing in it', async () => {
  const bob = await server.user('bob')
  const since = await token(bob)
  const answer = await sync(bob, { since })
  assert.deepEqual([answer.next_batch, answer.rooms, answer.account_data], [since, undefined, undefined])
})

test('§5.11 an incremental sync has what is new and no state, as long as nothing is left out', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await say(alice, roomId, 'a')
  await setState(alice, roomId, 'm.room.topic', { topic: 't' })
  const { timeline, state } = (await sync(bob, { since })).rooms.join[roomId]
  assert.deepEqual(
    timeline.events.map((event: Json) => event.type),
    ['m.room.message', 'm.room.topic'],
  )
  assert.deepEqual([timeline.limited, state.events], [false, []])
})

test('rooms without news are not in an incremental sync', async () => {
  const bob = await server.user('bob')
  const quiet = await roomOf([alice, bob])
  const loud = await roomOf([alice, bob])
  const since = await token(bob)
  await say(alice, loud, 'x')
  const { join: joined } = (await sync(bob, { since })).rooms
  assert.deepEqual([Object.keys(joined), joined[quiet]], [[loud], undefined])
})

test('the same token gives the same news again', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await say(alice, roomId, 'once more')
  const ask = async () => eventIds((await sync(bob, { since })).rooms.join[roomId].timeline.events)
  assert.deepEqual(await ask(), await ask())
})

test('own messages come back with their transaction id to the sending device alone (§5.11)', async () => {
  const bob = await server.user('bob')
  const phone = await server.device(bob)
  const roomId = await roomOf([bob, alice])
  const since = await token(bob)
  await say(bob, roomId, 'mine', 'txn-of-bob')
  const txnOf = async (who: ApiClient) =>
    (await sync(who, { since })).rooms.join[roomId].timeline.events[0].unsigned.transaction_id
  assert.equal(await txnOf(bob), 'txn-of-bob')
  assert.equal(await txnOf(phone), undefined)
  assert.equal(await txnOf(alice), undefined)
})

test('a waiting sync wakes on a message', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const answer = await wakes(bob, await token(bob), () => say(alice, roomId, 'wake up'))
  assert.deepEqual(texts(answer.rooms.join[roomId].timeline.events), ['wake up'])
})

test('a waiting sync wakes on an invite', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice)
  const answer = await wakes(bob, await token(bob), () => invite(alice, roomId, bob))
  assert.ok(answer.rooms.invite[roomId])
})

test('a waiting sync wakes on account data, global and of a room', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const base = `${V3}/user/${encodeURIComponent(bob.userId)}`
  const first = await wakes(bob, await token(bob), () =>
    bob.put(`${base}/account_data/com.example.a`, { n: 1 }),
  )
  assert.deepEqual(first.account_data.events, [{ type: 'com.example.a', content: { n: 1 } }])
  const url = `${base}/rooms/${encodeURIComponent(roomId)}/account_data/com.example.b`
  const second = await wakes(bob, first.next_batch, () => bob.put(url, { n: 2 }))
  const { account_data, timeline } = second.rooms.join[roomId]
  assert.deepEqual(account_data.events, [{ type: 'com.example.b', content: { n: 2 } }])
  assert.deepEqual([timeline.events, second.account_data], [[], undefined])
})

test('a waiting sync wakes when another device joins, creates and leaves rooms', async () => {
  const bob = await server.user('bob')
  const phone = await server.device(bob)
  const roomId = await roomOf([alice])
  const joined = await wakes(bob, await token(bob), () => join(phone, roomId))
  assert.ok(joined.rooms.join[roomId])
  let created = ''
  const second = await wakes(bob, joined.next_batch, async () => {
    created = await createRoom(phone)
  })
  assert.ok(second.rooms.join[created])
  const third = await wakes(bob, second.next_batch, () => leave(phone, roomId))
  assert.ok(third.rooms.leave[roomId])
})

test('a waiting sync wakes when one is kicked and banned', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const kick = () => alice.post(inRoom(roomId, 'kick'), { user_id: bob.userId })
  const first = await wakes(bob, await token(bob), kick)
  assert.equal(first.rooms.leave[roomId].timeline.events[0].content.membership, 'leave')
  const ban = () => alice.post(inRoom(roomId, 'ban'), { user_id: bob.userId })
  const second = await wakes(bob, first.next_batch, ban)
  assert.equal(second.rooms.leave[roomId].timeline.events[0].content.membership, 'ban')
})

test('adv-46 news of rooms one is not in wake nobody; the timeout answers with nothing', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice])
  const since = await token(bob)
  const started = performance.now()
  const waiting = sync(bob, { since, timeout: 150 })
  await say(alice, roomId, 'not for bob')
  const answer = await waiting
  assert.ok(performance.now() - started >= 145)
  assert.equal(answer.rooms, undefined)
})

test('§5.11 a timeout of nothing, of zero and of garbage', async () => {
  const bob = await server.user('bob')
  const since = await token(bob)
  await sync(bob, { since, timeout: 0 })
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${V3}/sync?since=${since}&timeout=soon`)
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${V3}/sync?since=${since}&timeout=-1`)
})

test('a client that goes away while it waits is let go', async () => {
  const bob = await server.user('bob')
  const since = await token(bob)
  const gone = new AbortController()
  const waiting = sync(bob, { since, timeout: LONG_MS }, { signal: gone.signal })
  setTimeout(() => gone.abort(), 20)
  const started = performance.now()
  await waiting
  assert.ok(performance.now() - started < SOON_MS)
})

test('two waiting syncs of two devices both wake', async () => {
  const bob = await server.user('bob')
  const phone = await server.device(bob)
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  const both = [bob, phone].map((who) => sync(who, { since, timeout: LONG_MS }))
  await new Promise((resolve) => setTimeout(resolve, 20))
  await say(alice, roomId, 'to both')
  for (const answer of await Promise.all(both)) assert.ok(answer.rooms.join[roomId])
})

test('a server that stops answers those who wait', async () => {
  const own = await TestServer.start()
  const eve = await own.user('eve')
  const since = await token(eve)
  const waiting = sync(eve, { since, timeout: LONG_MS })
  await new Promise((resolve) => setTimeout(resolve, 20))
  own.assembled.wakeWaiting()
  assert.equal((await waiting).next_batch, since)
  await own.close()
})

test('tokens go on after a restart of the server', async () => {
  const own = await TestServer.start()
  try {
    const [eve, fred] = [await own.user('eve'), await own.user('fred')]
    const roomId = await roomOf([eve, fred])
    const since = await token(fred)
    await say(eve, roomId, 'before')
    await own.restart()
    await say(eve, roomId, 'after')
    const answer = await sync(fred, { since })
    assert.deepEqual(texts(answer.rooms.join[roomId].timeline.events), ['before', 'after'])
    assert.equal((await sync(fred, { since: answer.next_batch })).rooms, undefined)
  } finally {
    await own.close()
  }
})

test('a token of an older epoch begins anew, with everything', async () => {
  const own = await TestServer.start()
  try {
    const eve = await own.user('eve')
    const roomId = await roomOf([eve])
    const since = await token(eve)
    await own.restart(async (ask) => {
      const changed = await ask("UPDATE myelin_meta SET value = '2' WHERE name = 'epoch' RETURNING name")
      assert.equal(changed.length, 1)
    })
    const answer = await sync(eve, { since, timeout: LONG_MS })
    assert.ok(keys(answer.rooms.join[roomId].timeline.events).includes('m.room.create|'))
    assert.match(answer.next_batch, /^s2_/)
    await eve.refused('400 M_INVALID_PARAM', 'GET', `${inRoom(roomId, 'messages')}?dir=b&from=${since}`)
  } finally {
    await own.close()
  }
})

test('a token from further on than the server is, as after a database was put back by hand, begins anew', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([bob])
  const position = Number((await token(bob)).split('_')[1])
  for (const since of [`s1_${position + 1000}`, `s1_${position + 1000}_7_3_1`]) {
    const answer = await sync(bob, { since, timeout: LONG_MS })
    assert.ok(keys(answer.rooms.join[roomId].timeline.events).includes('m.room.create|'))
    assert.ok(Number(answer.next_batch.split('_')[1]) < position + 1000)
  }
})

test('tokens that are not ours are refused', async () => {
  const bob = await server.user('bob')
  for (const since of [
    'nonsense',
    's1',
    's1_',
    's1_x',
    's1_-4',
    's1_1.5',
    't1_2_3',
    's1_1_1',
    `s1_${'9'.repeat(40)}`,
  ]) {
    await bob.refused('400 M_INVALID_PARAM', 'GET', `${V3}/sync?since=${encodeURIComponent(since)}`)
  }
})

test('syncing needs a token of an account', async () => {
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', `${V3}/sync`)
})

test('§5.11 a limited timeline comes with the state of the gap, members included', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await setState(alice, roomId, 'm.room.topic', { topic: 'in the gap' })
  await join(carol, roomId)
  for (let i = 0; i < 12; i++) await say(alice, roomId, `n${i}`)
  const { timeline, state } = (await sync(bob, { since })).rooms.join[roomId]
  assert.equal(timeline.limited, true)
  assert.deepEqual(keys(state.events), [`m.room.member|${carol.userId}`, 'm.room.topic|'])
})

test('§5.11 the state of a gap is that at the start of the timeline, not what comes in it', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await setState(alice, roomId, 'm.room.topic', { topic: 'first' })
  for (let i = 0; i < 9; i++) await say(alice, roomId, `n${i}`)
  await setState(alice, roomId, 'm.room.topic', { topic: 'second' })
  await setState(alice, roomId, 'm.room.name', { name: 'in the timeline' })
  const { timeline, state } = (await sync(bob, { since })).rooms.join[roomId]
  assert.equal(timeline.limited, true)
  assert.deepEqual(
    state.events.map((event: Json) => event.content),
    [{ topic: 'first' }],
  )
})

test('§5.11 state_after: the state at the end, present though empty, and then no state', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const first = (await sync(bob, { use_state_after: true })).rooms.join[roomId]
  assert.equal(first.state, undefined)
  assert.ok(keys(first.state_after.events).includes(`m.room.member|${bob.userId}`))
  const since = await token(bob)
  await setState(alice, roomId, 'm.room.topic', { topic: 'one' })
  await say(alice, roomId, 'x')
  await setState(alice, roomId, 'm.room.topic', { topic: 'two' })
  const second = (await sync(bob, { since, use_state_after: true })).rooms.join[roomId]
  assert.deepEqual(
    [second.state, second.state_after.events.map((event: Json) => event.content)],
    [undefined, [{ topic: 'two' }]],
  )
  const next = await token(bob)
  await say(alice, roomId, 'only words')
  const third = (await sync(bob, { since: next, use_state_after: true })).rooms.join[roomId]
  assert.deepEqual([third.state, third.state_after.events], [undefined, []])
})

test('§5.11 state_after under its unstable name is answered under that name; the specified one wins', async () => {
  const roomId = await roomOf([alice])
  const since = await token(alice)
  await setState(alice, roomId, 'm.room.topic', { topic: 'after' })
  const unstable = 'org.matrix.msc4222.use_state_after'
  const answer = (await sync(alice, { since, [unstable]: true })).rooms.join[roomId]
  assert.deepEqual(keys(answer['org.matrix.msc4222.state_after'].events), ['m.room.topic|'])
  assert.deepEqual([answer.state, answer.state_after], [undefined, undefined])
  const both = (await sync(alice, { since, [unstable]: true, use_state_after: true })).rooms.join[roomId]
  assert.deepEqual(keys(both.state_after.events), ['m.room.topic|'])
  assert.equal(both['org.matrix.msc4222.state_after'], undefined)
  const neither = (await sync(alice, { since, [unstable]: false })).rooms.join[roomId]
  assert.deepEqual([neither.state.events, neither.state_after], [[], undefined])
})

test('§5.11 state_after is there, and empty, where only account data or a receipt moved', async () => {
  const roomId = await roomOf([alice])
  const eventId = await say(alice, roomId, 'read me')
  const since = await token(alice)
  await alice.post(inRoom(roomId, 'receipt', 'm.read', eventId), {})
  const room = (await sync(alice, { since, use_state_after: true })).rooms.join[roomId]
  assert.deepEqual([room.state_after.events, room.state], [[], undefined])
  assert.equal(room.ephemeral.events.length, 1)
})

test('counts of keys are in every answer, the types of unused fallback keys as well (§5.12)', async () => {
  const since = await token(alice)
  for (const query of [{}, { since }, { since, full_state: true }]) {
    const answer = await sync(alice, query)
    assert.deepEqual(answer.device_one_time_keys_count, { signed_curve25519: 0 })
    assert.deepEqual(answer.device_unused_fallback_key_types, [])
  }
})

test('§5.11 full_state gives all state of all rooms and does not wait', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'n' })
  const since = await token(bob)
  const started = performance.now()
  const answer = await sync(bob, { since, full_state: true, timeout: LONG_MS })
  assert.ok(performance.now() - started < SOON_MS)
  const { state, timeline, summary } = answer.rooms.join[roomId]
  assert.equal(state.events.length, 8)
  assert.deepEqual([timeline.events, timeline.limited], [[], false])
  assert.equal(summary['m.joined_member_count'], 2)
})

test('§5.11 a room joined in between comes whole and limited', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'old')
  const since = await token(bob)
  await join(bob, roomId)
  await say(alice, roomId, 'new')
  const { timeline, state } = (await sync(bob, { since })).rooms.join[roomId]
  assert.equal(timeline.limited, true)
  const all = [...keys(state.events), ...keys(timeline.events)]
  for (const key of ['m.room.create|', 'm.room.power_levels|', `m.room.member|${bob.userId}`]) {
    assert.ok(all.includes(key), key)
  }
  assert.deepEqual(texts(timeline.events), ['old', 'new'])
})

test('§5.11 who left and came back within one sync gets full state and nothing said meanwhile', async () => {
  const bob = await server.user('bob')
  const hidden = { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }
  const roomId = await roomOf([alice, bob], { initial_state: [hidden] })
  const since = await token(bob)
  await leave(bob, roomId)
  await say(alice, roomId, 'behind his back')
  await setState(alice, roomId, 'm.room.topic', { topic: 'changed meanwhile' })
  await join(bob, roomId)
  await say(alice, roomId, 'welcome back')
  const answer = await sync(bob, { since })
  const { timeline, state } = answer.rooms.join[roomId]
  assert.ok(!JSON.stringify(answer).includes('behind his back'))
  assert.equal(timeline.limited, true)
  assert.deepEqual(texts(timeline.events), ['welcome back'])
  assert.ok(state.events.some((event: Json) => event.type === 'm.room.create'))
  const topics = timeline.events.filter((event: Json) => event.type === 'm.room.topic')
  assert.deepEqual(
    topics.map((event: Json) => [event.content.topic, event.unsigned?.prev_content]),
    [['changed meanwhile', undefined]],
  )
  assert.equal(answer.rooms.leave, undefined)
})

test('§5.11 a timeline shows what was visible before and after what is hidden', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  await say(alice, roomId, 'for all')
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'joined' })
  await say(alice, roomId, 'for members')
  await setState(alice, roomId, 'm.room.topic', { topic: 'first' })
  await setState(alice, roomId, 'm.room.topic', { topic: 'second' })
  await join(bob, roomId)
  await say(alice, roomId, 'since')
  const { timeline, state } = (await sync(bob)).rooms.join[roomId]
  assert.deepEqual(texts(timeline.events), ['for all', 'since'])
  const topics = timeline.events.filter((event: Json) => event.type === 'm.room.topic')
  assert.deepEqual(
    topics.map((event: Json) => event.content.topic),
    ['second'],
    'state that holds is told, state that was replaced is hidden',
  )
  assert.equal(timeline.events.at(-2).content.membership, 'join')
  assert.ok(!state.events.some((event: Json) => event.type === 'm.room.topic'))
})

test('a changed own member event does not make a room new', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  const own = inRoom(roomId, 'state', 'm.room.member', bob.userId)
  await bob.put(own, { membership: 'join', displayname: 'Bobby' })
  await bob.put(own, { membership: 'join', displayname: 'Bob' })
  const { timeline, state } = (await sync(bob, { since })).rooms.join[roomId]
  assert.deepEqual([timeline.limited, timeline.events.length, state.events], [false, 2, []])
})

test('account data comes once, the newest only; initial syncs have all of it', async () => {
  const bob = await server.user('bob')
  const base = `${V3}/user/${encodeURIComponent(bob.userId)}/account_data`
  const since = await token(bob)
  await bob.put(`${base}/com.example.a`, { n: 1 })
  await bob.put(`${base}/com.example.a`, { n: 2 })
  const answer = await sync(bob, { since })
  assert.deepEqual(answer.account_data.events, [{ type: 'com.example.a', content: { n: 2 } }])
  assert.equal((await sync(bob, { since: answer.next_batch })).account_data, undefined)
  const all = (await sync(bob)).account_data.events.map((event: Json) => event.type)
  assert.deepEqual(all.sort(), ['com.example.a', 'm.push_rules'])
})

test('account data is for its owner alone', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(alice)
  const base = `${V3}/user/${encodeURIComponent(bob.userId)}`
  await bob.put(`${base}/account_data/com.example.mine`, {})
  await bob.put(`${base}/rooms/${encodeURIComponent(roomId)}/account_data/com.example.mine`, {})
  assert.equal((await sync(alice, { since })).rooms, undefined)
  assert.ok(!JSON.stringify(await sync(alice)).includes('com.example.mine'))
})

test('no message is missing or doubled while syncs and sends run side by side', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  let since = await token(bob)
  const seen: string[] = []
  const COUNT = 150
  const sending = (async () => {
    for (let i = 0; i < COUNT; i += 5) {
      await Promise.all([0, 1, 2, 3, 4].map((j) => say(alice, roomId, `n${i + j}`)))
    }
  })()
  while (seen.length < COUNT) {
    const answer = await sync(bob, { since, timeout: 5000 })
    const part = answer.rooms?.join[roomId]
    assert.ok(part, 'nothing came for five seconds')
    if (part.timeline.limited) {
      const { prev_batch } = part.timeline
      const gap = await allPages(bob, roomId, { dir: 'b', limit: 20, from: prev_batch, to: since })
      seen.push(...eventIds(gap.events).reverse())
    }
    seen.push(...eventIds(part.timeline.events))
    since = answer.next_batch
  }
  await sending
  assert.equal(new Set(seen).size, COUNT)
  assert.equal(seen.length, COUNT)
})

test('many users who sync for the first time while messages fly see each exactly once', async () => {
  const crowd = await Promise.all(Array.from({ length: 15 }, () => server.user('crowd')))
  const roomId = await roomOf([alice])
  for (const user of crowd) await join(user, roomId)
  const since = await token(alice)
  const work = crowd.flatMap((user, i) => [say(alice, roomId, `c${i}`), sync(user)])
  await Promise.all(work)
  const filter = { room: { timeline: { limit: 100 } } }
  for (const user of crowd) {
    const { events } = (await syncWith(user, filter, { since })).rooms.join[roomId].timeline
    assert.deepEqual(texts(events).sort(), crowd.map((_, i) => `c${i}`).sort())
  }
})
