import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  eventIds,
  getEvent,
  getState,
  inRoom,
  join,
  leave,
  messages,
  roomOf,
  say,
  setState,
  texts,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'
import { watchedStore } from '../../support/watched-store.ts'

covers(
  'PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
  'POST /_matrix/client/v3/rooms/{roomId}/send/{eventType}',
)

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let room: string
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
  room = await roomOf([alice, bob])
})
after(() => server.close())

const MESSAGE = { msgtype: 'm.text', body: 'hello' }
const url = (txn: string, roomId = room, type = 'm.room.message'): string => inRoom(roomId, 'send', type, txn)

test('without a transaction id every request sends a message', async () => {
  const path = inRoom(room, 'send', 'm.room.message')
  const one = await alice.post(path, MESSAGE)
  const two = await alice.post(path, MESSAGE)
  assert.notEqual(one.event_id, two.event_id)
  assert.equal((await getEvent(bob, room, one.event_id)).content.body, 'hello')
  await alice.refused('413 M_TOO_LARGE', 'POST', path, { body: 'x'.repeat(70_000) })
  await alice.refused('400 M_BAD_JSON', 'POST', path, { body: 1.5 })
  await (await server.user('stranger')).refused('403 M_FORBIDDEN', 'POST', path, MESSAGE)
})

test('a message that was sent can be read by the others', async () => {
  const eventId = await say(alice, room, 'good morning')
  const event = await getEvent(bob, room, eventId)
  assert.deepEqual(event.content, { msgtype: 'm.text', body: 'good morning' })
  assert.deepEqual([event.sender, event.type, event.room_id], [alice.userId, 'm.room.message', room])
  assert.equal(event.state_key, undefined)
  assert.ok(event.unsigned.age >= 0)
})

test('an own type and an empty content are sent as they are', async () => {
  const { event_id } = await alice.put(url(alice.txn(), room, 'com.example.some/odd type+ä'), {})
  const event = await getEvent(bob, room, event_id)
  assert.deepEqual([event.type, event.content], ['com.example.some/odd type+ä', {}])
})

test('the same transaction id sends once', async () => {
  const txn = alice.txn()
  const first = await alice.put(url(txn), MESSAGE)
  const again = await alice.put(url(txn), { ...MESSAGE, body: 'other words' })
  assert.equal(again.event_id, first.event_id)
  assert.equal((await getEvent(alice, room, first.event_id)).content.body, 'hello')
})

test('the same transaction id twenty times side by side sends once', async () => {
  const roomId = await roomOf([alice])
  const txn = alice.txn()
  const answers = await Promise.all(Array.from({ length: 20 }, () => alice.put(url(txn, roomId), MESSAGE)))
  assert.equal(new Set(answers.map((answer) => answer.event_id)).size, 1)
  assert.equal(texts((await messages(alice, roomId, { limit: 50 })).chunk).length, 1)
})

test('a repetition gives the first event also to who has left since, and after a restart', async () => {
  const roomId = await roomOf([alice, bob])
  const [txn, other] = [bob.txn(), bob.txn()]
  const first = await bob.put(url(txn, roomId), MESSAGE)
  const second = await bob.put(url(other, roomId), MESSAGE)
  await say(alice, roomId, 'between')
  await server.restart()
  assert.deepEqual(await bob.put(url(txn, roomId), MESSAGE), first)
  await leave(bob, roomId)
  assert.deepEqual(await bob.put(url(txn, roomId), MESSAGE), first)
  await server.restart()
  assert.deepEqual(await bob.put(url(other, roomId), MESSAGE), second)
  await bob.refused('403 M_FORBIDDEN', 'PUT', url(bob.txn(), roomId), MESSAGE)
  assert.equal(texts((await messages(alice, roomId, { limit: 50 })).chunk).length, 3)
})

test('a transaction id belongs to its room, type, device and user', async () => {
  const other = await roomOf([alice, bob])
  const txn = 'shared-id'
  const phone = await server.device(alice)
  const sent = [
    await alice.put(url(txn), MESSAGE),
    await alice.put(url(txn, other), MESSAGE),
    await alice.put(url(txn, room, 'com.example.type'), MESSAGE),
    await phone.put(url(txn), MESSAGE),
    await bob.put(url(txn), MESSAGE),
  ]
  assert.equal(new Set(sent.map((answer) => answer.event_id)).size, 5)
})

test('§5.11 a transaction id holds after the token was refreshed', async () => {
  const dora = server.anonymous()
  const auth = { type: 'm.login.dummy' }
  const body = { username: 'dora', password: 'a password', refresh_token: true, auth }
  const session = await dora.post(`${V3}/register`, body)
  dora.become(session)
  await join(dora, room)
  const first = await dora.put(url('before'), MESSAGE)
  const { refresh_token } = session
  dora.token = (await dora.post(`${V3}/refresh`, { refresh_token })).access_token
  assert.equal((await dora.put(url('before'), MESSAGE)).event_id, first.event_id)
})

test('a transaction id holds after the server was restarted', async () => {
  const own = await TestServer.start()
  try {
    const eve = await own.user('eve')
    const roomId = await createRoom(eve)
    const first = await eve.put(url('t', roomId), MESSAGE)
    await own.restart()
    const again = await eve.put(url('t', roomId), MESSAGE)
    assert.equal(again.event_id, first.event_id)
    const next = await eve.put(url('u', roomId), MESSAGE)
    assert.deepEqual(eventIds((await messages(eve, roomId, { limit: 2 })).chunk), [
      next.event_id,
      first.event_id,
    ])
  } finally {
    await own.close()
  }
})

test('a refused message leaves its transaction id free', async () => {
  const roomId = await roomOf([alice])
  await bob.refused('403 M_FORBIDDEN', 'PUT', url('early', roomId), MESSAGE)
  await join(bob, roomId)
  await bob.put(url('early', roomId), MESSAGE)
})

test('unsigned.transaction_id is for the sending device alone (§5.11)', async () => {
  const phone = await server.device(alice)
  const txn = alice.txn()
  const { event_id } = await alice.put(url(txn), MESSAGE)
  assert.equal((await getEvent(alice, room, event_id)).unsigned.transaction_id, txn)
  assert.equal((await getEvent(phone, room, event_id)).unsigned.transaction_id, undefined)
  assert.equal((await getEvent(bob, room, event_id)).unsigned.transaction_id, undefined)
})

test('nobody sends to a room they are not in, have left, or that is not there', async () => {
  const roomId = await roomOf([alice, bob])
  const carol = await server.user('carol')
  await carol.refused('403 M_FORBIDDEN', 'PUT', url('1', roomId), MESSAGE)
  await leave(bob, roomId)
  await bob.refused('403 M_FORBIDDEN', 'PUT', url('2', roomId), MESSAGE)
  await bob.refused('403 M_FORBIDDEN', 'PUT', url('3', '!nowhere:test.example'), MESSAGE)
  await bob.refused('400 M_INVALID_PARAM', 'PUT', url('4', 'nonsense'), MESSAGE)
})

test('an invited user does not send', async () => {
  const roomId = await createRoom(alice, { invite: [bob.userId] })
  await bob.refused('403 M_FORBIDDEN', 'PUT', url('1', roomId), MESSAGE)
})

test('the level of a type is asked for, and so is events_default', async () => {
  const events = { 'com.example.loud': 50 }
  const roomId = await roomOf([alice, bob], { power_level_content_override: { events, events_default: 0 } })
  await bob.put(url('1', roomId, 'com.example.quiet'), {})
  await bob.refused('403 M_FORBIDDEN', 'PUT', url('2', roomId, 'com.example.loud'), {})
  await alice.put(url('3', roomId, 'com.example.loud'), {})
  const levels = await getState(alice, roomId, 'm.room.power_levels')
  await setState(alice, roomId, 'm.room.power_levels', { ...levels, events_default: 10 })
  await bob.refused('403 M_FORBIDDEN', 'PUT', url('4', roomId, 'com.example.quiet'), {})
})

test('§5.5 an event of more than 65,536 bytes is refused, one just below is sent', async () => {
  const body = (n: number) => ({ msgtype: 'm.text', body: 'x'.repeat(n) })
  await alice.refused('413 M_TOO_LARGE', 'PUT', url(alice.txn()), body(65_536))
  const small = await alice.put(url(alice.txn()), body(64_000))
  assert.equal((await getEvent(bob, room, small.event_id)).content.body.length, 64_000)
  /* Characters are not bytes. */
  await alice.refused('413 M_TOO_LARGE', 'PUT', url(alice.txn()), {
    msgtype: 'm.text',
    body: 'ä'.repeat(33_000),
  })
})

test('§5.5 a type of more than 255 bytes is refused, though it has fewer characters', async () => {
  await alice.put(url(alice.txn(), room, 'a'.repeat(255)), {})
  for (const type of ['a'.repeat(256), 'ä'.repeat(128)]) {
    const { status, json } = await alice.call('PUT', url(alice.txn(), room, type), {})
    assert.ok([400, 413].includes(status), `${status} ${JSON.stringify(json)}`)
  }
})

const BAD_JSON: [string, string, string][] = [
  ['a float', '{"body":1.5}', 'M_BAD_JSON'],
  ['an exponent', '{"body":1e3}', 'M_BAD_JSON'],
  ['minus zero', '{"body":-0}', 'M_BAD_JSON'],
  ['an integer beyond 2^53', '{"body":9007199254740993}', 'M_BAD_JSON'],
  ['a duplicate key', '{"a":1,"a":2}', 'M_BAD_JSON'],
  ['a lone surrogate', '{"body":"\\ud800"}', 'M_BAD_JSON'],
  ['a lone surrogate in a key', '{"\\udc00":1}', 'M_BAD_JSON'],
  ['NaN', '{"body":NaN}', 'M_NOT_JSON'],
  ['Infinity', '{"body":Infinity}', 'M_NOT_JSON'],
  ['a list', '[]', 'M_BAD_JSON'],
  ['a string', '"text"', 'M_BAD_JSON'],
  ['null', 'null', 'M_BAD_JSON'],
  ['half an object', '{"body":', 'M_NOT_JSON'],
  ['nothing', '', 'M_NOT_JSON'],
  ['a raw control character', '{"body":"\u0001"}', 'M_NOT_JSON'],
  ['an abyss', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 'M_BAD_JSON'],
]
for (const [what, text, errcode] of BAD_JSON) {
  test(`${what} as content is refused (adv-41)`, async () => {
    await alice.refused(`400 ${errcode}`, 'PUT', url(alice.txn()), text)
  })
}

test('bytes that are no UTF-8 are refused', async () => {
  const bytes = Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d])
  await alice.refused('400 M_NOT_JSON', 'PUT', url(alice.txn()), bytes)
})

test('NUL and every other character that JSON has comes back as it was sent', async () => {
  const body = 'a\0b\u007f\u2028\u{1f600}\ufffe "\\/\b'
  const { event_id } = await alice.put(url(alice.txn()), { msgtype: 'm.text', body, '\0key': '\0' })
  assert.deepEqual((await getEvent(bob, room, event_id)).content, { msgtype: 'm.text', body, '\0key': '\0' })
  assert.equal((await messages(bob, room, { limit: 1 })).chunk[0].content.body, body)
})

test('keys that mean something to JavaScript come back as they were sent', async () => {
  const text = '{"__proto__":{"a":1},"constructor":"x","hasOwnProperty":1,"1":"one","toString":null}'
  const { event_id } = await alice.put(url(alice.txn(), room, 'com.example.keys'), text)
  const { content } = await getEvent(bob, room, event_id)
  assert.deepEqual(Object.keys(content).sort(), [
    '1',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
  ])
  assert.deepEqual(Object.getOwnPropertyDescriptor(content, '__proto__')?.value, { a: 1 })
})

test('integers at the limits of canonical JSON are kept', async () => {
  const content = { high: Number.MAX_SAFE_INTEGER, low: Number.MIN_SAFE_INTEGER }
  const { event_id } = await alice.put(url(alice.txn(), room, 'com.example.numbers'), content)
  assert.deepEqual((await getEvent(bob, room, event_id)).content, content)
})

test('NUL and broken encodings in a path are refused, never a failure of the server', async () => {
  const paths = [
    `${V3}/rooms/${encodeURIComponent(room)}/send/a%00b/t1`,
    `${V3}/rooms/${encodeURIComponent(room)}/send/a/t%001`,
    `${V3}/rooms/${encodeURIComponent(room)}/send/%ff/t2`,
    `${V3}/rooms/${encodeURIComponent(room)}/send/%zz/t3`,
    `${V3}/rooms/%00/send/a/t4`,
    `${V3}/rooms/${encodeURIComponent(room)}/state/a/k%00`,
    `${V3}/rooms/${encodeURIComponent(room)}/state/a%00`,
  ]
  for (const path of paths) {
    const { status } = await alice.call('PUT', path, {})
    assert.equal(status, 400, path)
  }
})

test('reads with NUL in the path are answered as well', async () => {
  const start = `${V3}/rooms/${encodeURIComponent(room)}`
  for (const path of ['state/a/k%00', 'state/a%00', 'event/$%00', 'event/%ed%a0%80']) {
    const { status } = await alice.call('GET', `${start}/${path}`)
    assert.ok(status === 400 || status === 404, `${path}: ${status}`)
  }
})

test('a member event or a create event cannot be sent as a message', async () => {
  for (const type of ['m.room.member', 'm.room.create']) {
    await alice.refused('403 M_FORBIDDEN', 'PUT', url(alice.txn(), room, type), { membership: 'join' })
  }
})

test('many senders in one room: each message once, in one order for all', async () => {
  const roomId = await roomOf([alice, bob])
  const sends = Array.from({ length: 60 }, (_, i) => say(i % 2 ? alice : bob, roomId, `n${i}`))
  const ids = await Promise.all(sends)
  const all = (await messages(bob, roomId, { limit: 100 })).chunk
  const found = eventIds(all.filter((event: Json) => event.type === 'm.room.message'))
  assert.deepEqual([...found].sort(), [...ids].sort())
  assert.deepEqual(eventIds((await messages(alice, roomId, { limit: 100 })).chunk), eventIds(all))
})

test('sending needs a token that is known', async () => {
  const stranger = server.anonymous()
  await stranger.refused('401 M_MISSING_TOKEN', 'PUT', url('x'), MESSAGE)
  stranger.token = 'nothing'
  await stranger.refused('401 M_UNKNOWN_TOKEN', 'PUT', url('x'), MESSAGE)
})

test('a user who floods one room does not hold up another room (adv-39)', { timeout: 60_000 }, async () => {
  const watch = watchedStore()
  const server = await TestServer.start({ wrapStore: watch.wrap })
  try {
    const [alice, bob] = [await server.user('alice'), await server.user('bob')]
    const [flooded, calm] = [await roomOf([alice]), await roomOf([bob])]
    const floods = (op: Op): boolean => op.op === 'event.insert' && op.sender === alice.userId
    const said = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    let ended = 0
    /* However fast the flood could be written, none of it is before the other room's word. */
    watch.onCommit = async (ops) => {
      if (!ops.some(floods)) return
      begun.resolve()
      await said.promise
    }
    const flood = Array.from({ length: 300 }, async (_, i) => {
      await say(alice, flooded, `f${i}`)
      ended++
    })
    await begun.promise
    await say(bob, calm, 'one word')
    assert.equal(ended, 0, 'none of the flood is written')
    said.resolve()
    await Promise.all(flood)
    assert.equal(ended, 300)
  } finally {
    await server.close()
  }
})
