import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import type { Change, CommitResult, Plan } from '#/ports/store/plan.ts'
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

/** A disk that fails at every commit while `failing` says so, and the options of a store on it. */
function newDisk() {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-writer-'))
  after(() => rmSync(folder, { recursive: true }))
  const disk = { failing: false }
  const faults = (point: string): void => {
    if (disk.failing && point === 'commit') throw new DiskFault(10)
  }
  const options = { path: join(folder, 'a.db'), serverName: 'x', world: realWorld, pauseMsMax: 0, faults }
  return { disk, options }
}

test('a position that was ever told is never given out again, also after a failed disk and a crash', async () => {
  const { disk, options } = newDisk()
  let told: number
  {
    await using store = openSqliteInline(options)
    disk.failing = true
    await assert.rejects(store.commit(roomPlan(1)))
    disk.failing = false
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
})

test('what is known of a head and of totals holds after refused plans, a failed disk and the end of a room', async () => {
  const { disk, options } = newDisk()
  await using store = openSqliteInline(options)
  const made = await store.commit(roomPlan(1))
  assert.ok(made.ok)
  const room = made.results[0] as number
  let events = 0
  const send = (expect: number): Promise<CommitResult> => {
    const eventId = `$m${++events}`
    const delta = { joinedDelta: 0, invitedDelta: 0 }
    const event = { slot: 0, room, eventId, type: 'm.room.message', stateKey: null, sender: '@a:x' }
    const rest = { ts: 1, depth: 1, json: '{}', flags: 0, rejectedRule: null, authEvents: [], live: true }
    const kind = { thread: 'main', kind: 0, loud: false, readBy: undefined, joined: undefined }
    return store.commit({
      lane: '!1:x',
      ops: [
        { op: 'room.head', room, expect, extremities: [eventId], depth: 1, ...delta },
        { op: 'event.insert', ...event, ...rest },
        { op: 'push.event', event: { slot: 0 }, room, ...kind, actions: [], queue: [] },
      ],
    })
  }
  const together = await Promise.all([send(0), send(0), send(1)])
  assert.deepEqual(
    together.map(({ ok }) => ok),
    [true, false, true],
  )
  disk.failing = true
  await assert.rejects(send(2))
  disk.failing = false
  assert.equal((await send(3)).ok, false, 'what failed has not moved the head')
  assert.equal((await send(2)).ok, true)
  const recount = { op: 'push.recount', room, repair: false } as const
  const counted = await store.commit({ lane: '!1:x', ops: [recount] })
  assert.ok(counted.ok)
  const { events: kinds, wrong } = counted.results[0] as { events: number; wrong: number }
  assert.deepEqual({ kinds, wrong }, { kinds: 3, wrong: 0 })
  assert.ok((await store.commit({ lane: '!1:x', ops: [{ op: 'room.delete', room }] })).ok)
  assert.equal((await send(3)).ok, false, 'the head went with the room')
})
