import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { relations as migration } from '#/storage/migrations/0004-relations.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  edit,
  ignore,
  react,
  refer,
  relate,
  relations,
  relationsUrl,
  reply,
  threads,
} from '../../support/relation-calls.ts'
import {
  createRoom,
  eventIds,
  getEvent,
  inRoom,
  join,
  leave,
  messages,
  redact,
  roomOf,
  say,
  setState,
  sync,
} from '../../support/room-calls.ts'
import { all, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}',
  'GET /_matrix/client/v1/rooms/{roomId}/threads',
)

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

test('what relates to an event, all of it, by kind, and by kind and type', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'target')
  const heart = await react(bob, roomId, target, '❤')
  const child = await reply(bob, roomId, target, 'in a thread')
  const other = await relate(bob, roomId, target, 'm.annotation', { type: 'org.example.vote', key: 'yes' })
  const of = async (...rest: string[]) =>
    eventIds((await relations(alice, roomId, target, {}, ...rest)).chunk)
  assert.deepEqual(await of(), [other, child, heart])
  assert.deepEqual(await of('m.annotation'), [other, heart])
  assert.deepEqual(await of('m.annotation', 'm.reaction'), [heart])
  assert.deepEqual(await of('m.reference'), [])
  const forward = await relations(alice, roomId, target, { dir: 'f' })
  assert.deepEqual(eventIds(forward.chunk), [heart, child, other])
  assert.deepEqual(
    [forward.next_batch, forward.prev_batch, forward.recursion_depth],
    [undefined, undefined, undefined],
  )
  const [event] = forward.chunk
  assert.deepEqual([event.room_id, event.unsigned.membership], [roomId, 'join'])
})

test('paging goes through all, either way, and stops at `to`', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'target')
  const made: string[] = []
  for (let i = 0; i < 7; i++) made.push(await react(bob, roomId, target, `k${i}`))
  for (const dir of ['f', 'b'] as const) {
    const found: string[] = []
    let from: string | undefined
    let pages = 0
    do {
      const page = await relations(alice, roomId, target, { dir, limit: 3, from })
      assert.equal(page.prev_batch, from)
      found.push(...eventIds(page.chunk))
      from = page.next_batch
      pages++
    } while (from !== undefined)
    assert.deepEqual(found, dir === 'f' ? made : made.toReversed())
    assert.equal(pages, 3)
  }
  const first = await relations(alice, roomId, target, { limit: 2 })
  const second = await relations(alice, roomId, target, { limit: 2, from: first.next_batch })
  const between = { from: first.next_batch, to: second.next_batch, limit: 50 }
  assert.deepEqual(
    eventIds((await relations(alice, roomId, target, between)).chunk),
    made.slice(3, 5).toReversed(),
  )
  const swapped = { from: second.next_batch, to: first.next_batch, limit: 50 }
  assert.deepEqual((await relations(alice, roomId, target, swapped)).chunk, [])
  const { next_batch } = await sync(alice)
  await react(bob, roomId, target, 'later')
  assert.deepEqual(eventIds((await relations(alice, roomId, target, { from: next_batch, limit: 1 })).chunk), [
    made[6],
  ])
  const { start } = await messages(alice, roomId, { limit: 1 })
  assert.equal((await relations(alice, roomId, target, { from: start })).chunk.length, 5, 'the default limit')
})

test('recursion goes three levels down, through what matches alone', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'target')
  const one = await refer(bob, roomId, target)
  const two = await refer(bob, roomId, one)
  const three = await refer(bob, roomId, two)
  await refer(bob, roomId, three)
  const edited = await edit(bob, roomId, one, 'x')
  const { chunk, recursion_depth } = await relations(alice, roomId, target, { recurse: true, dir: 'f' })
  assert.deepEqual(eventIds(chunk), [one, two, three, edited])
  assert.equal(recursion_depth, 3)
  const byKind = await relations(alice, roomId, target, { recurse: true }, 'm.replace')
  assert.deepEqual(byKind.chunk, [], 'the edit relates to it through a reference')
  const flat = await relations(alice, roomId, target, { recurse: false })
  assert.deepEqual(eventIds(flat.chunk), [one])
  const page = await relations(alice, roomId, target, { recurse: true, dir: 'f', limit: 3 })
  const rest = await relations(alice, roomId, target, { recurse: true, dir: 'f', from: page.next_batch })
  assert.deepEqual(eventIds([...page.chunk, ...rest.chunk]), [one, two, three, edited])
})

test('redacted relations and those of ignored users are not given', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const dora = await server.user('dora')
  await join(dora, roomId)
  const target = await say(alice, roomId, 'target')
  const bobs = await react(bob, roomId, target, 'x')
  const carols = await react(carol, roomId, target, 'x')
  await ignore(dora, bob)
  assert.deepEqual(eventIds((await relations(dora, roomId, target)).chunk), [carols])
  await redact(carol, roomId, carols)
  assert.deepEqual((await relations(dora, roomId, target)).chunk, [])
  assert.deepEqual(eventIds((await relations(alice, roomId, target)).chunk), [bobs])
})

test('relations of an event that the reader may not see are not found, nor those of no event', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'target')
  await react(alice, roomId, target, 'x')
  await bob.refused('404 M_NOT_FOUND', 'GET', relationsUrl(roomId, target))
  await bob.refused('404 M_NOT_FOUND', 'GET', relationsUrl('!nowhere:test.example', target))
  await alice.refused('404 M_NOT_FOUND', 'GET', relationsUrl(roomId, '$nothing'))
  const other = await roomOf([alice])
  await alice.refused('404 M_NOT_FOUND', 'GET', relationsUrl(other, target))
  await bob.refused('404 M_NOT_FOUND', 'GET', relationsUrl(roomId, target, 'm.annotation'))
  await bob.refused('404 M_NOT_FOUND', 'GET', relationsUrl(roomId, target, 'm.annotation', 'm.reaction'))
})

test('who joined where history is hidden from newcomers finds no relations from before', async () => {
  const roomId = await createRoom(alice, {
    preset: 'public_chat',
    initial_state: [
      { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
    ],
  })
  const target = await say(alice, roomId, 'before')
  await join(bob, roomId)
  await bob.refused('404 M_NOT_FOUND', 'GET', relationsUrl(roomId, target))
  const shown = await say(alice, roomId, 'after')
  await react(alice, roomId, shown, 'a')
  await leave(bob, roomId)
  await react(alice, roomId, shown, 'b')
  await join(bob, roomId)
  const { chunk } = await relations(bob, roomId, shown)
  assert.deepEqual(
    chunk.map((event: Json) => event.content['m.relates_to'].key),
    ['a'],
  )
})

test('bad tokens, directions, limits and flags are refused', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'target')
  const bad = ['from=nonsense', 'to=s99_1', 'dir=x', 'limit=-1', 'limit=x', 'recurse=perhaps']
  for (const query of bad) {
    for (const rest of [[], ['m.annotation'], ['m.annotation', 'm.reaction']]) {
      await alice.refused('400 M_INVALID_PARAM', 'GET', `${relationsUrl(roomId, target, ...rest)}?${query}`)
    }
  }
  await alice.refused('400 M_INVALID_PARAM', 'GET', relationsUrl(roomId, 'nothing'))
})

test('the same reaction is refused a second time, until the first is redacted', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'target')
  const send = (who: ApiClient, key: string, txn = who.txn()) =>
    who.call('PUT', inRoom(roomId, 'send', 'm.reaction', txn), {
      'm.relates_to': { rel_type: 'm.annotation', event_id: target, key },
    })
  const txn = bob.txn()
  const first = (await send(bob, 'x', txn)).json.event_id
  const second = await send(bob, 'x')
  assert.deepEqual([second.status, second.json.errcode], [400, 'M_DUPLICATE_ANNOTATION'])
  assert.equal((await send(bob, 'x', txn)).json.event_id, first, 'a repetition is no second one')
  await server.restart()
  assert.equal((await send(bob, 'x', txn)).json.event_id, first, 'nor after a restart')
  assert.equal((await send(bob, 'y')).status, 200)
  assert.equal((await send(alice, 'x')).status, 200)
  await redact(bob, roomId, first)
  assert.equal((await send(bob, 'x')).status, 200)
})

test('of equal reactions side by side one is taken', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'target')
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => react(alice, roomId, target, 'x')))
  assert.equal(tries.filter((each) => each.status === 'fulfilled').length, 1)
  assert.equal((await relations(alice, roomId, target)).chunk.length, 1)
  await say(alice, roomId, 'the room goes on')
})

test('a relation to an unknown event or one of another room is refused', async () => {
  const roomId = await roomOf([alice, bob])
  const other = await roomOf([alice])
  const elsewhere = await say(alice, other, 'elsewhere')
  const send = (who: ApiClient, target: string, relType = 'm.reference') =>
    who.refused('400 M_UNKNOWN', 'PUT', inRoom(roomId, 'send', 'm.room.message', who.txn()), {
      body: 'x',
      'm.relates_to': { rel_type: relType, event_id: target },
    })
  assert.deepEqual(await send(alice, '$nothing'), await send(alice, elsewhere))
  const state = inRoom(roomId, 'state', 'org.example.note', '')
  await alice.refused('400 M_UNKNOWN', 'PUT', state, {
    'm.relates_to': { rel_type: 'm.reference', event_id: '$nothing' },
  })
  const outside = await roomOf([alice])
  const target = await say(alice, outside, 'x')
  for (const id of [target, '$nothing']) {
    await bob.refused('403 M_FORBIDDEN', 'PUT', inRoom(outside, 'send', 'm.room.message', bob.txn()), {
      body: 'x',
      'm.relates_to': { rel_type: 'm.reference', event_id: id },
    })
  }
})

test('a thread does not begin in a thread, and an annotation has a key', async () => {
  const roomId = await roomOf([alice])
  const root = await say(alice, roomId, 'root')
  const child = await reply(alice, roomId, root, 'child')
  const url = () => inRoom(roomId, 'send', 'm.room.message', alice.txn())
  await alice.refused('400 M_UNKNOWN', 'PUT', url(), {
    'm.relates_to': { rel_type: 'm.thread', event_id: child },
  })
  for (const key of [undefined, 7, '', 'k'.repeat(501)]) {
    await alice.refused('400 M_BAD_JSON', 'PUT', url(), {
      'm.relates_to': { rel_type: 'm.annotation', event_id: root, key },
    })
  }
  await react(alice, roomId, root, '🙂'.repeat(500))
})

test('what is no relation by its form is a message like any other', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'target')
  const odd: Json[] = [
    'text',
    { rel_type: 7, event_id: target },
    { rel_type: 'm.thread', event_id: 'no id' },
    { rel_type: 'm.thread' },
    { rel_type: 'r'.repeat(300), event_id: target },
    { 'm.in_reply_to': { event_id: target } },
  ]
  for (const relates of odd) {
    const { event_id } = await alice.put(
      inRoom(roomId, 'send', 'org.example.odd', alice.txn()),
      { 'm.relates_to': relates },
      { events: false },
    )
    await alice.get(inRoom(roomId, 'event', event_id), {}, { events: false })
  }
  assert.deepEqual((await relations(alice, roomId, target)).chunk, [])
})

test('a state event may relate to another event, and saying it again is no duplicate', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'target')
  const content = { 'm.relates_to': { rel_type: 'm.annotation', event_id: target, key: 'pinned' } }
  const first = await setState(alice, roomId, 'org.example.note', content)
  assert.equal(await setState(alice, roomId, 'org.example.note', content), first)
  assert.deepEqual(eventIds((await relations(alice, roomId, target)).chunk), [first])
})

test('threads of a room, that of the latest event first, with all or only where one takes part', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const roots: string[] = []
  for (let i = 0; i < 4; i++) {
    roots.push(await say(alice, roomId, `root ${i}`))
    await reply(i % 2 === 0 ? bob : alice, roomId, roots[i]!, 'x')
  }
  await say(alice, roomId, 'no root')
  await reply(alice, roomId, roots[0]!, 'again')
  const order = [roots[0], roots[3], roots[2], roots[1]]
  assert.deepEqual(eventIds((await threads(carol, roomId)).chunk), order)
  assert.deepEqual(eventIds((await threads(bob, roomId, { include: 'participated' })).chunk), [
    roots[0],
    roots[2],
  ])
  assert.deepEqual((await threads(carol, roomId, { include: 'participated' })).chunk, [])
  assert.equal((await threads(alice, roomId, { include: 'participated' })).chunk.length, 4)
  const found: string[] = []
  let from: string | undefined
  do {
    const page = await threads(carol, roomId, { limit: 1, from })
    assert.equal(page.chunk.length, 1)
    found.push(page.chunk[0].event_id)
    from = page.next_batch
  } while (from !== undefined)
  assert.deepEqual(found, order)
  const partly = await threads(bob, roomId, { include: 'participated', limit: 1 })
  const rest = await threads(bob, roomId, { include: 'participated', limit: 1, from: partly.next_batch })
  assert.deepEqual(eventIds([...partly.chunk, ...rest.chunk]), [roots[0], roots[2]])
  assert.equal(rest.next_batch, undefined)
  await ignore(carol, alice)
  assert.deepEqual((await threads(carol, roomId)).chunk, [])
  await ignore(carol)
})

test('a thread whose events are all redacted is none', async () => {
  const roomId = await roomOf([alice])
  const root = await say(alice, roomId, 'root')
  const child = await reply(alice, roomId, root, 'x')
  assert.equal((await threads(alice, roomId)).chunk.length, 1)
  await redact(alice, roomId, child)
  assert.deepEqual((await threads(alice, roomId)).chunk, [])
})

test('threads are for those who may read the room, and bad questions are refused', async () => {
  const roomId = await roomOf([alice])
  const url = `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/threads`
  await bob.refused('403 M_FORBIDDEN', 'GET', url)
  for (const query of ['from=x', 'include=some', 'limit=-1']) {
    await alice.refused('400 M_INVALID_PARAM', 'GET', `${url}?${query}`)
  }
})

test('§5.11 messages of ignored users reach nobody who ignores them; state does', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const dora = await server.user('dora')
  await join(dora, roomId)
  await ignore(dora, bob)
  const since = (await sync(dora)).next_batch
  const message = await say(bob, roomId, 'unheard')
  await say(carol, roomId, 'heard')
  const levels = { users_default: 100 }
  await setState(alice, roomId, 'm.room.power_levels', levels)
  const topic = await setState(bob, roomId, 'm.room.topic', { topic: 'by bob' })
  const ways = [
    (await sync(dora)).rooms.join[roomId].timeline.events,
    (await sync(dora, { since })).rooms.join[roomId].timeline.events,
    (await messages(dora, roomId, { limit: 50 })).chunk,
  ]
  for (const events of ways) {
    assert.ok(!eventIds(events).includes(message))
    assert.ok(eventIds(events).includes(topic))
  }
  await dora.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'event', message))
  await dora.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'context', message))
  await dora.refused('404 M_NOT_FOUND', 'GET', `/_matrix/client/v3/events/${encodeURIComponent(message)}`)
  const { origin_server_ts: ts } = await getEvent(alice, roomId, message)
  for (const dir of ['f', 'b']) {
    const at = inRoom(roomId, 'timestamp_to_event').replace('/v3/', '/v1/')
    assert.notEqual((await dora.get(at, { ts, dir })).event_id, message)
  }
  const others: Json[] = [
    await dora.get('/_matrix/client/v3/events', { from: since, timeout: 0 }),
    await dora.get('/_matrix/client/v3/events', { from: since, timeout: 0, room_id: roomId }),
    await dora.get('/_matrix/client/v3/initialSync', { limit: 50 }),
    await dora.get(inRoom(roomId, 'initialSync'), { limit: 50 }),
    await dora.get('/_matrix/client/v3/notifications'),
    await dora.post('/_matrix/client/v3/search', {
      search_categories: { room_events: { search_term: 'unheard', event_context: { before_limit: 5 } } },
    }),
    await sliding(dora, { lists: { all: { ...all(), timeline_limit: 50 } } }),
  ]
  for (const [n, answer] of others.entries()) {
    assert.ok(!JSON.stringify(answer).includes(message), `way ${n}`)
  }
  assert.equal((await getEvent(dora, roomId, topic)).content.topic, 'by bob')
  await ignore(dora)
  assert.ok(eventIds((await messages(dora, roomId, { limit: 50 })).chunk).includes(message), 'at once')
  await say(bob, roomId, 'heard again')
})

test('an invite by an ignored user is not shown, and ignoring oneself ignores nobody', async () => {
  const dora = await server.user('dora')
  await ignore(dora, bob, dora)
  const { next_batch: from } = await sync(dora)
  const roomId = await createRoom(bob, { invite: [dora.userId] })
  assert.equal((await sync(dora)).rooms?.invite, undefined)
  assert.deepEqual((await dora.get('/_matrix/client/v3/events', { from, timeout: 0 })).chunk, [])
  assert.deepEqual((await dora.get('/_matrix/client/v3/initialSync')).rooms, [])
  assert.deepEqual((await sliding(dora, { lists: { all: all() } })).rooms, {})
  await ignore(dora, dora)
  assert.ok((await sync(dora)).rooms.invite[roomId])
  await join(dora, roomId)
  const own = await say(dora, roomId, 'mine')
  assert.ok(eventIds((await messages(dora, roomId)).chunk).includes(own))
})

test('pages stay in order where hidden events lie between, and many pages are read for one', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const dora = await server.user('dora')
  await join(dora, roomId)
  await ignore(dora, bob)
  const target = await say(alice, roomId, 'target')
  const shown: string[] = []
  for (let i = 0; i < 30; i++) {
    const who = i % 5 === 0 ? carol : bob
    const id = await react(who, roomId, target, `k${i}`)
    if (who === carol) shown.push(id)
  }
  for (const recurse of [false, true]) {
    const first = await relations(dora, roomId, target, { dir: 'f', limit: 4, recurse })
    assert.deepEqual(eventIds(first.chunk), shown.slice(0, 4))
    const rest = await relations(dora, roomId, target, {
      dir: 'f',
      limit: 4,
      recurse,
      from: first.next_batch,
    })
    assert.deepEqual([eventIds(rest.chunk), rest.next_batch], [shown.slice(4), undefined])
  }
})

test('too many relations of relations are refused as too large, and a page of them is not', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'target')
  await react(alice, roomId, target, 'x')
  const [nid] = await server.ask('SELECT nid, room FROM relation_targets WHERE event_id = ?1', target)
  const from = 1_000_000_000
  await server.ask(`
    INSERT INTO events WITH RECURSIVE n(value) AS
        (SELECT ${from} UNION ALL SELECT value + 1 FROM n WHERE value < ${from + 50_001})
      SELECT value, e.room, value, e.depth, 0, e.ts, NULL, NULL, NULL, 0, e.auth, '$big' || value,
        e.type, e.sender, NULL, NULL, e.json FROM events e, n WHERE e.event_id = '${target}'`)
  await server.ask(`
    INSERT INTO event_relations SELECT ${nid!['nid']}, depth, nid, nid, 1, ts, 'm.annotation', type, sender, 'k'
      FROM events WHERE nid >= ${from}`)
  await alice.refused('413 M_TOO_LARGE', 'GET', `${relationsUrl(roomId, target)}?recurse=true`)
  assert.equal((await relations(alice, roomId, target)).chunk.length, 5)
  await server.ask(`DELETE FROM event_relations WHERE event >= ${from}`)
  await server.ask(`DELETE FROM events WHERE nid >= ${from}`)
})

test('relations of events that were stored before relations had rows are found after the change of schema', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'target')
  const made = [
    await react(bob, roomId, target, 'x'),
    await reply(bob, roomId, target, 'in a thread'),
    await edit(alice, roomId, target, 'better'),
  ]
  const gone = await react(bob, roomId, target, 'y')
  await redact(bob, roomId, gone)
  const before = await relations(alice, roomId, target, { dir: 'f' })
  const { unsigned } = await getEvent(bob, roomId, target)
  const columns = 'target, depth, arrival, event, aggregated, ts, rel_type, type, sender, rel_key'
  const rows = () =>
    server.ask(`SELECT ${columns.replace('target, ', '')} FROM event_relations ORDER BY event`)
  const kept = await rows()
  await server.restart(async (ask) => {
    for (const table of ['relation_targets', 'event_relations']) await ask(`DELETE FROM ${table}`)
    for (const statement of migration.statements) {
      if (statement.startsWith('INSERT')) await ask(statement)
    }
  })
  const jobs = () => server.count(`SELECT COUNT(*) AS n FROM jobs WHERE kind = 'relations.index'`)
  for (let tries = 0; tries < 500 && (await jobs()) !== 0; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.equal(await jobs(), 0)
  assert.deepEqual(await rows(), kept)
  const after = await relations(alice, roomId, target, { dir: 'f' })
  assert.deepEqual(eventIds(after.chunk), made)
  assert.deepEqual(eventIds(after.chunk), eventIds(before.chunk))
  const again = (await getEvent(bob, roomId, target)).unsigned['m.relations']
  assert.equal(again['m.replace'].event_id, unsigned['m.relations']['m.replace'].event_id)
  assert.equal(again['m.thread'].count, 1)
})
