import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metricsProm } from '#/adapters/metrics-prom.ts'
import { realWorld } from '#/base/world.ts'
import { LOOK_EVERY_MS, LoopStalls, measureLoopStalls, type Stall } from './loop-stalls.ts'

/** A loop whose looks a test makes: each after some time, of which a part was idle, and a part on the CPU. */
function handLoop() {
  let [now, cpu, idle, events] = [100, 0, 0, 0]
  let pending: (() => void) | undefined
  const late: number[] = []
  const stalls: Stall[] = []
  const loop = new LoopStalls({
    clock: {
      monotonic: () => now,
      after: (ms, fn) => {
        assert.equal(ms, LOOK_EVERY_MS)
        pending = fn
        return { cancel: () => (pending = undefined) }
      },
    },
    times: () => ({ cpu, idle, events }),
    onLook: (ms) => late.push(ms),
    onStall: (stall) => stalls.push(stall),
  })
  const look = (ms: number, cpuMs: number, idleMs: number, inputs = 1): void => {
    events += inputs
    now += ms
    cpu += cpuMs
    idle += idleMs
    pending?.()
  }
  return { loop, late, stalls, look, now: () => now }
}

test('a stall is told one look later, by what the thread did meanwhile', () => {
  const { loop, late, stalls, look } = handLoop()
  look(5, 0, 5)
  look(25, 20, 5, 40)
  assert.deepEqual(stalls, [])
  look(5, 0, 5)
  look(25, 5, 5)
  look(8, 8, 0)
  look(5, 0, 5)
  assert.deepEqual(late, [0, 20, 0, 20, 3, 0])
  assert.deepEqual(stalls, [
    { whole: 20, work: 20, gc: 0, wait: 0, workPerEvent: 0.5 },
    { whole: 20, work: 5, gc: 0, wait: 15, workPerEvent: 5 },
  ])
  loop.cancel()
  look(50, 50, 0)
  assert.equal(late.length, 6)
})

test('pauses of the collector count in the stall in which they fell, for as long as they had the CPU', () => {
  const { loop, stalls, look, now } = handLoop()
  loop.pause({ from: now() - 8, ms: 10 })
  look(25, 20, 5)
  loop.pause({ from: now() - 10, ms: 8 })
  look(45, 20, 5)
  loop.pause({ from: now() - 30, ms: 20 })
  look(5, 0, 5)
  assert.deepEqual(stalls, [
    { whole: 20, work: 10, gc: 10, wait: 0, workPerEvent: 10 },
    { whole: 40, work: 10, gc: 10, wait: 20, workPerEvent: 10 },
  ])
})

test('work and collections of this thread become figures', async () => {
  const metrics = metricsProm()
  const timer = measureLoopStalls(realWorld.clock, metrics)
  const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 4 * LOOK_EVERY_MS))
  await rest()
  const end = performance.now() + 60
  while (performance.now() < end);
  await rest()
  timer.cancel()
  const { text } = await metrics.expose()
  const value = (line: RegExp): number => Number(line.exec(text)?.[1])
  assert.ok(value(/^myelin_event_loop_lag_seconds_sum (\S+)$/m) >= 0.05)
  assert.ok(value(/^myelin_event_loop_stall_seconds_sum\{part="work"\} (\S+)$/m) > 0)
  assert.ok(value(/^myelin_event_loop_stall_seconds_count\{part="gc"\} (\S+)$/m) >= 1)
})
