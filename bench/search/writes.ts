/**
 * What the index costs a write: the same messages of twelve words with the index off and on, in turns.
 * node bench/search/writes.ts [--postgres URL] [--seconds 3]
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Store } from '#/ports/store/store.ts'
import { cpuOfPostgres, openBench } from '../state/stores.ts'
import { numbers, textOf } from './words.ts'

const { values } = parseArgs({
  options: { postgres: { type: 'string' }, seconds: { type: 'string', default: '3' } },
})
const WORDS = 12
const next = numbers(1)

interface Room {
  readonly room: number
  readonly lane: string
  seq: number
}

async function makeRoom(store: Store): Promise<Room> {
  const lane = `!${randomBytes(9).toString('base64url')}:x`
  const result = await store.commit({ lane, ops: [{ op: 'room.create', roomId: lane, version: '11' }] })
  if (!result.ok) throw new Error('no room')
  return { room: result.results[0] as number, lane, seq: 0 }
}

async function send(store: Store, { room, lane }: Room, seq: number): Promise<void> {
  const eventId = `$${randomBytes(32).toString('base64url')}`
  const json = JSON.stringify({
    content: { body: textOf(next, WORDS), msgtype: 'm.text' },
    pad: 'x'.repeat(500),
  })
  const move = { op: 'room.head', room, expect: seq, extremities: [eventId], depth: seq } as const
  const facts = { stateKey: null, sender: '@u:x', ts: 1, depth: seq, flags: 0, rejectedRule: null }
  const event = { slot: 0, room, eventId, type: 'm.room.message', json, authEvents: [], live: true, ...facts }
  const ops = [{ ...move, joinedDelta: 0, invitedDelta: 0 }, { op: 'event.insert', ...event } as const]
  const result = await store.commit({ lane, ops })
  if (!result.ok) throw new Error(`refused: ${result.conflict}`)
}

async function run(store: Store, writers: number, rooms: readonly Room[], what: string): Promise<void> {
  const times: number[] = []
  let stop = false
  const writer = async (i: number): Promise<void> => {
    const room = rooms[i % rooms.length]!
    while (!stop) {
      const begun = performance.now()
      await send(store, room, room.seq++)
      times.push(performance.now() - begun)
    }
  }
  const cpu = process.cpuUsage()
  const server = values.postgres ? cpuOfPostgres() : 0
  const begin = performance.now()
  const all = Promise.all(Array.from({ length: writers }, (_, i) => writer(i)))
  await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000))
  stop = true
  await all
  const seconds = (performance.now() - begin) / 1000
  const used = process.cpuUsage(cpu)
  const node = (used.user + used.system) / times.length
  const other = values.postgres ? ((cpuOfPostgres() - server) * 1e6) / times.length : 0
  times.sort((a, b) => a - b)
  const at = (q: number): string => times[Math.floor(times.length * q)]!.toFixed(2)
  console.log(
    `${what}, ${writers} writers, ${rooms.length} rooms: ${Math.round(times.length / seconds)}/s, p50 ${at(0.5)} ms, ` +
      `p99 ${at(0.99)} ms, CPU: node ${node.toFixed(0)} us, PostgreSQL ${other.toFixed(0)} us`,
  )
}

const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'))
{
  await using bench = await openBench(values.postgres, folder)
  const { store } = bench
  for (const [writers, count] of [
    [1, 1],
    [200, 100],
    [200, 1],
  ] as const) {
    for (const on of [false, true]) {
      await store.commit({ lane: 'search', ops: [{ op: 'search.enable', on }] })
      const rooms = await Promise.all(Array.from({ length: count }, () => makeRoom(store)))
      await run(store, writers, rooms, on ? 'on ' : 'off')
    }
  }
}
rmSync(folder, { recursive: true })
