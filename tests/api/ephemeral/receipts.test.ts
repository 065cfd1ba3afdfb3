import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { RECEIPTS_FEW } from '#/services/ephemeral/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { read, receiptPath, receiptsIn, token } from '../../support/ephemeral-calls.ts'
import { inRoom, join, leave, redact, roomOf, say, sync, syncWith, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}',
  'POST /_matrix/client/v3/rooms/{roomId}/read_markers',
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

const markers = (roomId: string): string => inRoom(roomId, 'read_markers')

const fullyRead = (who: ApiClient, roomId: string): string =>
  `${V3}/user/${encodeURIComponent(who.userId)}/rooms/${encodeURIComponent(roomId)}/account_data/m.fully_read`

async function sendRelated(who: ApiClient, roomId: string, type: string, to: string): Promise<string> {
  const content = {
    msgtype: 'm.text',
    body: type,
    'm.relates_to': { rel_type: type, event_id: to, key: '+' },
  }
  return (await who.put(inRoom(roomId, 'send', 'm.room.message', who.txn()), content)).event_id
}

test('a public receipt reaches everybody in the room, with its time', async () => {
  const roomId = await roomOf([alice, bob])
  const eventId = await say(alice, roomId, 'read me')
  const [ofAlice, ofBob] = [await token(alice), await token(bob)]
  assert.deepEqual(await read(bob, roomId, eventId), {})
  for (const [who, since] of [
    [alice, ofAlice],
    [bob, ofBob],
  ] as const) {
    const answer = await sync(who, { since })
    assert.deepEqual(receiptsIn(answer, roomId), [`${eventId} m.read ${bob.userId} -`])
    const room = answer.rooms.join[roomId]
    const { ts } = room.ephemeral.events[0].content[eventId]['m.read'][bob.userId]
    assert.ok(Math.abs(Date.now() - ts) < 60_000)
    assert.deepEqual([room.timeline.events, room.state.events, room.timeline.limited], [[], [], false])
    assert.deepEqual((await sync(who, { since: answer.next_batch })).rooms, undefined, 'told once')
  }
})

test('a private receipt reaches the other devices of its owner and nobody else', async () => {
  const roomId = await roomOf([alice, bob])
  const eventId = await say(alice, roomId, 'psst')
  const tablet = await server.device(bob)
  const [ofAlice, ofTablet] = [await token(alice), await token(tablet)]
  await read(bob, roomId, eventId, { kind: 'm.read.private' })
  const line = `${eventId} m.read.private ${bob.userId} -`
  assert.deepEqual(receiptsIn(await sync(tablet, { since: ofTablet }), roomId), [line])
  assert.equal((await sync(alice, { since: ofAlice })).rooms, undefined)
  assert.deepEqual(receiptsIn(await sync(alice), roomId), [])
  assert.deepEqual(receiptsIn(await sync(bob), roomId), [line])
  await server.restart()
  assert.deepEqual(receiptsIn(await sync(alice), roomId), [])
  assert.deepEqual(receiptsIn(await sync(bob), roomId), [line])
})

test('a receipt that does not move forward is taken and changes nothing', async () => {
  const roomId = await roomOf([alice, bob])
  const [first, second] = [await say(alice, roomId, '1'), await say(alice, roomId, '2')]
  await read(bob, roomId, second)
  const since = await token(alice)
  await read(bob, roomId, first)
  await read(bob, roomId, second)
  assert.equal((await sync(alice, { since })).rooms, undefined)
  assert.deepEqual(receiptsIn(await sync(alice), roomId), [`${second} m.read ${bob.userId} -`])
})

test('receipts of threads stand beside each other and beside the one of the room', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  const inThread = await sendRelated(alice, roomId, 'm.thread', root)
  const reaction = await sendRelated(alice, roomId, 'm.reference', inThread)
  const since = await token(alice)
  await read(bob, roomId, root, { thread: 'main' })
  await read(bob, roomId, root)
  await read(bob, roomId, root, { thread: root })
  const me = bob.userId
  assert.deepEqual(
    receiptsIn(await sync(alice, { since }), roomId),
    [`${root} m.read ${me} ${root}`, `${root} m.read ${me} -`, `${root} m.read ${me} main`].sort(),
  )
  await read(bob, roomId, reaction, { thread: root })
  const expected = [
    `${reaction} m.read ${me} ${root}`,
    `${root} m.read ${me} -`,
    `${root} m.read ${me} main`,
  ].sort()
  assert.deepEqual(receiptsIn(await sync(alice, { since }), roomId), expected)
  assert.deepEqual(receiptsIn(await sync(alice), roomId), expected)
})

test('a thread_id must be the thread of the event', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  const other = await say(alice, roomId, 'other')
  const inThread = await sendRelated(alice, roomId, 'm.thread', root)
  const toThread = await sendRelated(alice, roomId, 'm.reference', inThread)
  const toRoot = await sendRelated(alice, roomId, 'm.reference', root)
  const good = [
    [inThread, root],
    [toThread, root],
    [root, root],
    [root, 'main'],
    [toRoot, root],
    [toRoot, 'main'],
    [other, 'main'],
  ] as const
  for (const [eventId, thread] of good) await read(bob, roomId, eventId, { thread })
  const bad = [
    [inThread, 'main'],
    [toThread, 'main'],
    [other, root],
    [inThread, other],
    [toRoot, other],
    [root, '$nowhere'],
  ] as const
  for (const [eventId, thread] of bad) {
    const path = receiptPath(roomId, 'm.read', eventId)
    await bob.refused('400 M_INVALID_PARAM', 'POST', path, { thread_id: thread })
  }
  await redact(alice, roomId, inThread)
  await read(bob, roomId, inThread, { thread: 'main' })
})

test('a thread_id that is none is refused, and one with a fully read marker', async () => {
  const roomId = await roomOf([bob])
  const eventId = await say(bob, roomId, 'hello')
  for (const thread of ['', 5, null, {}, 'x'.repeat(300)]) {
    const path = receiptPath(roomId, 'm.read', eventId)
    await bob.refused('400 M_INVALID_PARAM', 'POST', path, { thread_id: thread })
  }
  const path = receiptPath(roomId, 'm.fully_read', eventId)
  await bob.refused('400 M_INVALID_PARAM', 'POST', path, { thread_id: 'main' })
})

test('receipts of unknown kinds, for events that are not in the room, and bodies that are no objects', async () => {
  const roomId = await roomOf([bob])
  const elsewhere = await say(bob, await roomOf([bob]), 'elsewhere')
  const eventId = await say(bob, roomId, 'here')
  const refused = (expected: string, kind: string, id: string, body: Json = {}): Promise<Json> =>
    bob.refused(expected, 'POST', receiptPath(roomId, kind, id), body)
  await refused('400 M_INVALID_PARAM', 'm.delivered', eventId)
  await refused('400 M_INVALID_PARAM', 'm.read', 'no-event-id')
  await refused('404 M_NOT_FOUND', 'm.read', elsewhere)
  await refused('404 M_NOT_FOUND', 'm.read', '$nowhere')
  await refused('404 M_NOT_FOUND', 'm.fully_read', '$nowhere')
  await refused('400 M_BAD_JSON', 'm.read', eventId, [])
  await refused('400 M_NOT_JSON', 'm.read', eventId, '{')
  assert.deepEqual(await bob.post(receiptPath(roomId, 'm.read', eventId), ''), {}, 'old clients send no body')
})

test('receipts and markers are for members alone (adv-56)', async () => {
  const roomId = await roomOf([alice])
  const eventId = await say(alice, roomId, 'members only')
  const tries = async (): Promise<void> => {
    await bob.refused('403 M_FORBIDDEN', 'POST', receiptPath(roomId, 'm.read', eventId), {})
    await bob.refused('403 M_FORBIDDEN', 'POST', markers(roomId), { 'm.fully_read': eventId })
  }
  await tries()
  await join(bob, roomId)
  await read(bob, roomId, eventId)
  await leave(bob, roomId)
  await tries()
  await bob.refused('403 M_FORBIDDEN', 'POST', receiptPath('!nowhere:test.example', 'm.read', eventId), {})
  const path = receiptPath(roomId, 'm.read', eventId)
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', path, {})
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', markers(roomId), {})
})

test('read_markers sets the fully read marker and both receipts at once', async () => {
  const roomId = await roomOf([alice, bob])
  const [first, second] = [await say(alice, roomId, '1'), await say(alice, roomId, '2')]
  const [ofAlice, ofBob] = [await token(alice), await token(bob)]
  const body = { 'm.fully_read': first, 'm.read': first, 'm.read.private': second, 'org.example.other': 1 }
  assert.deepEqual(await bob.post(markers(roomId), body), {})
  const mine = await sync(bob, { since: ofBob })
  assert.deepEqual(mine.rooms.join[roomId].account_data.events, [
    { type: 'm.fully_read', content: { event_id: first } },
  ])
  const publicOne = `${first} m.read ${bob.userId} -`
  assert.deepEqual(receiptsIn(mine, roomId), [publicOne, `${second} m.read.private ${bob.userId} -`].sort())
  const theirs = await sync(alice, { since: ofAlice })
  assert.deepEqual(receiptsIn(theirs, roomId), [publicOne])
  assert.deepEqual(theirs.rooms.join[roomId].account_data.events, [])
  assert.deepEqual(await bob.get(fullyRead(bob, roomId)), { event_id: first })
})

test('the fully read marker only moves forward, under both of its requests', async () => {
  const roomId = await roomOf([bob])
  const [first, second] = [await say(bob, roomId, '1'), await say(bob, roomId, '2')]
  await bob.post(receiptPath(roomId, 'm.fully_read', second), {})
  const since = await token(bob)
  await bob.post(markers(roomId), { 'm.fully_read': first })
  await bob.post(receiptPath(roomId, 'm.fully_read', first), {})
  assert.deepEqual(await bob.get(fullyRead(bob, roomId)), { event_id: second })
  assert.equal((await sync(bob, { since })).rooms, undefined)
  assert.deepEqual(receiptsIn(await sync(bob), roomId), [], 'it is no receipt')
})

test('markers that cannot be are refused, and then none of the request is set', async () => {
  const roomId = await roomOf([bob])
  const eventId = await say(bob, roomId, 'here')
  const bad: [string, Json][] = [
    ['400 M_INVALID_PARAM', { 'm.read': 'nothing' }],
    ['400 M_INVALID_PARAM', { 'm.fully_read': 5 }],
    ['404 M_NOT_FOUND', { 'm.fully_read': eventId, 'm.read': '$nowhere' }],
  ]
  for (const [expected, body] of bad) await bob.refused(expected, 'POST', markers(roomId), body)
  await bob.refused('404 M_NOT_FOUND', 'GET', fullyRead(bob, roomId))
  assert.deepEqual(await bob.post(markers(roomId), {}), {})
})

test('the fully read marker cannot be written as account data', async () => {
  const roomId = await roomOf([bob])
  const eventId = await say(bob, roomId, 'here')
  const body = { event_id: eventId }
  await bob.refused('405 M_BAD_JSON', 'PUT', fullyRead(bob, roomId), body)
  const rules = fullyRead(bob, roomId).replace('m.fully_read', 'm.push_rules')
  await bob.refused('405 M_BAD_JSON', 'PUT', rules, body)
})

test('a waiting sync wakes on a receipt of others, and not on one that is private', async () => {
  const roomId = await roomOf([alice, bob])
  const eventId = await say(alice, roomId, 'read me')
  const since = await token(alice)
  await read(bob, roomId, eventId, { kind: 'm.read.private' })
  const waiting = sync(alice, { since, timeout: 30_000 })
  let answered = false
  void waiting.then(() => (answered = true))
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(answered, false)
  await read(bob, roomId, eventId)
  assert.deepEqual(receiptsIn(await waiting, roomId), [`${eventId} m.read ${bob.userId} -`])
})

test('a room that is new to a client comes with its receipts', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, bob])
  const eventId = await say(alice, roomId, 'read me')
  await read(bob, roomId, eventId)
  const since = await token(carol)
  await join(carol, roomId)
  assert.deepEqual(receiptsIn(await sync(carol, { since }), roomId), [`${eventId} m.read ${bob.userId} -`])
})

test('receipts come after the server began anew, for tokens of before and of long ago', async () => {
  const roomId = await roomOf([alice, bob])
  const events = [await say(alice, roomId, '1'), await say(alice, roomId, '2')]
  await read(bob, roomId, events[0]!)
  const since = await token(alice)
  await server.restart()
  await read(bob, roomId, events[1]!)
  await server.restart()
  const line = `${events[1]} m.read ${bob.userId} -`
  assert.deepEqual(receiptsIn(await sync(alice, { since }), roomId), [line])
})

test('a room comes with its receipts, be they few or many', async () => {
  const many = await Promise.all(Array.from({ length: RECEIPTS_FEW + 1 }, () => server.user('reader')))
  const roomId = await roomOf([alice, ...many])
  const eventId = await say(alice, roomId, 'read me')
  for (const [index, who] of many.entries()) {
    if (index === RECEIPTS_FEW - 2) await read(alice, roomId, eventId, { kind: 'm.read.private' })
    await read(who, roomId, eventId)
    if (index < RECEIPTS_FEW - 2) continue
    /* What is kept ready of the newest receipts is gone. */
    await server.restart()
    const wanted = many.slice(0, index + 1).map(({ userId }) => `${eventId} m.read ${userId} -`)
    assert.deepEqual(receiptsIn(await sync(many[0]!), roomId).sort(), wanted.sort())
  }
})

test('the filter of ephemeral events chooses by type and room', async () => {
  const roomId = await roomOf([alice, bob])
  const eventId = await say(alice, roomId, 'read me')
  const since = await token(alice)
  await read(bob, roomId, eventId)
  const filters = [
    { not_types: ['m.receipt'] },
    { types: ['m.typ*'] },
    { not_rooms: [roomId] },
    { types: [] },
  ]
  for (const ephemeral of filters) {
    assert.equal((await syncWith(alice, { room: { ephemeral } }, { since })).rooms, undefined)
  }
  for (const ephemeral of [{ types: ['m.rec*'] }, { rooms: [roomId] }, {}]) {
    assert.equal(receiptsIn(await syncWith(alice, { room: { ephemeral } }, { since }), roomId).length, 1)
  }
})
