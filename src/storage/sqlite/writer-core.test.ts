import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import type { Change, Plan } from '#/ports/store/plan.ts'
import { openSqlite } from './store.ts'

function roomPlan(index: number): Plan {
  const roomId = `!${index}:x`
  const message = {
    op: 'event.insert',
    slot: 0,
    room: 'new',
    eventId: `$${index}`,
    type: 'm.room.message',
  } as const
  const rest = { stateKey: null, sender: '@a:x', ts: 1, depth: 1, json: '{}', flags: 0 } as const
  return {
    lane: roomId,
    ops: [
      { op: 'room.create', roomId, version: '12' },
      { ...message, ...rest, rejectedRule: null, authEvents: [], live: true },
    ],
  }
}

test('whoever is told of a change can read all positions up to it and was told of all before it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-writer-'))
  const onFatal = (error: Error): never => {
    throw error
  }
  const store = await openSqlite({ path: join(folder, 'a.db'), serverName: 'x', world: realWorld, onFatal })
  try {
    const told: Change[] = []
    let position = store.position()
    store.onChange((changes, upto) => {
      for (const change of changes) {
        assert.ok(change.event, 'an event that this process wrote comes with its change')
        assert.ok(
          change.position > position && change.position <= upto,
          'told in order, none behind the position',
        )
      }
      told.push(...changes)
      position = upto
    })
    /* Several batches at a time: each turn of the loop makes one, and the writer takes all that wait. */
    const turns = Array.from({ length: 40 }, async (_, turn) => {
      for (let i = 0; i < turn; i++) await new Promise((resolve) => setImmediate(resolve))
      return store.commit(roomPlan(turn))
    })
    const results = await Promise.all(turns)
    assert.ok(results.every((result) => result.ok))
    assert.equal(told.length, 40)
  } finally {
    await store[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  }
})
