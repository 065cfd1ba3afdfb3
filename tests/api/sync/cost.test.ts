/** What a sync asks of the store: it follows what changed, not what there is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '#/ports/store/store.ts'
import { busyStore } from '../../support/busy-store.ts'
import { createRoom, join, roomOf, say, sync } from '../../support/room-calls.ts'
import { SlidingLoop } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

/** Calls of the store for a sync of both kinds, by what happened before, in a server with so many rooms. */
async function callsWith(rooms: number): Promise<Record<string, number>> {
  let calls = 0
  const wrapStore = (store: Store): Store => busyStore(store, () => calls++).store
  const server = await TestServer.start({ wrapStore })
  try {
    const [alice, bob] = [await server.user('alice'), await server.user('bob')]
    const roomId = await roomOf([alice, bob])
    for (let i = 1; i < rooms; i++) await join(bob, await createRoom(alice, { preset: 'public_chat' }))
    const lists = { all: { ranges: [[0, 4]], timeline_limit: 1, required_state: [] } }
    const loop = new SlidingLoop(bob, { lists })
    await loop.next()
    let { next_batch: since } = await sync(bob)
    const counted: Record<string, number> = {}
    const measure = async (what: string, ask: () => Promise<unknown>): Promise<void> => {
      calls = 0
      await ask()
      counted[what] = calls
    }
    const next = async (): Promise<void> => {
      since = (await sync(bob, { since })).next_batch
    }
    for (const what of ['nothing', 'a message']) {
      for (let warm = 0; warm < 2; warm++) {
        if (what === 'a message') await say(alice, roomId, 'x')
        await measure(`/sync after ${what}`, next)
        await measure(`sliding sync after ${what}`, () => loop.next())
      }
    }
    return counted
  } finally {
    await server.close()
  }
}

test('what an incremental sync asks of the store does not grow with the rooms of the user (users.md 3)', async () => {
  const [few, many] = [await callsWith(3), await callsWith(60)]
  assert.deepEqual(many, few)
  for (const [what, calls] of Object.entries(many)) assert.ok(calls <= 30, `${what}: ${calls} calls`)
})
