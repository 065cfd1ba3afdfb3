/**
 * The hostile auth chain of advisory 28: 5,000 events in a chain, 1,000 forks off it, asked for from all tips at once
 * and from the end of the chain. node bench/state/auth-chain.ts [--postgres URL]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Op } from '#/ports/store/plan.ts'
import { cpuOfPostgres, openBench } from './stores.ts'
import { seeded, timed } from './walk.ts'

const { values } = parseArgs({ options: { postgres: { type: 'string' } } })
const [CHAIN, FORKS] = [5000, 1000]
const LIMIT = 100_000

const eventId = (name: string | number): string => `$${String(name).padStart(43, '0')}`

function insert(room: number | 'new', slot: number, id: string, authEvents: readonly string[]): Op {
  return {
    op: 'event.insert',
    slot,
    room,
    eventId: id,
    type: 'm.room.power_levels',
    stateKey: '',
    sender: '@evil:x',
    ts: 1,
    depth: 1,
    json: `{"pad":"${'x'.repeat(600)}"}`,
    flags: 0,
    rejectedRule: null,
    authEvents,
    live: true,
  }
}

const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'))
{
  await using bench = await openBench(values.postgres, folder)
  const { store } = bench
  const below = seeded(3)
  const lane = '!evil:x'
  const made = await store.commit({ lane, ops: [{ op: 'room.create', roomId: lane, version: '11' }] })
  if (!made.ok) throw new Error('no room')
  const room = made.results[0] as number
  let ops: Op[] = [insert(room, 0, eventId('create'), [])]
  const flush = async (): Promise<void> => {
    const result = await store.commit({ lane, ops })
    if (!result.ok) throw new Error('refused')
    ops = []
  }
  for (let i = 0; i < CHAIN; i++) {
    const before = i === 0 ? [] : [eventId(i - 1)]
    ops.push(insert(room, ops.length, eventId(i), [eventId('create'), ...before]))
    if (ops.length === 500) await flush()
  }
  const tips = [eventId(CHAIN - 1)]
  for (let i = 0; i < FORKS; i++) {
    const id = eventId(`fork${i}`)
    tips.push(id)
    ops.push(insert(room, ops.length, id, [eventId('create'), eventId(below(CHAIN))]))
    if (ops.length === 500) await flush()
  }
  if (ops.length > 0) await flush()
  console.log(`${values.postgres ? 'PostgreSQL' : 'SQLite'}: ${CHAIN} events in a chain, ${FORKS} forks`)
  for (const [name, ids] of [
    ['from the end of the chain', tips.slice(0, 1)],
    ['from all tips', tips],
  ] as const) {
    const server = values.postgres ? cpuOfPostgres() : 0
    const cpu = process.cpuUsage()
    const times = 8
    await timed(`${name}, ${(await store.events.authChain(ids, LIMIT)).length} events`, times, () =>
      store.events.authChain(ids, LIMIT),
    )
    const used = process.cpuUsage(cpu)
    const remote = values.postgres ? (cpuOfPostgres() - server) / (times + 1) : 0
    console.log(
      `    CPU: ${((used.user + used.system) / 1000 / (times + 1)).toFixed(0)} ms of the process, ${(remote * 1000).toFixed(0)} ms of PostgreSQL`,
    )
  }
}
rmSync(folder, { recursive: true })
