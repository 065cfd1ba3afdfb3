import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { recount } from '#/app/commands/recount.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import {
  createRoom,
  inRoom,
  invite,
  join,
  leave,
  redact,
  roomOf,
  say,
  setState,
  sync,
  syncWith,
  V3,
} from '../../support/room-calls.ts'
import { all, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let carol: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
  carol = await server.user('carol')
})
after(() => server.close())

const rule = (kind: string, id: string, more = ''): string =>
  `${V3}/pushrules/global/${kind}/${encodeURIComponent(id)}${more}`

const THREADS = { room: { timeline: { unread_thread_notifications: true } } }

/** `notifications/highlights` of a room in an initial sync. */
async function counts(who: ApiClient, roomId: string): Promise<string> {
  return text((await sync(who)).rooms.join[roomId].unread_notifications)
}

const text = (count: Json): string => `${count.notification_count}/${count.highlight_count}`

/** The counts of main timeline and threads, by root. */
async function byThread(who: ApiClient, roomId: string): Promise<[string, Record<string, string>]> {
  const room = (await syncWith(who, THREADS)).rooms.join[roomId]
  const threads = Object.entries(room.unread_thread_notifications ?? {})
  return [
    text(room.unread_notifications),
    Object.fromEntries(threads.map(([id, count]) => [id, text(count)])),
  ]
}

async function send(who: ApiClient, roomId: string, content: Json, type = 'm.room.message'): Promise<string> {
  return (await who.put(inRoom(roomId, 'send', type, who.txn()), content)).event_id
}

const mention = (who: ApiClient, roomId: string, users: readonly ApiClient[]): Promise<string> =>
  send(who, roomId, {
    msgtype: 'm.text',
    body: 'hear hear',
    'm.mentions': { user_ids: users.map((user) => user.userId) },
  })

const inThread = (who: ApiClient, roomId: string, root: string, more: Json = {}): Promise<string> =>
  send(who, roomId, {
    msgtype: 'm.text',
    body: 'in a thread',
    'm.relates_to': { rel_type: 'm.thread', event_id: root },
    ...more,
  })

/** Sends a receipt. */
async function read(who: ApiClient, eventId: string, thread = '', kind = 'm.read'): Promise<void> {
  const row = await server.store.events.byId(eventId)
  const room = await server.store.rooms.byNid(row?.room ?? 0)
  assert.ok(room)
  await who.post(inRoom(room.roomId, 'receipt', kind, eventId), thread === '' ? {} : { thread_id: thread })
}

const rowsOf = (table: string): Promise<number> => server.count(`SELECT COUNT(*) AS n FROM ${table}`)

test('messages of others are unread until a receipt, public or private, the further one', async () => {
  const roomId = await roomOf([alice, bob])
  assert.equal(await counts(bob, roomId), '0/0')
  const ids = []
  for (const word of ['one', 'two', 'three', 'four']) ids.push(await say(alice, roomId, word))
  assert.equal(await counts(bob, roomId), '4/0')
  assert.equal(await counts(alice, roomId), '0/0')
  await read(bob, ids[2]!)
  assert.equal(await counts(bob, roomId), '1/0')
  await read(bob, ids[0]!, '', 'm.read.private')
  assert.equal(await counts(bob, roomId), '1/0')
  await read(bob, ids[3]!, '', 'm.read.private')
  assert.equal(await counts(bob, roomId), '0/0')
})

test('counts come with the event that changes them, and when nothing but a receipt changed they are right', async () => {
  const roomId = await roomOf([alice, bob])
  const first = await sync(bob)
  await say(alice, roomId, 'news')
  const next = await sync(bob, { since: first.next_batch })
  const room = next.rooms.join[roomId]
  assert.deepEqual([room.timeline.events.length, text(room.unread_notifications)], [1, '1/0'])
  for (const filter of [{}, { room: { ephemeral: { types: [] } } }]) {
    const id = await say(alice, roomId, 'more news')
    const before = await sync(bob)
    await read(bob, id)
    const after = await syncWith(bob, filter, { since: before.next_batch })
    assert.equal(text(after.rooms.join[roomId].unread_notifications), '0/0')
    const more = await syncWith(bob, filter, { since: after.next_batch })
    assert.equal(more.rooms, undefined)
  }
})

test('what was said before the user joined does not count, nor what notifies nobody', async () => {
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'early')
  await join(bob, roomId)
  assert.equal(await counts(bob, roomId), '0/0')
  await send(alice, roomId, { msgtype: 'm.notice', body: 'a bot speaks' })
  await setState(alice, roomId, 'm.room.topic', { topic: 'silence' })
  const id = await say(alice, roomId, 'one')
  await send(
    alice,
    roomId,
    { 'm.relates_to': { rel_type: 'm.annotation', event_id: id, key: '+' } },
    'm.reaction',
  )
  await send(alice, roomId, {
    msgtype: 'm.text',
    body: '* two',
    'm.new_content': { msgtype: 'm.text', body: 'two' },
    'm.relates_to': { rel_type: 'm.replace', event_id: id },
  })
  assert.equal(await counts(bob, roomId), '1/0')
  await leave(bob, roomId)
  await say(alice, roomId, 'without bob')
  await join(bob, roomId)
  assert.equal(await counts(bob, roomId), '0/0')
})

test('who renews their member event has not read the room by that', async () => {
  const roomId = await roomOf([alice, bob])
  await say(alice, roomId, 'unread')
  await setState(bob, roomId, 'm.room.member', { membership: 'join', displayname: 'Bobby' }, bob.userId)
  assert.equal(await counts(bob, roomId), '1/0')
})

test('who sends a message has read its thread up to it', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  await inThread(alice, roomId, root)
  await say(bob, roomId, 'I see')
  assert.deepEqual(await byThread(bob, roomId), ['0/0', { [root]: '1/0' }])
  await inThread(bob, roomId, root)
  assert.deepEqual(await byThread(bob, roomId), ['0/0', {}])
})

test('mentions highlight those who are mentioned, one row for each of them', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const before = await rowsOf('push_actions')
  await mention(alice, roomId, [bob, alice])
  await mention(alice, roomId, [bob])
  await say(alice, roomId, 'plain')
  assert.equal(await counts(bob, roomId), '3/2')
  assert.equal(await counts(carol, roomId), '3/0')
  assert.equal(await counts(alice, roomId), '0/0')
  assert.equal(await rowsOf('push_actions'), before + 2)
  await mention(alice, roomId, [{ userId: '@nobody:test.example' } as ApiClient])
  assert.equal(await rowsOf('push_actions'), before + 2)
})

test('a mention of the room highlights everybody where the sender may, without a row for anybody', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const before = await rowsOf('push_actions')
  const everybody = { msgtype: 'm.text', body: '@room', 'm.mentions': { room: true } }
  await send(alice, roomId, everybody)
  assert.equal(await counts(bob, roomId), '1/1')
  await send(carol, roomId, everybody)
  assert.equal(await counts(bob, roomId), '2/1')
  assert.equal(await rowsOf('push_actions'), before)
})

test('a tombstone highlights everybody but its sender', async () => {
  const roomId = await roomOf([alice, bob])
  await setState(alice, roomId, 'm.room.tombstone', { body: 'gone', replacement_room: '!new:test.example' })
  assert.equal(await counts(bob, roomId), '1/1')
  assert.equal(await counts(alice, roomId), '0/0')
})

test('redacting an event takes its notification and highlight away, for all', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const named = await mention(alice, roomId, [bob])
  const loud = await send(alice, roomId, { msgtype: 'm.text', body: 'x', 'm.mentions': { room: true } })
  const plain = await say(alice, roomId, 'plain')
  assert.deepEqual([await counts(bob, roomId), await counts(carol, roomId)], ['3/2', '3/1'])
  await redact(alice, roomId, named)
  assert.deepEqual([await counts(bob, roomId), await counts(carol, roomId)], ['2/1', '2/1'])
  await redact(alice, roomId, loud)
  await redact(alice, roomId, plain)
  assert.deepEqual([await counts(bob, roomId), await counts(carol, roomId)], ['0/0', '0/0'])
})

test('§5.11 main and threads are counted apart where the filter asks, else together', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  const other = await say(alice, roomId, 'another root')
  const first = await inThread(alice, roomId, root)
  await inThread(alice, roomId, root, { 'm.mentions': { user_ids: [bob.userId] } })
  const last = await inThread(alice, roomId, other)
  assert.deepEqual(await byThread(bob, roomId), ['2/0', { [root]: '2/1', [other]: '1/0' }])
  assert.equal(await counts(bob, roomId), '5/1')
  await read(bob, first, root)
  assert.deepEqual(await byThread(bob, roomId), ['2/0', { [root]: '1/1', [other]: '1/0' }])
  await read(bob, other, 'main')
  assert.deepEqual(await byThread(bob, roomId), ['0/0', { [root]: '1/1', [other]: '1/0' }])
  await read(bob, last)
  assert.deepEqual(await byThread(bob, roomId), ['0/0', {}])
  assert.equal(await counts(bob, roomId), '0/0')
})

test('what relates to an event of a thread is in the thread, what relates to its root is not', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  const reply = await inThread(alice, roomId, root)
  const about = (event_id: string) =>
    send(alice, roomId, {
      msgtype: 'm.text',
      body: 'x',
      'm.relates_to': { rel_type: 'com.example', event_id },
    })
  const second = await about(reply)
  await about(second)
  await about(root)
  assert.deepEqual(await byThread(bob, roomId), ['2/0', { [root]: '3/0' }])
})

test('a muted room and switched off rules cost no row per event, and what was counted before stays', async () => {
  const roomId = await roomOf([alice, bob, carol])
  await say(alice, roomId, 'before')
  const before = await rowsOf('push_actions')
  const mute = { kind: 'event_match', key: 'room_id', pattern: roomId }
  await bob.put(rule('override', roomId), { actions: [], conditions: [mute] })
  await carol.put(rule('room', roomId), { actions: [] })
  await say(alice, roomId, 'muted')
  await send(alice, roomId, { msgtype: 'm.text', body: '@room', 'm.mentions': { room: true } })
  assert.equal(await counts(bob, roomId), '1/0')
  assert.equal(await counts(carol, roomId), '2/1')
  await bob.ok('DELETE', rule('override', roomId))
  await bob.put(rule('override', '.m.rule.master', '/enabled'), { enabled: true })
  await say(alice, roomId, 'not to be disturbed')
  await bob.put(rule('override', '.m.rule.master', '/enabled'), { enabled: false })
  await bob.put(rule('underride', '.m.rule.message', '/actions'), { actions: [] })
  await say(alice, roomId, 'mentions alone')
  assert.equal(await counts(bob, roomId), '1/0')
  assert.equal(await rowsOf('push_actions'), before)
  await mention(alice, roomId, [bob])
  assert.equal(await counts(bob, roomId), '2/1')
  assert.equal(await rowsOf('push_actions'), before + 1)
  await bob.put(rule('underride', '.m.rule.message', '/actions'), { actions: ['notify'] })
})

test('rules that look at the content count for those who have them', async () => {
  const roomId = await roomOf([alice, bob, carol])
  await bob.put(rule('content', 'cake'), {
    pattern: 'cake*lie',
    actions: ['notify', { set_tweak: 'highlight' }],
  })
  await carol.put(rule('sender', alice.userId), { actions: [] })
  await say(alice, roomId, 'the CAKE is a lie!')
  await say(alice, roomId, 'no cakes')
  assert.equal(await counts(bob, roomId), '2/1')
  assert.equal(await counts(carol, roomId), '0/0')
  await carol.ok('DELETE', rule('sender', alice.userId))
  await say(alice, roomId, 'heard')
  assert.equal(await counts(carol, roomId), '1/0')
})

test('rules count in rooms joined after they were made, and not in rooms that were left', async () => {
  const dave = await server.user('dave')
  await dave.put(rule('content', 'word'), {
    pattern: 'word',
    actions: ['notify', { set_tweak: 'highlight' }],
  })
  const roomId = await roomOf([alice, bob])
  await say(alice, roomId, 'word')
  await join(dave, roomId)
  await say(alice, roomId, 'word')
  assert.equal(await counts(dave, roomId), '1/1')
  await leave(dave, roomId)
  const before = await rowsOf('push_actions')
  await say(alice, roomId, 'word')
  assert.equal(await rowsOf('push_actions'), before)
  assert.equal(
    await server.count('SELECT COUNT(*) AS n FROM push_actions WHERE user_id = ?1', dave.userId),
    0,
  )
  await join(dave, roomId)
  assert.equal(await counts(dave, roomId), '0/0')
})

test('events of ignored users count for nothing', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const data = `${V3}/user/${encodeURIComponent(carol.userId)}/account_data/m.ignored_user_list`
  await carol.put(data, { ignored_users: { [bob.userId]: {} } })
  await mention(bob, roomId, [carol])
  await say(alice, roomId, 'heard')
  assert.equal(await counts(carol, roomId), '1/0')
  await carol.put(data, { ignored_users: {} })
  await say(bob, roomId, 'heard again')
  assert.equal(await counts(carol, roomId), '2/0')
})

test('an invitation does not count once it is accepted, wherever the room was made', async () => {
  const made = await createRoom(alice, { invite: [bob.userId] })
  const later = await createRoom(alice)
  await invite(alice, later, bob)
  for (const roomId of [made, later]) {
    await join(bob, roomId)
    assert.equal(await counts(bob, roomId), '0/0')
  }
})

test('deactivation leaves nothing behind', async () => {
  const erin = await server.user('erin')
  const roomId = await roomOf([alice, erin])
  await mention(alice, roomId, [erin])
  await say(erin, roomId, 'bye')
  await erin.put(rule('content', 'x'), { pattern: 'x', actions: ['notify'] })
  const password = { type: 'm.id.user', user: erin.userId }
  await erin.post(`${V3}/account/deactivate`, {
    auth: { type: 'm.login.password', identifier: password, password: 'a password' },
  })
  for (const table of ['push_users', 'push_profiles', 'push_actions', 'own_marks']) {
    const left = await server.count(`SELECT COUNT(*) AS n FROM ${table} WHERE user_id = ?1`, erin.userId)
    assert.equal(left, 0, table)
  }
})

test('counts are the same after a restart', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  await inThread(alice, roomId, root)
  await mention(alice, roomId, [bob])
  const told = await byThread(bob, roomId)
  await server.restart()
  assert.deepEqual(await byThread(bob, roomId), told)
  await say(alice, roomId, 'more')
  assert.deepEqual(await byThread(bob, roomId), ['3/1', { [root]: '1/0' }])
})

test('sliding sync tells the counts when they change, by a message or by a receipt of the reader', async () => {
  const dave = await server.user('dave')
  const roomId = await roomOf([alice, dave])
  const named = await mention(alice, roomId, [dave])
  const loop = { lists: { l: all() } }
  const first = await sliding(dave, loop)
  const told = (answer: Json): string => text(answer.rooms[roomId])
  assert.equal(told(first), '1/1')
  await dave.post(inRoom(roomId, 'receipt', 'm.read.private', named), {})
  const second = await sliding(dave, loop, { pos: first.pos })
  assert.equal(told(second), '0/0')
  await say(alice, roomId, 'more')
  assert.equal(told(await sliding(dave, loop, { pos: second.pos })), '1/0')
})

test('recount finds what was changed behind the server, and puts it right', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  await inThread(alice, roomId, root)
  await mention(alice, roomId, [bob])
  const told = await byThread(bob, roomId)
  const quiet = () => {}
  assert.equal((await recount(server.store, false, quiet)).wrong, 0)
  for (const [change, ...params] of [
    [`UPDATE event_kinds SET kind = 0 WHERE kind <> 0`],
    ['UPDATE event_kinds SET totals = ?1', Buffer.from([0, 9])],
    ['UPDATE thread_news SET latest = 1'],
    [
      `INSERT INTO push_actions SELECT '${bob.userId}', room, '$none', event, kind, 1, 1, '[]' FROM event_kinds`,
    ],
  ] as const) {
    await server.ask(change, ...params)
    const lines: string[] = []
    const before = await recount(server.store, false, (line) => lines.push(line))
    assert.ok(before.wrong > 0 && lines.length > 0, change)
    assert.equal((await recount(server.store, true, quiet)).wrong, before.wrong, change)
    assert.equal((await recount(server.store, false, quiet)).wrong, 0, change)
  }
  assert.deepEqual(await byThread(bob, roomId), told)
})

test('adv-30 many patterns and a long message do not hold up the server', async () => {
  const [dave, erin] = [await server.user('dave'), await server.user('erin')]
  const roomId = await roomOf([alice, dave])
  for (let i = 0; i < 100; i++) {
    await dave.put(rule('content', `r${i}`), { pattern: `a*b*c*d*e*f*${i}`, actions: ['notify'] })
  }
  let turns = 0
  let waiting = true
  const sent = say(alice, roomId, 'abcdef '.repeat(8000)).finally(() => {
    waiting = false
  })
  while (waiting) {
    await erin.get(`${V3}/account/whoami`)
    await new Promise((resolve) => setImmediate(resolve))
    turns++
  }
  await sent
  assert.ok(turns > 3, `others had ${turns} turns`)
  assert.equal(await counts(dave, roomId), '1/0')
})

test('a room is muted by its id in other letters too, as event_match takes no notice of case', async () => {
  const roomId = await roomOf([alice, bob, carol], { room_version: '11' })
  const mute = { kind: 'event_match', key: 'room_id', pattern: roomId.toLowerCase() }
  assert.notEqual(mute.pattern, roomId)
  await bob.put(rule('override', 'mute'), { actions: [], conditions: [mute] })
  await say(alice, roomId, 'muted')
  assert.deepEqual([await counts(bob, roomId), await counts(carol, roomId)], ['0/0', '1/0'])
  await bob.put(rule('override', 'mute', '/enabled'), { enabled: false })
  await say(alice, roomId, 'heard')
  assert.equal(await counts(bob, roomId), '1/0')
})
