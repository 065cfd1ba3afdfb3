import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import type { Change, Plan } from '#/ports/store/plan.ts'
import { openSqlite, openSqliteInline } from './store.ts'
import { DiskFault } from './writer-core.ts'

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

test('a position that was ever told is never given out again, also after a failed disk and a crash', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-writer-'))
  let failing = false
  const options = {
    path: join(folder, 'a.db'),
    serverName: 'x',
    world: realWorld,
    pauseMsMax: 0,
    faults: (point: string) => {
      if (failing && point === 'commit') throw new DiskFault(10)
    },
  }
  let told: number
  try {
    {
      await using store = openSqliteInline(options)
      failing = true
      await assert.rejects(store.commit(roomPlan(1)))
      failing = false
      /* Takes no position of its own, and yet is told one. */
      const job = { op: 'job.put', kind: 'k', key: 'k', dueTs: 1, data: '{}' } as const
      assert.ok((await store.commit({ lane: '', ops: [job] })).ok)
      told = store.position()
    }
    await using store = openSqliteInline(options)
    const result = await store.commit(roomPlan(2))
    assert.ok(result.ok && store.position() > told)
    const rows = await store.events.stream(told, store.position(), 10)
    assert.deepEqual(
      rows.map((row) => row.eventId),
      ['$2'],
    )
    assert.ok((await store.rooms.byId('!2:x'))!.nid > told)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
