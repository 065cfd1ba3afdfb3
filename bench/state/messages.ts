/**
 * Paging with /messages through a room of many events, on SQLite: CPU per page at the end, in the middle and at the
 * beginning of the room, of pages that a filter leaves empty, and how long the event loop waits.
 * node bench/state/messages.ts [--events 100000] [--members 100]
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { realWorld } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import { parseEventFilter } from '#/services/rooms/read/event-filter.ts'
import { MessagesService } from '#/services/rooms/read/messages.ts'
import { createReading } from '#/services/rooms/read/reading.ts'
import { formatTopological } from '#/services/rooms/read/tokens.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import { RoomScript, SCRIPT_SERVER, scriptUser } from '../../tests/support/room-script.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '100000' },
    members: { type: 'string', default: '100' },
  },
})
const EVENTS = Number(values.events)
const PER_PLAN = 500
const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'))
const onFatal = (error: Error): never => {
  throw error
}
const store = await openSqlite({
  path: join(folder, 'bench.db'),
  serverName: SCRIPT_SERVER,
  world: realWorld,
  onFatal,
})

async function commit(lane: string, ops: readonly Op[]): Promise<readonly unknown[]> {
  const result = await store.commit({ lane, ops })
  if (!result.ok) throw new Error(`refused: ${result.conflict}`)
  return result.results
}

const room = new RoomScript('paged')
const { plan } = room.create()
room.created(await commit(plan.lane, plan.ops))
const users = Array.from({ length: Number(values.members) }, (_, i) => scriptUser(`member${i}`))
for (const user of users) await commit(plan.lane, room.member(user, 'join').plan.ops)
room.message('the template of all others')
const template = room.last

/* Copies with other ids: what reads them parses them, and checks no hashes. */
for (let made = 0; made < EVENTS; made += PER_PLAN) {
  const ops = Array.from({ length: PER_PLAN }, (_, i): Op => {
    const depth = template.depth + made + i
    const sender = users[(made + i) % users.length]!
    const text = template.text.replace('the template of all others', `message ${made + i} ${'x'.repeat(80)}`)
    const facts = { stateKey: null, ts: 1, flags: 0, rejectedRule: null, authEvents: [], live: true }
    const json = text.replaceAll(template.sender, sender)
    const eventId = `$${randomBytes(32).toString('base64url')}`
    const { nid } = room
    return {
      op: 'event.insert',
      slot: i,
      room: nid,
      eventId,
      type: 'm.room.message',
      sender,
      depth,
      json,
      ...facts,
    }
  })
  await commit(room.roomId, ops)
}

const { clock } = realWorld
const messages = new MessagesService({ store, ...createReading({ store, clock }), clock })
const viewer = { userId: scriptUser('creator') }

async function measure(
  what: string,
  from: number,
  limit: number,
  lazy: boolean,
  type?: string,
): Promise<void> {
  const start = formatTopological({ epoch: store.epoch, depth: template.depth + from, arrival: 0 })
  const filter = parseEventFilter(type === undefined ? {} : { types: [type] })
  const query = {
    roomId: room.roomId,
    viewer,
    dir: 'b',
    limit,
    passes: filter.passes,
    relatedBy: undefined,
    lazyLoadMembers: lazy,
  } as const
  const times: number[] = []
  let events = 0
  let token: string | undefined = start
  const delay = monitorEventLoopDelay({ resolution: 1 })
  for (let page = 0; page < 30 && token !== undefined; page++) {
    if (page === 10) delay.enable()
    const { user, system } = process.cpuUsage()
    const answer = await messages.messages({ ...query, from: token })
    const used = process.cpuUsage()
    if (page >= 10) times.push((used.user + used.system - user - system) / 1000)
    events += answer.chunk.length
    token = answer.end
  }
  delay.disable()
  times.sort((a, b) => a - b)
  const at = (q: number): string => (times[Math.floor(times.length * q)] ?? Number.NaN).toFixed(2)
  const wait = (delay.max / 1e6).toFixed(1)
  console.log(
    `${what}: CPU p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, ${events} events; event loop waits ${wait} ms at most`,
  )
}

await measure('10 at the end', EVENTS, 10, false)
await measure('100 at the end', EVENTS, 100, false)
await measure('100 at the end, lazy members', EVENTS, 100, true)
await measure('100 in the middle', EVENTS / 2, 100, false)
await measure('100 at the beginning', 4000, 100, false)
await measure('1000 at the end', EVENTS, 1000, false)
await measure('10, nothing passes the filter', EVENTS, 10, false, 'org.example.none')
await store[Symbol.asyncDispose]()
rmSync(folder, { recursive: true })
