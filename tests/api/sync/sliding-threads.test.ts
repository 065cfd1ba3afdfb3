/** Sliding sync: thread subscriptions, bundled aggregations, ignored users. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { coversPart } from '../../support/covers.ts'
import { reply } from '../../support/relation-calls.ts'
import { createRoom, invite, roomOf, say, setState, texts } from '../../support/room-calls.ts'
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

const THREADS = 'io.element.msc4308.thread_subscriptions'

const subscription = (roomId: string, root: string): string =>
  `/_matrix/client/unstable/io.element.msc4306/rooms/${encodeURIComponent(roomId)}/thread/${encodeURIComponent(root)}/subscription`

test('thread subscriptions: what there is at first, then each change, and it wakes', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const roots: string[] = []
  for (let i = 0; i < 3; i++) roots.push(await say(alice, roomId, `root ${i}`))
  await bob.put(subscription(roomId, roots[0]!), {})
  await bob.put(subscription(roomId, roots[1]!), {})
  const loop = new SlidingLoop(bob, { extensions: { [THREADS]: { enabled: true, limit: 1 } } })
  const first = (await loop.next()).extensions[THREADS]
  assert.deepEqual(Object.keys(first.subscribed[roomId]), [roots[1]])
  const older = await bob.get('/_matrix/client/unstable/io.element.msc4308/thread_subscriptions', {
    dir: 'b',
    from: first.prev_batch,
  })
  assert.deepEqual(Object.keys(older.subscribed[roomId]), [roots[0]])
  assert.equal((await loop.next()).extensions[THREADS], undefined)
  const waiting = loop.next({}, { timeout: 30_000 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await bob.ok('DELETE', subscription(roomId, roots[0]!))
  const second = (await waiting).extensions[THREADS]
  assert.deepEqual([Object.keys(second.unsubscribed[roomId]), second.subscribed], [[roots[0]], undefined])
  assert.ok(
    second.unsubscribed[roomId][roots[0]!].bump_stamp > first.subscribed[roomId][roots[1]!].bump_stamp,
  )
  assert.equal((await loop.next()).extensions[THREADS], undefined)
})

test('events of a timeline carry what relates to them', async () => {
  const bob = await server.user('bob')
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  await reply(alice, roomId, root, 'in the thread')
  const { rooms } = await new SlidingLoop(bob).next()
  const event = rooms[roomId].timeline.find((one: Json) => one.event_id === root)
  assert.equal(event.unsigned['m.relations']['m.thread'].count, 1)
})

test('messages and invites of ignored users are left out, their state is not', async () => {
  const [bob, mallory] = [await server.user('bob'), await server.user('mallory')]
  const roomId = await roomOf([alice, bob, mallory])
  const invited = await createRoom(mallory, { preset: 'private_chat' })
  await invite(mallory, invited, bob)
  const ignore = (users: Json): Promise<Json> =>
    bob.put(`/_matrix/client/v3/user/${encodeURIComponent(bob.userId)}/account_data/m.ignored_user_list`, {
      ignored_users: users,
    })
  await ignore({ [mallory.userId]: {} })
  const lists = { l: all({ timeline_limit: 3 }) }
  const loop = new SlidingLoop(bob, { lists })
  await say(alice, roomId, 'good')
  for (let i = 0; i < 4; i++) await say(mallory, roomId, 'bad')
  const first = await loop.next()
  assert.deepEqual([first.lists.l.count, first.rooms[invited]], [1, undefined])
  assert.deepEqual(texts(first.rooms[roomId].timeline), ['good'])
  await say(mallory, roomId, 'bad again')
  assert.deepEqual((await loop.next()).rooms, {})
  await setState(alice, roomId, 'm.room.topic', { topic: 't' })
  assert.equal((await loop.next()).rooms[roomId].timeline.length, 1)
  await ignore({})
  const seen = await loop.next()
  assert.deepEqual([seen.lists.l.count, seen.rooms[invited].membership], [2, 'invite'])
})
