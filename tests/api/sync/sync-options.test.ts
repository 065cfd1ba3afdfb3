/** What the operator says of syncing: rooms that nobody is shown, and how many events there are at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SyncOptions } from '#/services/sync/options.ts'
import { invite, roomOf, say, sync, syncWith, texts } from '../../support/room-calls.ts'
import { all, SlidingLoop, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

async function withOptions(sync: SyncOptions, run: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await TestServer.start({ configure: (options) => ({ ...options, sync }) })
  try {
    await run(server)
  } finally {
    await server.close()
  }
}

test('exclude_rooms_from_sync: a room is in no answer, and does not end the waiting', () => {
  const excludedRooms = new Set<string>()
  return withOptions({ excludedRooms, timelineMax: 100 }, async (server) => {
    const [alice, bob] = [await server.user('alice'), await server.user('bob')]
    const hidden = await roomOf([alice])
    const shown = await roomOf([alice])
    excludedRooms.add(hidden)
    const loop = new SlidingLoop(alice)
    assert.deepEqual(Object.keys((await loop.next()).rooms), [shown])
    const first = await sync(alice)
    assert.deepEqual(Object.keys(first.rooms.join), [shown])
    await say(alice, hidden, 'unseen')
    assert.deepEqual((await sync(alice, { since: first.next_batch, timeout: 50 })).rooms, undefined)
    const answer = await loop.next()
    assert.deepEqual([answer.rooms, answer.lists.all.count], [{}, 1])
    const wish = { room_subscriptions: { [hidden]: { timeline_limit: 1, required_state: [] } } }
    assert.deepEqual((await sliding(alice, wish)).rooms, {})
    await invite(alice, hidden, bob)
    assert.equal((await sync(bob)).rooms, undefined)
    assert.deepEqual((await sliding(bob, { lists: { all: all() } })).rooms, {})
  })
})

test('filter_timeline_limit: more events are not given at once, whatever is asked', () =>
  withOptions({ excludedRooms: new Set(), timelineMax: 3 }, async (server) => {
    const alice = await server.user('alice')
    const roomId = await roomOf([alice])
    for (let i = 0; i < 6; i++) await say(alice, roomId, `${i}`)
    for (const answer of [await sync(alice), await syncWith(alice, { room: { timeline: { limit: 50 } } })]) {
      const { timeline } = answer.rooms.join[roomId]
      assert.deepEqual([texts(timeline.events), timeline.limited], [['3', '4', '5'], true])
    }
    const { rooms } = await sliding(alice, { lists: { all: all({ timeline_limit: 50 }) } })
    assert.deepEqual(texts(rooms[roomId].timeline), ['3', '4', '5'])
    const { timeline } = (await syncWith(alice, { room: { timeline: { limit: 2 } } })).rooms.join[roomId]
    assert.deepEqual(texts(timeline.events), ['4', '5'])
  }))

test('filter_timeline_limit: an operator may allow more than a hundred', () =>
  withOptions({ excludedRooms: new Set(), timelineMax: 150 }, async (server) => {
    const alice = await server.user('alice')
    const roomId = await roomOf([alice])
    for (let i = 0; i < 150; i++) await say(alice, roomId, `${i}`)
    const { timeline } = (await syncWith(alice, { room: { timeline: { limit: 500 } } })).rooms.join[roomId]
    assert.equal(timeline.events.length, 150)
  }))
