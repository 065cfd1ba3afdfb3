import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '#/base/world.ts'
import { collectWhenIdle, eventLoopShare } from './idle-collector.ts'

/** A clock whose one pending timer a test rings. */
function handClock() {
  let pending: (() => void) | undefined
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_ms, fn) => {
      pending = fn
      return { cancel: () => (pending = undefined) }
    },
    defer: (fn) => fn(),
  }
  return {
    clock,
    ring: () => {
      const fn = pending
      pending = undefined
      fn?.()
    },
  }
}

test('memory is collected once in the first quiet stretch after a busy one', () => {
  const { clock, ring } = handClock()
  let share = 0
  let collections = 0
  const collector = collectWhenIdle({ clock, busyShare: () => share, collect: () => collections++ })
  const look = (next: number): number => {
    share = next
    ring()
    return collections
  }
  assert.deepEqual([0.05, 0, 0, 0.5, 0.9, 0.05, 0.01, 0, 0.03, 0].map(look), [0, 1, 1, 1, 1, 1, 2, 2, 2, 2])
  assert.deepEqual([0.2, 0].map(look), [2, 3])
  collector.cancel()
  assert.deepEqual([0.2, 0].map(look), [3, 3])
})

test('the share of work is that since the last question', async () => {
  const share = eventLoopShare()
  share()
  const end = performance.now() + 20
  while (performance.now() < end);
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(share() > 0.5)
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.ok(share() < 0.5)
})
