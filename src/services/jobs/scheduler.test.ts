import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogLine, memoryLog } from '#/base/log.ts'
import type { JobRow } from '#/ports/store/jobs.ts'
import type { Store } from '#/ports/store/store.ts'
import { ManualWorld, settle } from '../../../tests/support/manual-world.ts'
import { openMemoryStore } from '../../../tests/support/memory-store.ts'
import {
  JOBS_AT_ONCE,
  JOBS_PER_LOOK,
  LOOK_MS_MAX,
  RETRY_MS_FIRST,
  RETRY_MS_MAX,
  SWEEP_FIRST_MS,
  SWEEP_MS,
} from './limits.ts'
import { type JobHandler, JobScheduler } from './scheduler.ts'
import { ensureSweep, SWEEP_KIND, sweepHandler } from './sweep.ts'

class Bench {
  readonly world = new ManualWorld()
  readonly log: LogLine[] = []
  readonly store: Store
  readonly jobs: JobScheduler
  /** Keys in the order in which they ran. */
  readonly ran: string[] = []

  constructor() {
    this.store = openMemoryStore()
    this.jobs = new JobScheduler({ store: this.store, world: this.world, log: memoryLog(this.log) })
  }

  handle(kind: string, handler: JobHandler): void {
    this.jobs.handle(kind, async (job) => {
      this.ran.push(job.key)
      return handler(job)
    })
  }

  async put(kind: string, key: string, inMs: number, data = '{}'): Promise<void> {
    const dueTs = this.world.time + inMs
    await this.store.commit({ lane: 'jobs', ops: [{ op: 'job.put', kind, key, dueTs, data }] })
  }

  async close(): Promise<void> {
    await this.jobs.close()
    await this.store[Symbol.asyncDispose]()
  }
}

/** A bench that is closed after the test. */
function bench(name: string, run: (bench: Bench) => Promise<void>): void {
  test(name, async () => {
    const it = new Bench()
    try {
      await run(it)
    } finally {
      await it.close()
    }
  })
}

bench('a job runs at its time, not before, and once', async (b) => {
  b.handle('k', async () => undefined)
  await b.put('k', 'one', 3000)
  b.jobs.start()
  await b.world.pass(2900)
  assert.deepEqual(b.ran, [])
  await b.world.pass(200)
  assert.deepEqual(b.ran, ['one'])
  await b.world.pass(LOOK_MS_MAX * 3)
  assert.deepEqual(b.ran, ['one'])
  assert.equal(await b.store.jobs.next(), undefined)
})

bench('a job that is overdue at the start runs at once', async (b) => {
  b.handle('k', async () => undefined)
  await b.put('k', 'late', -100_000)
  b.jobs.start()
  await b.world.pass(1)
  assert.deepEqual(b.ran, ['late'])
})

bench('jobs run in the order of their times', async (b) => {
  b.handle('k', async () => undefined)
  await b.put('k', 'b', 200)
  await b.put('k', 'a', 100)
  await b.put('k', 'c', 300)
  b.jobs.start()
  await b.world.pass(1000)
  assert.deepEqual(b.ran, ['a', 'b', 'c'])
})

bench('a job that gives a time runs again then', async (b) => {
  b.handle('k', async () => (b.ran.length < 3 ? b.world.time + 1000 : undefined))
  await b.put('k', 'x', 0)
  b.jobs.start()
  await b.world.pass(999)
  assert.equal(b.ran.length, 1)
  await b.world.pass(5000)
  assert.equal(b.ran.length, 3)
})

bench('a job that fails is tried again later and later, and says so in the log', async (b) => {
  const times: number[] = []
  b.handle('k', async () => {
    times.push(b.world.time)
    throw new Error('no')
  })
  await b.put('k', 'x', 0)
  b.jobs.start()
  await b.world.pass(RETRY_MS_FIRST * 20)
  const pauses = times.slice(1).map((time, i) => time - times[i]!)
  assert.deepEqual(
    pauses.slice(0, 4),
    [1, 2, 4, 8].map((n) => n * RETRY_MS_FIRST),
  )
  assert.equal(b.log.filter((line) => line.level === 'warn').length, times.length)
})

bench('the pause after failures has an upper end', async (b) => {
  let last = 0
  let pause = 0
  b.handle('k', async () => {
    pause = b.world.time - last
    last = b.world.time
    throw new Error('no')
  })
  await b.put('k', 'x', 0)
  b.jobs.start()
  for (let i = 0; i < 25; i++) await b.world.pass(RETRY_MS_MAX)
  assert.ok(pause <= RETRY_MS_MAX + LOOK_MS_MAX, String(pause))
  assert.ok(pause >= RETRY_MS_MAX)
})

bench('a failed job that works at last is gone', async (b) => {
  let fail = true
  b.handle('k', async () => {
    if (fail) throw new Error('no')
    return undefined
  })
  await b.put('k', 'x', 0)
  b.jobs.start()
  await b.world.pass(1)
  fail = false
  await b.world.pass(RETRY_MS_FIRST + 1)
  assert.equal(await b.store.jobs.next(), undefined)
})

bench('one job of a name runs at a time, and only so many of all', async (b) => {
  const gates: (() => void)[] = []
  b.handle('k', () => new Promise((resolve) => gates.push(() => resolve(undefined))))
  for (let i = 0; i < JOBS_AT_ONCE + 2; i++) await b.put('k', `j${i}`, 0)
  b.jobs.start()
  await b.world.pass(LOOK_MS_MAX)
  assert.equal(b.ran.length, JOBS_AT_ONCE)
  gates.shift()!()
  await b.world.pass(1)
  assert.equal(b.ran.length, JOBS_AT_ONCE + 1, 'the next begins when one ends')
  while (gates.length > 0) {
    gates.shift()!()
    await b.world.pass(1)
  }
  assert.equal(new Set(b.ran).size, JOBS_AT_ONCE + 2)
})

bench('a job that is put again while it runs, runs again', async (b) => {
  let open: (() => void) | undefined
  b.handle('k', () => new Promise((resolve) => (open = () => resolve(undefined))))
  await b.put('k', 'x', 0, '{"n":1}')
  b.jobs.start()
  await b.world.pass(10)
  await b.put('k', 'x', 0, '{"n":2}')
  open!()
  await b.world.pass(10)
  assert.equal(b.ran.length, 2)
  open!()
  await b.world.pass(10)
  assert.equal(await b.store.jobs.next(), undefined)
})

bench('a poke runs a job that was just put', async (b) => {
  b.handle('k', async () => undefined)
  b.jobs.start()
  await b.world.pass(10)
  await b.put('k', 'x', 0)
  b.jobs.poke()
  await settle()
  assert.deepEqual(b.ran, ['x'])
})

bench('a job of a kind that nobody handles is left alone, without spinning', async (b) => {
  b.handle('k', async () => undefined)
  await b.put('of a newer release', 'x', 0)
  let looks = 0
  const due = b.store.jobs.due
  b.store.jobs.due = (now, limit, kinds) => {
    looks++
    return due(now, limit, kinds)
  }
  b.jobs.start()
  await b.world.pass(60_000)
  assert.ok(looks < 50, `${looks} looks in a minute`)
  await b.put('k', 'mine', 0)
  await b.world.pass(LOOK_MS_MAX)
  assert.deepEqual(b.ran, ['mine'])
  assert.notEqual(await b.store.jobs.next(), undefined)
})

bench('many due jobs of kinds that nobody handles do not stand in the way', async (b) => {
  b.handle('k', async () => undefined)
  for (let i = 0; i < 2 * JOBS_PER_LOOK; i++) await b.put('of a newer release', `x${i}`, -1000)
  await b.put('k', 'mine', 0)
  b.jobs.start()
  await b.world.pass(1)
  assert.deepEqual(b.ran, ['mine'])
})

bench('closing waits for what runs and begins nothing more', async (b) => {
  let open: (() => void) | undefined
  b.handle('k', () => new Promise((resolve) => (open = () => resolve(undefined))))
  await b.put('k', 'x', 0)
  b.jobs.start()
  await b.world.pass(1)
  let closed = false
  const closing = b.jobs.close().then(() => {
    closed = true
  })
  await settle()
  assert.equal(closed, false)
  open!()
  await closing
  await b.put('k', 'y', 0)
  b.jobs.poke()
  await b.world.pass(LOOK_MS_MAX)
  assert.deepEqual(b.ran, ['x'])
})

bench('two handlers of one kind are a mistake', async (b) => {
  b.handle('k', async () => undefined)
  assert.throws(() => b.handle('k', async () => undefined), /two handlers/)
})

bench('the sweep runs a minute after the start and then every ten', async (b) => {
  const at: number[] = []
  const sweep = sweepHandler(b.store, b.world.clock)
  const begun = b.world.time
  b.handle(SWEEP_KIND, (job: JobRow) => {
    at.push(b.world.time - begun)
    return sweep(job)
  })
  await ensureSweep(b.store, b.world.clock)
  b.jobs.start()
  await b.world.pass(SWEEP_FIRST_MS + 2 * SWEEP_MS + LOOK_MS_MAX)
  assert.equal(at.length, 3)
  assert.ok(at[0]! >= SWEEP_FIRST_MS && at[0]! < SWEEP_FIRST_MS + 1000)
  assert.ok(at[1]! - at[0]! >= SWEEP_MS)
})
