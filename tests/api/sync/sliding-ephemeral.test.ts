/** Sliding sync: receipts, typing, presence. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { coversPart } from '../../support/covers.ts'
import { createRoom, inRoom, join, leave, roomOf, say } from '../../support/room-calls.ts'
import { all, SlidingLoop } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

coversPart('POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync')

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

const LONG_MS = 30_000

const read = (who: ApiClient, roomId: string, eventId: string, kind = 'm.read'): Promise<Json> =>
  who.post(inRoom(roomId, 'receipt', kind, eventId), {})

const types = (who: ApiClient, roomId: string, typing: boolean): Promise<Json> =>
  who.put(inRoom(roomId, 'typing', who.userId), typing ? { typing, timeout: 20_000 } : { typing })

const loopOf = (who: ApiClient, more: Json = {}): SlidingLoop =>
  new SlidingLoop(who, {
    lists: { l: all({ timeline_limit: 2, ...more }) },
    extensions: { receipts: { enabled: true }, typing: { enabled: true } },
  })

test('receipts: of shown events and the own at first, then those that moved, each once', async () => {
  const [bob, carol] = [await server.user('bob'), await server.user('carol')]
  const roomId = await roomOf([alice, bob, carol])
  const ids: string[] = []
  for (let i = 0; i < 4; i++) ids.push(await say(alice, roomId, `n${i}`))
  await read(bob, roomId, ids[0]!)
  await read(alice, roomId, ids[1]!)
  await read(carol, roomId, ids[3]!)
  const loop = loopOf(bob)
  const first = (await loop.next()).extensions.receipts.rooms[roomId]
  assert.equal(first.type, 'm.receipt')
  assert.deepEqual(Object.keys(first.content).sort(), [ids[0], ids[3]].sort())
  assert.ok(first.content[ids[3]!]['m.read'][carol.userId].ts > 0)
  assert.equal((await loop.next()).extensions.receipts, undefined)
  await read(alice, roomId, ids[2]!)
  const second = await loop.next()
  assert.deepEqual(Object.keys(second.extensions.receipts.rooms[roomId].content), [ids[2]])
  assert.deepEqual(second.rooms, {}, 'a receipt does not tell the room again')
  assert.equal((await loop.next()).extensions.receipts, undefined)
})

test('private receipts are for their owner alone', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const id = await say(alice, roomId, 'x')
  const [own, other] = [loopOf(bob), loopOf(alice)]
  await own.next()
  await other.next()
  await read(bob, roomId, id, 'm.read.private')
  assert.ok((await own.next()).extensions.receipts.rooms[roomId].content[id]['m.read.private'][bob.userId])
  assert.equal((await other.next()).extensions.receipts, undefined)
})

test('receipts of a room that is not known to the client come with the room', async () => {
  const bob = await server.user('bob')
  const [one, two] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const id = await say(alice, one, 'x')
  await say(alice, two, 'y')
  const loop = loopOf(bob, { ranges: [[0, 0]] })
  await loop.next()
  await read(alice, one, id)
  assert.equal((await loop.next()).extensions.receipts, undefined)
  const wide = await loop.next({ lists: { l: all({ timeline_limit: 2 }) } })
  assert.deepEqual(Object.keys(wide.extensions.receipts.rooms), [one])
})

test('receipts and typing wake a waiting request', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const id = await say(alice, roomId, 'x')
  const loop = loopOf(bob)
  await loop.next()
  for (const [name, news] of [
    ['typing', () => types(alice, roomId, true)],
    ['receipts', () => read(alice, roomId, id)],
  ] as const) {
    const waiting = loop.next({}, { timeout: LONG_MS })
    await new Promise((resolve) => setTimeout(resolve, 20))
    await news()
    assert.deepEqual(Object.keys((await waiting).extensions[name].rooms), [roomId])
  }
})

test('typing: who types at first, then changes, each once, and that nobody does any more', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  await types(alice, roomId, true)
  const loop = loopOf(bob)
  const first = (await loop.next()).extensions.typing.rooms[roomId]
  assert.deepEqual(first, { type: 'm.typing', content: { user_ids: [alice.userId] } })
  assert.equal((await loop.next()).extensions.typing, undefined)
  await types(alice, roomId, false)
  assert.deepEqual((await loop.next()).extensions.typing.rooms[roomId].content, { user_ids: [] })
  assert.equal((await loop.next()).extensions.typing, undefined)
})

test('adv-52 nothing of a room that was left: no typing, no receipts', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const id = await say(alice, roomId, 'x')
  const loop = loopOf(bob)
  await loop.next()
  await leave(bob, roomId)
  await types(alice, roomId, true)
  await read(alice, roomId, id)
  const { extensions } = await loop.next()
  assert.deepEqual([extensions.typing, extensions.receipts], [undefined, undefined])
})

test('who left and came back between two answers is told the receipts and who types again, with the room', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  await join(bob, roomId)
  const id = await say(alice, roomId, 'x')
  await read(bob, roomId, id)
  await types(alice, roomId, true)
  const loop = loopOf(bob)
  await loop.next()
  await leave(bob, roomId)
  await join(bob, roomId)
  const { rooms, extensions } = await loop.next()
  assert.equal(rooms[roomId].initial, true)
  assert.ok(extensions.receipts.rooms[roomId].content[id]['m.read'][bob.userId])
  assert.deepEqual(extensions.typing.rooms[roomId].content, { user_ids: [alice.userId] })
})

test('of a room that the client holds for left, nothing is told before the joining is', async () => {
  const bob = await server.user('bob')
  const one = await createRoom(alice, { preset: 'public_chat' })
  const two = await roomOf([alice, bob])
  await join(bob, one)
  const id = await say(alice, one, 'x')
  const loop = loopOf(bob)
  await loop.next()
  await leave(bob, one)
  assert.equal((await loop.next()).rooms[one].membership, 'leave')
  await join(bob, one)
  await say(alice, two, 'newer')
  await read(alice, one, id)
  await types(alice, one, true)
  const narrow = await loop.next({ lists: { l: all({ timeline_limit: 2, ranges: [[0, 0]] }) } })
  assert.deepEqual(Object.keys(narrow.rooms), [two])
  assert.deepEqual([narrow.extensions.typing, narrow.extensions.receipts], [undefined, undefined])
  const wide = await loop.next({ lists: { l: all({ timeline_limit: 5 }) } })
  assert.equal(wide.rooms[one].membership, 'join')
  assert.deepEqual(Object.keys(wide.extensions.receipts.rooms), [one])
  assert.deepEqual(Object.keys(wide.extensions.typing.rooms), [one])
})

test('extensions of certain lists alone', async () => {
  const bob = await server.user('bob')
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  await join(bob, roomId)
  await types(alice, roomId, true)
  const typing = (lists: Json): Json => ({ extensions: { typing: { enabled: true, lists, rooms: [] } } })
  const loop = loopOf(bob)
  assert.equal((await loop.next(typing(['other']))).extensions.typing, undefined)
  assert.deepEqual(Object.keys((await loop.next(typing(['l']))).extensions.typing.rooms), [roomId])
})

test('asking is a sign of life unless the client says that it is offline', async () => {
  const [bob, carol] = [await server.user('bob'), await server.user('carol')]
  await roomOf([alice, bob, carol])
  const presence = async (who: ApiClient): Promise<string> =>
    (await alice.get(`/_matrix/client/v3/presence/${encodeURIComponent(who.userId)}/status`)).presence
  await loopOf(bob).next({}, { set_presence: 'unavailable' })
  await loopOf(carol).next({}, { set_presence: 'offline' })
  assert.deepEqual([await presence(bob), await presence(carol)], ['unavailable', 'offline'])
  await loopOf(bob).next()
  assert.equal(await presence(bob), 'online')
})
