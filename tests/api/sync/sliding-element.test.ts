/** Sliding sync as the Matrix Rust SDK asks for it: the room list, messages to devices, and what a notification needs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { coversPart } from '../../support/covers.ts'
import { createRoom, roomOf, say, setState, texts, V3 } from '../../support/room-calls.ts'
import { SlidingLoop, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

coversPart('POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync')

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

const REQUIRED_STATE = [
  ['m.room.name', ''],
  ['m.room.encryption', ''],
  ['m.room.member', '$LAZY'],
  ['m.room.member', '$ME'],
  ['m.room.topic', ''],
  ['m.room.avatar', ''],
  ['m.room.canonical_alias', ''],
  ['m.room.power_levels', ''],
  ['org.matrix.msc3401.call.member', '*'],
  ['m.room.join_rules', ''],
  ['m.room.tombstone', ''],
  ['m.room.create', ''],
  ['m.room.history_visibility', ''],
  ['io.element.functional_members', ''],
  ['m.space.parent', '*'],
  ['m.space.child', '*'],
  ['org.matrix.msc3672.beacon_info', '*'],
]

/** The request of the room list with a range. */
function roomList(to: number, subscriptions: Json = {}): Json {
  return {
    conn_id: 'room-list',
    lists: {
      all_rooms: { ranges: [[0, to]], timeline_limit: 1, required_state: REQUIRED_STATE, filters: {} },
    },
    room_subscriptions: subscriptions,
    extensions: {
      account_data: { enabled: true },
      receipts: { enabled: true, rooms: ['*'] },
      typing: { enabled: true },
      'io.element.msc4308.thread_subscriptions': { enabled: true, limit: 10 },
      'org.matrix.msc4262.profiles': { enabled: true },
    },
  }
}

test('the room list: a first window, all rooms, then what happens, and an open room', async () => {
  const bob = await server.user('bob')
  const rooms: string[] = []
  for (let i = 0; i < 25; i++) rooms.push(await roomOf([alice, bob], { name: `room ${i}` }))
  const loop = new SlidingLoop(bob, roomList(19))
  const first = await loop.next()
  assert.equal(first.lists.all_rooms.count, 25)
  assert.deepEqual(Object.keys(first.rooms).sort(), rooms.slice(5).sort())
  const newest = first.rooms[rooms[24]!]
  assert.equal(newest.name, 'room 24')
  assert.ok(newest.bump_stamp > 0 && newest.joined_count === 2 && newest.timeline.length === 1)
  const rest = await loop.next(roomList(99))
  assert.deepEqual(Object.keys(rest.rooms).sort(), rooms.slice(0, 5).sort())
  /* The user opens a room: twenty events of it, and its pinned ones. */
  for (let i = 0; i < 30; i++) await say(alice, rooms[0]!, `message ${i}`)
  await setState(alice, rooms[0]!, 'm.room.pinned_events', { pinned: ['$x'] })
  await loop.next()
  const required_state = [...REQUIRED_STATE, ['m.room.pinned_events', '']]
  const opened = await loop.next(roomList(99, { [rooms[0]!]: { timeline_limit: 20, required_state } }))
  const room = opened.rooms[rooms[0]!]
  assert.deepEqual([room.timeline.length, room.unstable_expanded_timeline, room.num_live], [20, true, 0])
  assert.ok(room.required_state.some((event: Json) => event.type === 'm.room.pinned_events'))
  /* Typing, a receipt and a message of others wake it. */
  const waiting = loop.next({}, { timeout: 20_000 })
  const event = await say(alice, rooms[3]!, 'hello there')
  const heard = (await waiting).rooms[rooms[3]!]
  assert.deepEqual([texts(heard.timeline), heard.num_live, heard.notification_count], [['hello there'], 1, 1])
  await bob.post(`${V3}/rooms/${encodeURIComponent(rooms[3]!)}/receipt/m.read/${encodeURIComponent(event)}`)
  const read = await loop.next()
  assert.equal(read.rooms[rooms[3]!].notification_count, 0)
  assert.ok(read.extensions.receipts.rooms[rooms[3]!].content[event]['m.read'][bob.userId])
})

test('the connection for encryption names no rooms, and a position of before a restart is unknown', async () => {
  const own = await TestServer.start()
  try {
    const eve = await own.user('eve')
    const extensions = { to_device: { enabled: true }, e2ee: { enabled: true } }
    const loop = new SlidingLoop(eve, { conn_id: 'encryption', extensions })
    const first = await loop.next()
    assert.deepEqual([first.rooms, first.lists], [{}, {}])
    const { next_batch: since } = first.extensions.to_device
    const send = (txn: string) =>
      eve.put(`${V3}/sendToDevice/org.example/${txn}`, {
        messages: { [eve.userId]: { '*': { txn } } },
      })
    const waiting = loop.next({}, { timeout: 20_000 })
    await send('one')
    assert.equal((await waiting).extensions.to_device.events.length, 1)
    await own.restart()
    const url = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
    await eve.refused('400 M_UNKNOWN_POS', 'POST', `${url}?pos=${loop.pos}`, loop.body)
    loop.pos = undefined
    const again = await loop.next({ extensions: { ...extensions, to_device: { enabled: true, since } } })
    assert.equal(again.extensions.to_device.events.length, 1, 'what was not confirmed comes again')
  } finally {
    await own.close()
  }
})

test('a notification: one room and the invites, in one answer', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob], { name: 'news' })
  const event = await say(alice, roomId, 'look')
  const invited = await createRoom(alice, { name: 'come in', invite: [bob.userId] })
  const required_state = REQUIRED_STATE.filter(([type]) => !type!.startsWith('m.space'))
  const { rooms } = await sliding(bob, {
    conn_id: 'notifications',
    lists: {
      invites: { ranges: [[0, 16]], timeline_limit: 8, required_state, filters: { is_invite: true } },
    },
    room_subscriptions: { [roomId]: { timeline_limit: 16, required_state } },
    extensions: { account_data: { enabled: true } },
  })
  assert.deepEqual(Object.keys(rooms).sort(), [roomId, invited].sort())
  assert.equal(rooms[roomId].timeline.at(-1).event_id, event)
  const own = rooms[invited].invite_state.find((one: Json) => one.state_key === bob.userId)
  assert.equal(own.content.membership, 'invite')
  assert.equal(rooms[invited].name, 'come in')
})
