/**
 * Size and speed of room state as it is built (docs/decisions/0002-room-state.md).
 * node bench/state/state.ts [--postgres URL] [--users 10000] [--changes 100000]
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseArgs } from 'node:util'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { ask, cpuOfPostgres, openBench } from './stores.ts'
import { memberChanges, seeded, timed, userName } from './walk.ts'

const { values } = parseArgs({
  options: {
    postgres: { type: 'string' },
    users: { type: 'string', default: '10000' },
    changes: { type: 'string', default: '100000' },
  },
})
const [USERS, CHANGES] = [Number(values.users), Number(values.changes)]
const STATE_TABLES = [
  'state_keys',
  'room_state',
  'room_state_older',
  'state_delta_tails',
  'state_delta_chunks',
  'state_branches',
]
const PLANS_AT_ONCE = 100
const EVENTS_PER_PLAN = 10

async function makeRoom(store: Store): Promise<{ room: number; lane: string }> {
  const lane = '!room:bench.example'
  const result = await store.commit({ lane, ops: [{ op: 'room.create', roomId: lane, version: '11' }] })
  if (!result.ok) throw new Error('no room')
  return { room: result.results[0] as number, lane }
}

/** Gives the row ids of the events. */
async function fill(store: Store, room: number, lane: string): Promise<number[]> {
  const nids: number[] = []
  let plans: Op[][] = []
  let ops: Op[] = []
  let number = 0
  const flush = async (): Promise<void> => {
    const results = await Promise.all(plans.map((each) => store.commit({ lane, ops: each })))
    for (const result of results) {
      if (!result.ok) throw new Error('refused')
      for (const nid of result.results) if (typeof nid === 'number') nids.push(nid)
    }
    plans = []
  }
  for (const { user, membership } of memberChanges(USERS, CHANGES)) {
    const slot = ops.length / 2
    ops.push({
      op: 'event.insert',
      slot,
      room,
      eventId: `$${String(number).padStart(43, '0')}`,
      type: 'm.room.member',
      stateKey: user,
      sender: user,
      ts: 1_700_000_000_000 + number,
      depth: number++,
      json: `{"content":{"membership":"${membership}"},"pad":"${'x'.repeat(500)}"}`,
      flags: 0,
      rejectedRule: null,
      authEvents: [],
      live: true,
    })
    const changes = [{ type: 'm.room.member', stateKey: user, event: { slot } }]
    ops.push({ op: 'state.change', room, branch: 0, changes })
    if (slot + 1 === EVENTS_PER_PLAN) {
      plans.push(ops)
      ops = []
      if (plans.length === PLANS_AT_ONCE) await flush()
    }
  }
  if (ops.length > 0) plans.push(ops)
  await flush()
  return nids
}

async function sizes(place: string): Promise<Map<string, number>> {
  const bytes = new Map<string, number>()
  if (values.postgres) {
    await ask(place, 'VACUUM ANALYZE')
    const rows = await ask(
      place,
      `SELECT tablename AS name, pg_total_relation_size(tablename::regclass)::int8 AS bytes FROM pg_tables
       WHERE schemaname = 'public'`,
    )
    for (const row of rows) bytes.set(String(row['name']), Number(row['bytes']))
    return bytes
  }
  const db = new DatabaseSync(place)
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  const rows = db
    .prepare(
      `SELECT m.tbl_name AS name, SUM(s.pgsize) AS bytes FROM dbstat s JOIN sqlite_master m ON m.name = s.name
       GROUP BY m.tbl_name`,
    )
    .all()
  for (const row of rows) bytes.set(String(row['name']), Number(row['bytes']))
  db.close()
  return bytes
}

function report(bytes: Map<string, number>): void {
  let sum = 0
  for (const table of STATE_TABLES) {
    const size = bytes.get(table) ?? 0
    sum += size
    console.log(`  ${table}: ${size} bytes, ${(size / CHANGES).toFixed(2)} per change`)
  }
  console.log(`  state in all: ${(sum / CHANGES).toFixed(1)} bytes per change`)
  console.log(`  events: ${((bytes.get('events') ?? 0) / CHANGES).toFixed(0)} bytes per change`)
}

/** Bytes on disk of the whole database, after what the engine does to give space back. */
async function onDisk(place: string): Promise<number> {
  if (values.postgres) {
    await ask(place, 'VACUUM')
    return Number((await ask(place, 'SELECT pg_database_size(current_database()) AS n'))[0]?.['n'])
  }
  const db = new DatabaseSync(place)
  db.prepare('PRAGMA incremental_vacuum').all()
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
  return statSync(place).size
}

async function ask20(store: Store, room: number, nids: readonly number[]): Promise<void> {
  const below = seeded(2)
  const any = (): { branch: number; pos: number } => ({ branch: 0, pos: nids[below(nids.length)]! })
  const late = (): { branch: number; pos: number } => ({
    branch: 0,
    pos: nids[nids.length - 1 - below(nids.length / 10)]!,
  })
  const keys = (): [string, string][] =>
    Array.from({ length: 5 }, () => ['m.room.member', userName(below(USERS))])
  const now = { branch: 0, pos: nids.at(-1)! }
  await timed('full state now', 20, () => store.state.fullAt(room, now))
  await timed('full state at a random event of the last tenth', 20, () => store.state.fullAt(room, late()))
  await timed('full state at a random event', 20, () => store.state.fullAt(room, any()))
  await timed('five keys now', 100, () => store.state.current(room, keys()))
  await timed('five keys at a random event', 100, () => store.state.at(room, any(), keys()))
  await timed('difference of two states 100 changes apart', 50, () => {
    const at = below(nids.length - 100)
    return store.state.difference(room, { branch: 0, pos: nids[at]! }, { branch: 0, pos: nids[at + 100]! })
  })
  await timed('difference of two states 10,000 changes apart', 20, () => {
    const at = below(nids.length - 10_000)
    return store.state.difference(room, { branch: 0, pos: nids[at]! }, { branch: 0, pos: nids[at + 10_000]! })
  })
  await costOf('full state now', () => store.state.fullAt(room, now))
  await costOf('full state at a random event', () => store.state.fullAt(room, any()))
}

/** What twenty answers cost: this thread, this process with its reader threads, and PostgreSQL. Noise spares CPU time. */
async function costOf(name: string, work: () => Promise<unknown>): Promise<void> {
  const server = values.postgres ? cpuOfPostgres() : 0
  const before = process.cpuUsage()
  const loop = performance.eventLoopUtilization()
  for (let i = 0; i < 20; i++) await work()
  const thread = performance.eventLoopUtilization(loop).active / 20
  const used = process.cpuUsage(before)
  const cpu = (used.user + used.system) / 20_000
  const remote = values.postgres ? (cpuOfPostgres() - server) * 50 : 0
  console.log(
    `  ${name}: ${thread.toFixed(1)} ms of the calling thread, ${cpu.toFixed(1)} ms CPU of the process, ` +
      `${remote.toFixed(1)} ms of PostgreSQL`,
  )
}

const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'))
{
  await using bench = await openBench(values.postgres, folder)
  const { store, place } = bench
  console.log(`${values.postgres ? 'PostgreSQL' : 'SQLite'}: ${USERS} users, ${CHANGES} changes`)
  const { room, lane } = await makeRoom(store)
  const start = performance.now()
  const nids = await fill(store, room, lane)
  console.log(`  written in ${((performance.now() - start) / 1000).toFixed(1)} s`)
  report(await sizes(place))
  await ask20(store, room, nids)
  const before = await onDisk(place)
  const begin = performance.now()
  await store.commit({ lane, ops: [{ op: 'room.delete', room }] })
  console.log(`  room deleted in ${((performance.now() - begin) / 1000).toFixed(2)} s`)
  console.log(`  database: ${before} bytes with the room, ${await onDisk(place)} after its deletion`)
}
rmSync(folder, { recursive: true })
