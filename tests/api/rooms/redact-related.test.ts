/** Redacting an event with what relates to it (MSC3912). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { edit, react, reply } from '../../support/relation-calls.ts'
import { getEvent, inRoom, roomOf, say } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

const WITH = 'org.matrix.msc3912.with_relations'

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const url = (who: ApiClient, roomId: string, eventId: string): string =>
  inRoom(roomId, 'redact', eventId, who.txn())

const redacted = async (roomId: string, eventId: string): Promise<boolean> =>
  (await getEvent(alice, roomId, eventId)).unsigned.redacted_because !== undefined

/** Waits for the job. */
function untilRedacted(roomId: string, eventId: string): Promise<void> {
  return until(`${eventId} is redacted`, () => redacted(roomId, eventId))
}

test('what relates to it goes with it: the kinds that are named', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(bob, roomId, 'target')
  const edits = [await edit(bob, roomId, target, 'a'), await edit(bob, roomId, target, 'b')]
  const child = await reply(bob, roomId, target, 'stays')
  const answer = await bob.put(url(bob, roomId, target), { reason: 'all of it', [WITH]: ['m.replace'] })
  for (const id of edits) await untilRedacted(roomId, id)
  const because = (await getEvent(alice, roomId, edits[0]!)).unsigned.redacted_because
  assert.deepEqual([because.sender, because.content.reason], [bob.userId, 'all of it'])
  const redaction: Json = await getEvent(alice, roomId, answer.event_id)
  assert.equal(redaction.content[WITH], undefined, 'the wish is not part of the event')
  assert.equal(await redacted(roomId, child), false)
})

test('a star stands for all kinds; what the sender may not redact stays', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(bob, roomId, 'target')
  const others = await react(alice, roomId, target, 'x')
  const own = await react(bob, roomId, target, 'x')
  await bob.put(url(bob, roomId, target), { [WITH]: ['*'] })
  await untilRedacted(roomId, own)
  assert.equal(await redacted(roomId, others), false)
})

test('a suspended moderator takes back what is their own alone', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([carol, bob])
  const target = await say(carol, roomId, 'target')
  const others = await reply(bob, roomId, target, 'of bob')
  const own = await reply(carol, roomId, target, 'of carol')
  const flags = { op: 'account.flags', user: carol.userId, suspended: true } as const
  await server.store.commit({ lane: carol.userId, ops: [flags] })
  const again = await server.device(carol)
  await again.put(url(again, roomId, target), { [WITH]: ['*'] })
  await until('the own answer is redacted', async () => {
    const { unsigned } = await getEvent(bob, roomId, own)
    return unsigned.redacted_because !== undefined
  })
  assert.equal((await getEvent(bob, roomId, others)).content.body, 'of bob')
  const empty = inRoom(roomId, 'send', 'm.room.redaction', again.txn())
  await again.refused('400 M_BAD_JSON', 'PUT', empty, { body: 'a message all the same' })
})

test('the name of the proposal does the same', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(bob, roomId, 'target')
  const change = await edit(bob, roomId, target, 'a')
  const answer = await bob.put(url(bob, roomId, target), { with_rel_types: ['m.replace'] })
  await untilRedacted(roomId, change)
  assert.equal((await getEvent(alice, roomId, answer.event_id)).content.with_rel_types, undefined)
})

test('a list that is none is refused, and nothing redacted', async () => {
  const roomId = await roomOf([alice])
  const target = await say(alice, roomId, 'target')
  for (const relTypes of ['m.replace', [7], {}, Array(21).fill('x')]) {
    await alice.refused('400 M_BAD_JSON', 'PUT', url(alice, roomId, target), { [WITH]: relTypes })
  }
  assert.equal(await redacted(roomId, target), false)
})

test('where it is not switched on the wish is content like any other', async () => {
  const plain = await TestServer.start({
    configure: (options) => ({
      ...options,
      experimental: { redactsRelated: false, threadSubscriptions: false },
    }),
  })
  try {
    const carol = await plain.user('carol')
    const roomId = await roomOf([carol])
    const target = await say(carol, roomId, 'target')
    const child = await reply(carol, roomId, target, 'stays')
    const { event_id } = await carol.put(url(carol, roomId, target), { [WITH]: ['*'] })
    assert.deepEqual((await getEvent(carol, roomId, event_id)).content[WITH], ['*'])
    assert.equal((await getEvent(carol, roomId, child)).unsigned.redacted_because, undefined)
    const subscription = `/_matrix/client/unstable/io.element.msc4306/rooms/${roomId}/thread/${target}/subscription`
    await carol.refused('404 M_UNRECOGNIZED', 'GET', subscription)
  } finally {
    await plain.close()
  }
})
