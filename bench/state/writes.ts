/**
 * Plans per second of the store alone: an event of 700 bytes, its transaction id and the move of the head.
 * node bench/state/writes.ts [--postgres URL] [--seconds 5] [--writers 3]
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Store } from '#/ports/store/store.ts'
import { cpuOfPostgres, openBench } from './stores.ts'

const { values } = parseArgs({
  options: {
    postgres: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    writers: { type: 'string', default: '3' },
  },
})
const SECONDS = Number(values.seconds)
const JSON_TEXT = JSON.stringify({ body: 'x'.repeat(680) })

interface Room {
  readonly room: number
  readonly lane: string
  seq: number
}

async function makeRooms(store: Store, count: number): Promise<Room[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const lane = `!${randomBytes(9).toString('base64url')}:x`
      const result = await store.commit({ lane, ops: [{ op: 'room.create', roomId: lane, version: '11' }] })
      if (!result.ok) throw new Error('no room')
      return { room: result.results[0] as number, lane, seq: 0 }
    }),
  )
}

async function send(store: Store, room: Room, user: string): Promise<void> {
  const eventId = `$${randomBytes(32).toString('base64url')}`
  const expect = room.seq++
  const result = await store.commit({
    lane: room.lane,
    ops: [
      {
        op: 'room.head',
        room: room.room,
        expect,
        extremities: [eventId],
        depth: expect,
        joinedDelta: 0,
        invitedDelta: 0,
      },
      {
        op: 'event.insert',
        slot: 0,
        room: room.room,
        eventId,
        type: 'm.room.message',
        stateKey: null,
        sender: user,
        ts: Date.now(),
        depth: expect,
        json: JSON_TEXT,
        flags: 0,
        rejectedRule: null,
        authEvents: [],
        live: true,
      },
      {
        op: 'event.txn',
        event: { slot: 0 },
        user,
        device: 'D',
        scope: room.lane,
        txnId: eventId,
        ts: Date.now(),
      },
    ],
  })
  if (!result.ok) throw new Error(`refused: ${result.conflict}`)
}

async function run(
  store: Store,
  writers: number,
  rooms: readonly Room[],
  url: string | undefined,
): Promise<void> {
  const latencies: number[] = []
  let stop = false
  const writer = async (i: number): Promise<void> => {
    const room = rooms[i % rooms.length]!
    while (!stop) {
      const start = performance.now()
      await send(store, room, `@${i}:x`)
      latencies.push(performance.now() - start)
    }
  }
  const cpu = process.cpuUsage()
  const server = url ? cpuOfPostgres() : 0
  const begin = performance.now()
  const all = Promise.all(Array.from({ length: writers }, (_, i) => writer(i)))
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000))
  stop = true
  await all
  const seconds = (performance.now() - begin) / 1000
  const used = process.cpuUsage(cpu)
  const micros = (used.user + used.system) / latencies.length
  const serverMicros = url ? ((cpuOfPostgres() - server) * 1e6) / latencies.length : 0
  latencies.sort((a, b) => a - b)
  const at = (q: number): string => latencies[Math.floor(latencies.length * q)]!.toFixed(2)
  console.log(
    `${writers} writers, ${rooms.length} rooms: ${Math.round(latencies.length / seconds)} plans/s, p50 ${at(0.5)} ms, ` +
      `p99 ${at(0.99)} ms, CPU per plan: node ${micros.toFixed(0)} us, PostgreSQL ${serverMicros.toFixed(0)} us`,
  )
}

const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'))
{
  await using bench = await openBench(values.postgres, folder, { writers: Number(values.writers) })
  for (const [writers, rooms] of [
    [1, 1],
    [10, 10],
    [200, 100],
    [200, 1],
  ] as const) {
    await run(bench.store, writers, await makeRooms(bench.store, rooms), values.postgres)
  }
}
rmSync(folder, { recursive: true })
