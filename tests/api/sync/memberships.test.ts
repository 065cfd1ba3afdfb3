import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { coversPart } from '../../support/covers.ts'
import {
  allState,
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

coversPart('GET /_matrix/client/v3/sync')

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

const keys = (events: readonly Json[]): string[] =>
  events.map((event) => `${event.type}|${event.state_key}`).sort()

async function token(who: ApiClient): Promise<string> {
  return (await sync(who)).next_batch
}

/** Stripped state has four members alone; the reader's own event has its id and time besides. */
function assertStripped(events: readonly Json[], reader: ApiClient): void {
  for (const { event_id, origin_server_ts, ...event } of events) {
    assert.equal(event_id === undefined && origin_server_ts === undefined, event.state_key !== reader.userId)
    assert.deepEqual(Object.keys(event).sort(), ['content', 'sender', 'state_key', 'type'])
  }
}

/** Somebody's member event, whole. */
async function getEventOf(who: ApiClient, roomId: string, of: ApiClient): Promise<Json> {
  return (await allState(who, roomId)).get(`m.room.member|${of.userId}`)
}

test('§5.11 an invite comes once, stripped, with the create event', async () => {
  const bob = await server.user('bob')
  const since = await token(bob)
  const roomId = await createRoom(alice, { name: 'inviting', topic: 'secret plans', invite: [bob.userId] })
  const answer = await sync(bob, { since })
  const { events } = answer.rooms.invite[roomId].invite_state
  const own = events.find((event: Json) => event.state_key === bob.userId)
  const { event_id: id, origin_server_ts: ts } = await getEventOf(alice, roomId, bob)
  assert.deepEqual([own.event_id, own.origin_server_ts], [id, ts], 'clients date an invite by it')
  assertStripped(events, bob)
  for (const type of ['m.room.create', 'm.room.name', 'm.room.join_rules']) {
    assert.ok(
      events.some((event: Json) => event.type === type),
      type,
    )
  }
  assert.equal(answer.rooms.join, undefined)
  assert.equal((await sync(bob, { since: answer.next_batch })).rooms, undefined)
  assert.ok((await sync(bob)).rooms.invite[roomId], 'an initial sync shows it as long as it stands')
})

test('an invite that was accepted is a joined room, on all devices', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, { invite: [bob.userId] })
  const { next_batch: since } = await sync(bob)
  await join(bob, roomId)
  const answer = await sync(bob, { since })
  assert.deepEqual([answer.rooms.invite, answer.rooms.join[roomId].timeline.limited], [undefined, true])
})

test('an invite that was refused leaves all devices, and tells nothing of the room (adv-52)', async () => {
  const bob = await server.user('bob')
  const phone = await server.device(bob)
  const since = await token(phone)
  const roomId = await createRoom(alice, { invite: [bob.userId] })
  const middle = await sync(phone, { since })
  await say(alice, roomId, 'inside')
  await setState(alice, roomId, 'com.example.secret', { a: 1 })
  await leave(bob, roomId)
  for (const query of [
    { since: middle.next_batch },
    { since },
    { since: middle.next_batch, use_state_after: true },
  ]) {
    const answer = await sync(phone, query)
    const left = answer.rooms.leave[roomId]
    assert.deepEqual(eventIds(left.timeline.events).length, 1)
    assert.equal(left.timeline.events[0].content.membership, 'leave')
    assert.deepEqual((left.state ?? left.state_after).events, [])
    assert.equal(answer.rooms.invite, undefined)
    assert.ok(!JSON.stringify(answer).includes('com.example.secret'))
  }
  const withLeft = await syncWith(phone, { room: { include_leave: true } })
  assert.ok(!JSON.stringify(withLeft).includes('com.example.secret'))
})

test('an invite that was taken back leaves the list', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, { invite: [bob.userId] })
  const since = await token(bob)
  await alice.post(inRoom(roomId, 'kick'), { user_id: bob.userId })
  const answer = await sync(bob, { since })
  assert.equal(answer.rooms.leave[roomId].timeline.events[0].sender, alice.userId)
  assert.equal((await sync(bob)).rooms, undefined)
})

test('a ban of somebody who was never there is told without the room (adv-52)', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'private')
  const since = await token(bob)
  await alice.post(inRoom(roomId, 'ban'), { user_id: bob.userId })
  for (const answer of [await sync(bob, { since }), await syncWith(bob, { room: { include_leave: true } })]) {
    const left = answer.rooms.leave[roomId]
    assert.deepEqual([left.timeline.events.length, left.state.events], [1, []])
  }
})

test('§5.11 leaving shows once, up to the leave; then the room is gone', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await say(alice, roomId, 'last words')
  await leave(bob, roomId)
  await say(alice, roomId, 'behind his back')
  await setState(alice, roomId, 'm.room.topic', { topic: 'behind his back' })
  const answer = await sync(bob, { since })
  const { timeline, state } = answer.rooms.leave[roomId]
  assert.deepEqual(texts(timeline.events), ['last words'])
  assert.equal(timeline.events.at(-1).content.membership, 'leave')
  assert.deepEqual(state.events, [])
  assert.equal(answer.rooms.join, undefined)
  const next = await sync(bob, { since: answer.next_batch })
  assert.equal(next.rooms, undefined)
  assert.equal((await sync(bob)).rooms, undefined)
})

test('§5.11 a ban or a kick ends what is shown, as a leaving does, by every kind of sync', async () => {
  for (const what of ['ban', 'kick']) {
    const bob = await server.user('bob')
    const roomId = await roomOf([alice, bob])
    const since = await token(bob)
    await say(alice, roomId, 'last words')
    await alice.post(inRoom(roomId, what), { user_id: bob.userId, reason: 'enough' })
    await say(alice, roomId, 'behind his back')
    for (const [filter, query] of [
      [{}, { since }],
      [{}, { since, use_state_after: true }],
      [{ room: { timeline: { limit: 1 } } }, { since }],
      [{ room: { include_leave: true } }, {}],
    ] as [Json, Json][]) {
      const { rooms } = await syncWith(bob, filter, query)
      const last = rooms.leave[roomId].timeline.events.at(-1)
      assert.deepEqual([last.state_key, last.content.reason], [bob.userId, 'enough'])
      assert.ok(!JSON.stringify(rooms).includes('behind his back'))
      assert.equal(rooms.join?.[roomId], undefined)
    }
  }
})

test('no flavour of sync shows anything of after the leaving (adv-52)', async () => {
  const bob = await server.user('bob')
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  for (let i = 0; i < 15; i++) await say(alice, roomId, `n${i}`)
  await leave(bob, roomId)
  await say(alice, roomId, 'LATER')
  await setState(alice, roomId, 'm.room.topic', { topic: 'LATER' })
  await join(carol, roomId)
  const lazy = { state: { lazy_load_members: true }, include_leave: true }
  const flavours: [Json, Json][] = [
    [{}, { since }],
    [{}, { since, use_state_after: true }],
    [{}, { since, full_state: true }],
    [{ room: { include_leave: true } }, {}],
    [{ room: { include_leave: true } }, { use_state_after: true }],
    [{ room: { include_leave: true } }, { since, full_state: true }],
    [{ room: lazy }, {}],
    [{ room: lazy }, { since }],
    [{ room: { ...lazy, timeline: { types: ['m.room.message'] } } }, { since }],
    [{ room: { timeline: { limit: 1 } } }, { since }],
    [{ room: { timeline: { types: [] } } }, { since }],
  ]
  for (const [filter, query] of flavours) {
    const answer = JSON.stringify(await syncWith(bob, filter, query))
    const what = `${JSON.stringify(filter)} ${JSON.stringify(query)}`
    assert.ok(answer.includes(roomId), what)
    assert.ok(!answer.includes('LATER'), what)
    assert.ok(!answer.includes(carol.userId), what)
    assert.ok(!answer.includes('"m.joined_member_count"'), what)
  }
})

test('§5.11 include_leave brings the rooms that were left into an initial sync', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'gone by' })
  await say(alice, roomId, 'memory')
  await leave(bob, roomId)
  const { timeline, state } = (await syncWith(bob, { room: { include_leave: true } })).rooms.leave[roomId]
  assert.deepEqual(texts(timeline.events), ['memory'])
  const all = [...keys(state.events), ...keys(timeline.events)]
  assert.ok(all.includes('m.room.name|') && all.includes('m.room.create|'))
})

test('§5.11 a room that was left is in no initial sync, whatever account data it has', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  await bob.put(
    `${V3}/user/${encodeURIComponent(bob.userId)}/rooms/${encodeURIComponent(roomId)}/tags/u.x`,
    {},
  )
  await leave(bob, roomId)
  assert.equal((await sync(bob)).rooms, undefined)
  const kept = (await syncWith(bob, { room: { include_leave: true } })).rooms.leave[roomId]
  assert.deepEqual(
    kept.account_data.events.map((event: Json) => event.type),
    ['m.tag'],
  )
})

test('§5.11 a forgotten room is in no sync until one is invited or joins again', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await leave(bob, roomId)
  await bob.post(inRoom(roomId, 'forget'))
  await say(alice, roomId, 'x')
  const after = await token(bob)
  for (const answer of [
    await sync(bob),
    await syncWith(bob, { room: { include_leave: true } }),
    await sync(bob, { since: after }),
    await sync(bob, { since: after, full_state: true }),
  ]) {
    assert.ok(!JSON.stringify(answer).includes(roomId))
  }
  await invite(alice, roomId, bob)
  assert.ok((await sync(bob, { since })).rooms.invite[roomId])
  await join(bob, roomId)
  assert.ok((await sync(bob, { since })).rooms.join[roomId])
})

test('§5.11 a forgotten room comes back with a knock, stripped and with its create event', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  await leave(bob, roomId)
  await bob.post(inRoom(roomId, 'forget'))
  await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'knock' })
  const since = await token(bob)
  await bob.post(`${V3}/knock/${encodeURIComponent(roomId)}`, {})
  for (const answer of [await sync(bob, { since }), await sync(bob)]) {
    const { events } = answer.rooms.knock[roomId].knock_state
    assert.ok(events.some((event: Json) => event.type === 'm.room.create'))
    assertStripped(events, bob)
  }
})

test('§5.11 devices that did not hear of the leaving are told of it, although the room was forgotten', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await leave(bob, roomId)
  await say(alice, roomId, 'behind his back')
  await bob.post(inRoom(roomId, 'forget'))
  for (let i = 0; i < 2; i++) {
    const answer = await sync(bob, { since })
    assert.deepEqual([Object.keys(answer.rooms.leave), answer.rooms.join], [[roomId], undefined])
    assert.equal(answer.rooms.leave[roomId].timeline.events.at(-1).content.membership, 'leave')
    assert.ok(!JSON.stringify(await sync(bob, { since: answer.next_batch })).includes(roomId))
    await server.restart()
  }
})

test('a kicked user who was invited again sees the invite', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const since = await token(bob)
  await alice.post(inRoom(roomId, 'kick'), { user_id: bob.userId })
  await invite(alice, roomId, bob)
  const { rooms } = await sync(bob, { since })
  assert.deepEqual([Object.keys(rooms.invite), rooms.join], [[roomId], undefined])
})

test('unsigned.membership tells how the reader stood at each event of a timeline, whole or since', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice])
  const since = await token(bob)
  await say(alice, roomId, 'before')
  await invite(alice, roomId, bob)
  await say(alice, roomId, 'between')
  await join(bob, roomId)
  await say(alice, roomId, 'after')
  for (const query of [{}, { since }]) {
    const { rooms } = await sync(bob, query)
    const { events } = rooms.join[roomId].timeline
    assert.deepEqual(
      events.slice(-5).map((event: Json) => event.unsigned.membership),
      ['leave', 'invite', 'invite', 'join', 'join'],
    )
  }
  const left = await token(bob)
  await say(alice, roomId, 'last')
  await leave(bob, roomId)
  await say(alice, roomId, 'unheard')
  const { events } = (await sync(bob, { since: left })).rooms.leave[roomId].timeline
  assert.deepEqual(
    events.map((event: Json) => event.unsigned.membership),
    ['join', 'leave'],
  )
})
