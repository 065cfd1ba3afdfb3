/**
 * The only door to time, randomness and timers. Everything else receives a `World`, so that a whole federation can
 * run in one seeded process on a virtual clock.
 */
import { randomBytes, randomInt } from 'node:crypto'

/** A pending timer. `cancel` is idempotent. */
export interface Timer {
  cancel(): void
}

/** Wall clock and timers, in milliseconds. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May step backwards when the operator sets the clock. */
  now(): number
  /** Milliseconds from an arbitrary start; never steps back. For durations. */
  monotonic(): number
  /** Runs `fn` once after `ms`. A timer alone does not keep the process alive. */
  after(ms: number, fn: () => void): Timer
  /** Runs `fn` in a later turn of the event loop, after input that is already waiting. */
  defer(fn: () => void): void
}

/** Randomness fit for secrets. In simulation it is seeded. */
export interface Rng {
  bytes(length: number): Buffer
  /** An integer in [0, limit). */
  below(limit: number): number
}

export interface World {
  readonly clock: Clock
  readonly rng: Rng
}

/** The world outside: the system's clock and the operating system's randomness. */
export const realWorld: World = {
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(ms, fn) {
      const timer = setTimeout(fn, ms)
      timer.unref()
      return { cancel: () => clearTimeout(timer) }
    },
    defer: (fn) => void setImmediate(fn),
  },
  rng: {
    bytes: (length) => randomBytes(length),
    below: (limit) => randomInt(limit),
  },
}

/** Resolves after `ms` on the given clock. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve)
  })
}

/** Lets the event loop serve others; between pieces of work that would hold it too long together. */
export function turn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.defer(resolve)
  })
}
