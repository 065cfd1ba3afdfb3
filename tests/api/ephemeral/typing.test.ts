import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Store } from '#/ports/store/store.ts'
import { TYPING_MS_DEFAULT, TYPING_MS_MAX } from '#/services/ephemeral/limits.ts'
import type { ApiClient } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { token, types, typingIn, typingPath } from '../../support/ephemeral-calls.ts'
import { ManualWorld } from '../../support/manual-world.ts'
import { join, leave, messages, roomOf, say, sync, syncWith } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}')

const world = new ManualWorld(20)
let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start({ world })
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

test('who types is told to the others, and that they stopped', async () => {
  const roomId = await roomOf([alice, bob])
  let since = await token(alice)
  assert.deepEqual(await types(bob, roomId), {})
  let answer = await sync(alice, { since })
  assert.deepEqual(typingIn(answer, roomId), [bob.userId])
  assert.deepEqual(answer.rooms.join[roomId].timeline.events, [])
  since = answer.next_batch
  assert.equal((await sync(alice, { since })).rooms, undefined, 'told once')
  await types(alice, roomId)
  answer = await sync(alice, { since })
  assert.deepEqual(typingIn(answer, roomId), [bob.userId, alice.userId])
  await types(bob, roomId, false)
  answer = await sync(alice, { since: answer.next_batch })
  assert.deepEqual(typingIn(answer, roomId), [alice.userId])
  await types(alice, roomId, false)
  answer = await sync(alice, { since: answer.next_batch })
  assert.deepEqual(typingIn(answer, roomId), [])
})

test('a waiting sync wakes when somebody types and when they stop', async () => {
  const roomId = await roomOf([alice, bob])
  const waiting = sync(alice, { since: await token(alice), timeout: 30_000 })
  await world.pass(10)
  await types(bob, roomId)
  const { next_batch: since, ...answer } = await waiting
  assert.deepEqual(typingIn(answer, roomId), [bob.userId])
  const again = sync(alice, { since, timeout: 30_000 })
  await world.pass(10)
  await types(bob, roomId, false)
  assert.deepEqual(typingIn(await again, roomId), [])
})

test('typing ends by itself after its time; saying it again makes it last and is no news', async () => {
  const roomId = await roomOf([alice, bob])
  await types(bob, roomId, true, 10_000)
  const since = await token(alice)
  await world.pass(6000)
  await types(bob, roomId, true, 10_000)
  await world.pass(6000)
  assert.equal((await sync(alice, { since })).rooms, undefined)
  await world.pass(4000)
  assert.deepEqual(typingIn(await sync(alice, { since }), roomId), [])
})

test('without a time typing lasts half a minute, and never longer than the limit', async () => {
  for (const [timeout, ms] of [
    [undefined, TYPING_MS_DEFAULT],
    [1e15, TYPING_MS_MAX],
  ] as const) {
    const roomId = await roomOf([alice, bob])
    await types(bob, roomId, true, timeout)
    const since = await token(alice)
    await world.pass(ms - 1000)
    assert.equal(typingIn(await sync(alice, { since }), roomId), undefined)
    await world.pass(1000)
    assert.deepEqual(typingIn(await sync(alice, { since }), roomId), [])
  }
  const roomId = await roomOf([alice, bob])
  await types(bob, roomId, true, -5)
  /* Short timers are real ones in this world; one that was made later runs out later. */
  await new Promise((resolve) => setTimeout(resolve, 5))
  await world.pass(1)
  assert.equal(typingIn(await sync(alice), roomId), undefined)
})

test('an initial sync, and a room that is new, show who types', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, bob])
  const since = await token(carol)
  await types(bob, roomId)
  await join(carol, roomId)
  assert.deepEqual(typingIn(await sync(carol), roomId), [bob.userId])
  assert.deepEqual(typingIn(await sync(carol, { since }), roomId), [bob.userId])
})

test('who leaves types no more; those outside hear nothing of it', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, bob])
  const outside = await token(carol)
  await types(bob, roomId)
  const since = await token(alice)
  await leave(bob, roomId)
  assert.deepEqual(typingIn(await sync(alice, { since }), roomId), [])
  assert.equal((await sync(carol, { since: outside })).rooms, undefined)
})

test('one may type for oneself alone, and only in rooms that one is in (adv-56)', async () => {
  const roomId = await roomOf([alice])
  const body = { typing: true }
  await bob.refused('403 M_FORBIDDEN', 'PUT', typingPath(bob, roomId), body)
  await bob.refused('403 M_FORBIDDEN', 'PUT', typingPath(bob, roomId), { typing: false })
  await join(bob, roomId)
  await bob.refused('403 M_FORBIDDEN', 'PUT', typingPath(alice, roomId), body)
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'PUT', typingPath(alice, roomId), body)
})

test('typing without saying whether, or for a strange time, is refused', async () => {
  const roomId = await roomOf([bob])
  await bob.refused('400 M_MISSING_PARAM', 'PUT', typingPath(bob, roomId), {})
  for (const body of [{ typing: 'yes' }, { typing: true, timeout: 'long' }, []]) {
    await bob.refused('400 M_BAD_JSON', 'PUT', typingPath(bob, roomId), body)
  }
})

test('after a restart who was seen typing is not any more; other tokens cost nothing', async () => {
  await world.pass(TYPING_MS_MAX)
  const [roomId, quiet] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const calm = await token(alice)
  await types(bob, roomId)
  const seen = await token(alice)
  await server.restart()
  await world.pass(1000)
  const answer = await sync(alice, { since: seen })
  assert.deepEqual([typingIn(answer, roomId), typingIn(answer, quiet)], [[], []])
  assert.equal((await sync(alice, { since: calm })).rooms, undefined)
  assert.equal((await sync(alice, { since: answer.next_batch })).rooms, undefined)
  await types(bob, roomId)
  for (const since of [seen, calm, answer.next_batch]) {
    assert.deepEqual(typingIn(await sync(alice, { since }), roomId), [bob.userId])
  }
})

test('who stops typing while the answer is made that shows it does not type for ever after a restart', async () => {
  const world = new ManualWorld(20)
  let meanwhile: (() => Promise<void>) | undefined
  const wrapStore = (store: Store): Store => ({
    ...store,
    push: {
      ...store.push,
      counts: async (...ask) => {
        await meanwhile?.()
        return store.push.counts(...ask)
      },
    },
  })
  const server = await TestServer.start({ world, wrapStore })
  try {
    const [carol, dave] = [await server.user('carol'), await server.user('dave')]
    const roomId = await roomOf([carol, dave])
    const before = await token(carol)
    await types(dave, roomId)
    let stopped = 0
    meanwhile = async () => {
      meanwhile = undefined
      stopped++
      await types(dave, roomId, false)
    }
    await say(dave, roomId, 'hello')
    const seen = await sync(carol, { since: before })
    assert.deepEqual([typingIn(seen, roomId), stopped], [[dave.userId], 1])
    await server.restart()
    assert.deepEqual(typingIn(await sync(carol, { since: seen.next_batch }), roomId), [])
  } finally {
    await server.close()
  }
})

test('tokens with what was seen of typing are good for messages, and old ones for sync', async () => {
  const roomId = await roomOf([alice, bob])
  const old = (await token(alice)).split('_').slice(0, 2).join('_')
  await types(bob, roomId)
  const since = await token(alice)
  assert.match(since, /^s\d+_\d+_\d+_\d+_1$/)
  assert.ok(since.length < 60)
  assert.ok((await messages(alice, roomId, { from: since })).chunk.length > 0)
  assert.deepEqual(typingIn(await sync(alice, { since: old }), roomId), [bob.userId])
})

test('a filter that leaves typing out keeps a waiting sync asleep', async () => {
  const roomId = await roomOf([alice, bob])
  const since = await token(alice)
  const filter = { room: { ephemeral: { not_types: ['m.typing'] } } }
  const waiting = syncWith(alice, filter, { since, timeout: 5000 })
  await world.pass(10)
  await types(bob, roomId)
  await world.pass(5000)
  assert.equal((await waiting).rooms, undefined)
})
