/** What is told of related events in `unsigned` of an event, on every way of reading it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import {
  edit,
  ignore,
  react,
  refer,
  relate,
  relations,
  reply,
  threads,
} from '../../support/relation-calls.ts'
import {
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

async function bundle(who: ApiClient, roomId: string, eventId: string): Promise<Json> {
  return (await getEvent(who, roomId, eventId)).unsigned['m.relations']
}

test('an event without relations has no bundle, and reactions are not summed up', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'plain')
  assert.equal(await bundle(bob, roomId, target), undefined)
  await react(bob, roomId, target, 'x')
  assert.equal(await bundle(bob, roomId, target), undefined)
})

test('the newest edit is shown whole, with what is in unsigned for its reader', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'frist')
  await edit(alice, roomId, target, 'firts')
  const newest = await edit(alice, roomId, target, 'first')
  const event = await getEvent(alice, roomId, target)
  assert.equal(event.content.body, 'frist', 'the content stays')
  const replaced = event.unsigned['m.relations']['m.replace']
  assert.deepEqual(
    [replaced.event_id, replaced.sender, replaced.type],
    [newest, alice.userId, 'm.room.message'],
  )
  assert.equal(replaced.content['m.new_content'].body, 'first')
  assert.equal(replaced.unsigned.membership, 'join')
  assert.ok(replaced.unsigned.transaction_id)
  assert.ok(replaced.unsigned.age >= 0)
  assert.equal(replaced.unsigned['m.relations'], undefined)
  const other = (await bundle(bob, roomId, target))['m.replace']
  assert.equal(other.unsigned.transaction_id, undefined)
})

test('edits that are not valid are no edits', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'mine')
  await edit(bob, roomId, target, 'not yours')
  await relate(alice, roomId, target, 'm.replace')
  const content = { body: 'x', 'm.new_content': { body: 'x' } }
  await relate(alice, roomId, target, 'm.replace', { type: 'org.example.other', content })
  assert.equal(await bundle(bob, roomId, target), undefined)
  const first = await edit(alice, roomId, target, 'mine indeed')
  await edit(alice, roomId, first, 'an edit of an edit')
  assert.equal(await bundle(bob, roomId, first), undefined)
  assert.equal((await bundle(bob, roomId, target))['m.replace'].event_id, first)
})

test('state events get no bundle', async () => {
  const roomId = await roomOf([alice, bob])
  const topic = await setState(alice, roomId, 'm.room.topic', { topic: 'x' })
  await refer(bob, roomId, topic)
  await reply(bob, roomId, topic, 'about the topic')
  assert.equal(await bundle(bob, roomId, topic), undefined)
})

test('redacting an edit brings the one before it back; redacting the original ends all of them', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'a')
  const first = await edit(alice, roomId, target, 'b')
  const second = await edit(alice, roomId, target, 'c')
  await redact(alice, roomId, second)
  assert.equal((await bundle(bob, roomId, target))['m.replace'].event_id, first)
  await redact(alice, roomId, target)
  assert.equal(await bundle(bob, roomId, target), undefined)
  assert.deepEqual((await relations(bob, roomId, target)).chunk, [], 'adv-57: edits would show what it said')
})

test('references are named in order, those of ignored users and redacted ones are not', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const dora = await server.user('dora')
  await join(dora, roomId)
  const target = await say(alice, roomId, 'a poll')
  const votes = [await refer(bob, roomId, target), await refer(carol, roomId, target)]
  const chunk = votes.map((event_id) => ({ event_id }))
  assert.deepEqual(await bundle(dora, roomId, target), { 'm.reference': { chunk } })
  await ignore(dora, bob)
  assert.deepEqual(await bundle(dora, roomId, target), { 'm.reference': { chunk: chunk.slice(1) } })
  await redact(carol, roomId, votes[1]!)
  assert.equal(await bundle(dora, roomId, target), undefined)
})

test('a thread tells its last event, its length, and whether the reader takes part', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const root = await say(alice, roomId, 'root')
  await reply(bob, roomId, root, 'one')
  const last = await reply(bob, roomId, root, 'two')
  const corrected = await edit(bob, roomId, last, 'three')
  const seen = (await bundle(carol, roomId, root))['m.thread']
  assert.deepEqual([seen.count, seen.current_user_participated], [2, false])
  assert.equal(seen.latest_event.event_id, last)
  assert.equal(seen.latest_event.unsigned['m.relations']['m.replace'].event_id, corrected)
  for (const who of [alice, bob]) {
    assert.equal((await bundle(who, roomId, root))['m.thread'].current_user_participated, true)
  }
  await redact(bob, roomId, last)
  const after = (await bundle(carol, roomId, root))['m.thread']
  assert.deepEqual([after.count, after.latest_event.content.body], [1, 'one'])
})

test('a thread is shown without those whom the reader ignores', async () => {
  const roomId = await roomOf([alice, bob, carol])
  const dora = await server.user('dora')
  await join(dora, roomId)
  const root = await say(alice, roomId, 'root')
  const first = await reply(carol, roomId, root, 'one')
  await reply(bob, roomId, root, 'two')
  await reply(bob, roomId, root, 'three')
  await ignore(dora, bob)
  const seen = (await bundle(dora, roomId, root))['m.thread']
  assert.deepEqual([seen.count, seen.latest_event.event_id], [1, first])
  await ignore(dora, bob, carol)
  assert.equal(await bundle(dora, roomId, root), undefined)
  await ignore(dora)
  assert.equal((await bundle(dora, roomId, root))['m.thread'].count, 3)
})

test('every way of reading shows the same bundle', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  const { next_batch } = await sync(bob)
  const child = await reply(alice, roomId, root, 'in the thread')
  const newest = await edit(alice, roomId, root, 'the root')
  const ofChild = await edit(alice, roomId, child, 'in this thread')
  const find = (events: Json[], id = root) => events.find((event) => event.event_id === id)
  const ways: Record<string, Json> = {
    event: await getEvent(bob, roomId, root),
    messages: find((await messages(bob, roomId, { limit: 20 })).chunk),
    sync: find((await sync(bob)).rooms.join[roomId].timeline.events),
    threads: find((await threads(bob, roomId)).chunk),
  }
  for (const [name, event] of Object.entries(ways)) {
    const told = event.unsigned['m.relations']
    assert.equal(told['m.replace'].event_id, newest, name)
    assert.equal(told['m.thread'].latest_event.event_id, child, name)
    const inner = told['m.thread'].latest_event.unsigned['m.relations']
    assert.equal(inner['m.replace'].event_id, ofChild, name)
    assert.equal('room_id' in told['m.replace'], name !== 'sync', name)
  }
  const later = (await sync(bob, { since: next_batch })).rooms.join[roomId].timeline.events
  assert.equal(find(later, child).unsigned['m.relations']['m.replace'].event_id, ofChild)
  const related = (await relations(bob, roomId, root, {}, 'm.thread')).chunk
  assert.equal(find(related, child).unsigned['m.relations']['m.replace'].event_id, ofChild)
})

test('who left sees the edits and threads of before, not those of after', async () => {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  const target = await say(alice, roomId, 'target')
  await reply(alice, roomId, root, 'while bob was here')
  const before = await edit(alice, roomId, target, 'while bob was here')
  await refer(alice, roomId, target)
  await leave(bob, roomId)
  await reply(alice, roomId, root, 'secret')
  await reply(alice, roomId, root, 'secret')
  await edit(alice, roomId, target, 'secret')
  await refer(alice, roomId, target)
  const seen = await bundle(bob, roomId, target)
  assert.equal(seen['m.replace'].event_id, before)
  assert.equal(seen['m.reference'].chunk.length, 1)
  const thread = (await bundle(bob, roomId, root))['m.thread']
  assert.deepEqual([thread.count, thread.latest_event.content.body], [1, 'while bob was here'])
  for (const id of [root, target]) {
    assert.ok(!JSON.stringify(await relations(bob, roomId, id, { recurse: true })).includes('secret'))
  }
  assert.ok(!JSON.stringify(await threads(bob, roomId)).includes('secret'))
})

test('a sync of messages without relations asks for them once, whoever reads', async () => {
  let asked = 0
  const counted = await TestServer.start({
    wrapStore: (store) => ({
      ...store,
      position: () => store.position(),
      get epoch() {
        return store.epoch
      },
      relations: {
        ...store.relations,
        targets: (room, ids) => {
          asked++
          return store.relations.targets(room, ids)
        },
      },
    }),
  })
  try {
    const [a, b, c] = [await counted.user('a'), await counted.user('b'), await counted.user('c')]
    const roomId = await roomOf([a, b, c])
    const since = (await sync(b)).next_batch
    const target = await say(a, roomId, 'one')
    await say(a, roomId, 'two')
    asked = 0
    await Promise.all([sync(b, { since }), sync(c, { since }), sync(b, { since })])
    await sync(c, { since })
    assert.equal(asked, 1)
    await edit(a, roomId, target, 'uno')
    const events = (await sync(b, { since })).rooms.join[roomId].timeline.events
    assert.ok(events[0].unsigned['m.relations']['m.replace'], 'and hears of what comes')
    assert.ok(asked > 1)
    const quiet = asked
    await setState(a, roomId, 'm.room.topic', { topic: 'x' })
    await a.get(inRoom(roomId, 'state'))
    await sync(b, { since })
    assert.equal(asked, quiet, 'state events are not asked about')
  } finally {
    await counted.close()
  }
})
