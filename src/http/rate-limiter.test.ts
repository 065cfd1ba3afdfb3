import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '#/base/world.ts'
import { LIMITS } from './limit-names.ts'
import { RateLimiter } from './rate-limiter.ts'

function manualClock() {
  const state = { ms: 1_000_000 }
  const clock = { now: () => state.ms, monotonic: () => state.ms } as unknown as Clock
  const pass = (ms: number): void => {
    state.ms += ms
  }
  return { clock, pass }
}

test('rc_*: burst_count actions at once, then per_second', () => {
  const { clock, pass } = manualClock()
  const limiter = new RateLimiter(clock, { m: { perSecond: 0.2, burst: 10 } })
  for (let i = 0; i < 10; i++) assert.equal(limiter.take('m', '@a:x'), 0)
  assert.equal(limiter.take('m', '@a:x'), 5000)
  assert.equal(limiter.take('m', '@b:x'), 0, 'another key has its own bucket')
  pass(4999)
  assert.ok(limiter.take('m', '@a:x') > 0, 'a refused action is not counted and does not push the end away')
  pass(1)
  assert.equal(limiter.take('m', '@a:x'), 0)
  assert.ok(limiter.take('m', '@a:x') > 0)
})

test('limits that share their buckets count together', () => {
  const { clock } = manualClock()
  const limiter = new RateLimiter(clock, {
    m: { perSecond: 0.2, burst: 2 },
    r: { perSecond: 9, burst: 9, sharedWith: 'm' },
  })
  assert.equal(limiter.take('m', '@a:x'), 0)
  assert.equal(limiter.take('r', '@a:x'), 0)
  assert.ok(limiter.take('m', '@a:x') > 0)
  assert.ok(limiter.take('r', '@a:x') > 0)
})

test('equals the bucket as Synapse computes it (start time and count)', () => {
  const { clock, pass } = manualClock()
  const limiter = new RateLimiter(clock, { m: { perSecond: 0.17, burst: 3 } })
  let count = 0
  let start = clock.monotonic()
  let seed = 7
  for (let i = 0; i < 5000; i++) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    pass(seed % 9000)
    const now = clock.monotonic()
    let performed = count - ((now - start) / 1000) * 0.17
    if (performed < 0) {
      performed = 0
      count = 0
      start = now
    }
    const allowed = performed <= 3 - 1
    const wait = limiter.take('m', 'k')
    if (Math.abs(performed - 2) > 1e-6) assert.equal(wait === 0, allowed, `step ${i}`)
    if (wait === 0) count++
    else assert.ok(Math.abs(wait - Math.max(1, (start / 1000 + (count - 3 + 1) / 0.17) * 1000 - now)) < 0.01)
  }
})

test('cost counts all or nothing; peek nothing; record goes beyond; a negative cost gives back', () => {
  const { clock } = manualClock()
  const limiter = new RateLimiter(clock, { m: { perSecond: 1, burst: 5 } })
  assert.equal(limiter.take('m', 'k', { cost: 5, peek: true }), 0)
  assert.equal(limiter.take('m', 'k', { cost: 4 }), 0)
  assert.equal(limiter.take('m', 'k', { cost: 2 }), 1000)
  assert.equal(limiter.take('m', 'k', { cost: 1 }), 0)
  limiter.record('m', 'k', 3)
  assert.equal(limiter.take('m', 'k'), 4000)
  limiter.record('m', 'k', -8)
  assert.equal(limiter.take('m', 'k', { cost: 5 }), 0)
  assert.equal(limiter.take('m', 'k', { rate: { perSecond: 1, burst: 6 } }), 0, 'a rate of its own')
})

test('per_second 0 never leaks and says so with the longest wait; burst 0 refuses all', () => {
  const { clock, pass } = manualClock()
  const limiter = new RateLimiter(clock, { m: { perSecond: 0, burst: 1 }, z: { perSecond: 1, burst: 0 } })
  assert.equal(limiter.take('m', 'k'), 0)
  pass(10 * 3_600_000)
  assert.equal(limiter.take('m', 'k'), 3_600_000)
  assert.ok(limiter.take('z', 'k') > 0)
})

test('memory is bounded: idle buckets leave, and the one touched longest ago leaves when it is full', () => {
  const { clock, pass } = manualClock()
  const limiter = new RateLimiter(clock, { m: { perSecond: 1, burst: 1 } }, 1000)
  for (let i = 0; i < 5000; i++) limiter.take('m', `k${i}`)
  assert.equal(limiter.size('m'), 1000)
  assert.ok(limiter.take('m', 'k4999') > 0, 'the newest are remembered')
  pass(60_000)
  for (let i = 0; i < 1000; i++) limiter.take('m', 'one')
  pass(60_000)
  for (let i = 0; i < 600; i++) {
    pass(2000)
    limiter.take('m', 'one')
  }
  assert.ok(limiter.size('m') <= 2, `${limiter.size('m')}`)
})

test('the defaults of all limits are usable and an unknown name is a bug', () => {
  const { clock } = manualClock()
  const limiter = new RateLimiter(clock, LIMITS)
  for (const name of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) assert.equal(limiter.take(name, 'k'), 0)
  assert.throws(() => limiter.take('rc_nothing' as 'rc_message', 'k'), /unknown rate limit/)
  assert.throws(() => new RateLimiter(clock, { x: { perSecond: Number.NaN, burst: 1 } }), RangeError)
})
