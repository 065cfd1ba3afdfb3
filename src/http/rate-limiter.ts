/**
 * Rate limits in Synapse's sense: per limit and key a bucket that leaks `perSecond` and holds `burst`. An
 * action is allowed when it still fits, and only then counted. Pure but for the clock it is given; memory is
 * bounded.
 */
import type { Rate, RateLimits, TakeOptions } from '#/base/rate-limit.ts'
import type { Clock } from '#/base/world.ts'
import { RATE_BUCKETS_MAX, RETRY_AFTER_MS_MAX } from './limits.ts'

interface Bucket {
  /** Actions that have not leaked yet, at `at`. */
  level: number
  /** Milliseconds of the monotonic clock. */
  at: number
  perSecond: number
}

/** Buckets of one limit. Kept in order of their last use, so that idle ones are found at the front. */
class Buckets {
  readonly rate: Rate
  readonly #max: number
  readonly #byKey = new Map<string, Bucket>()

  constructor(rate: Rate, max: number) {
    this.rate = rate
    this.#max = max
  }

  get size(): number {
    return this.#byKey.size
  }

  take(key: string, now: number, options: TakeOptions | undefined): number {
    const { perSecond, burst } = options?.rate ?? this.rate
    const cost = options?.cost ?? 1
    const level = this.#level(key, now)
    // Written this way around because level + cost may round up to a level that was never there.
    if (level > burst - cost) {
      const wait = perSecond > 0 ? ((level - burst + cost) / perSecond) * 1000 : RETRY_AFTER_MS_MAX
      return Math.min(Math.max(wait, 1), RETRY_AFTER_MS_MAX)
    }
    if (options?.peek !== true) this.#put(key, level + cost, now, perSecond)
    return 0
  }

  record(key: string, now: number, cost: number): void {
    this.#put(
      key,
      Math.max(0, this.#level(key, now) + cost),
      now,
      this.#byKey.get(key)?.perSecond ?? this.rate.perSecond,
    )
  }

  #level(key: string, now: number): number {
    const bucket = this.#byKey.get(key)
    return bucket === undefined ? 0 : levelAt(bucket, now)
  }

  #put(key: string, level: number, now: number, perSecond: number): void {
    const bucket = this.#byKey.get(key)
    this.#byKey.delete(key)
    this.#dropIdle(now)
    if (level <= 0) return
    if (bucket === undefined) {
      this.#byKey.set(key, { level, at: now, perSecond })
      return
    }
    bucket.level = level
    bucket.at = now
    bucket.perSecond = perSecond
    this.#byKey.set(key, bucket)
  }

  /** Looks at the two buckets touched longest ago: more leave than come, at a constant cost per action. */
  #dropIdle(now: number): void {
    let looked = 0
    for (const [key, bucket] of this.#byKey) {
      if (levelAt(bucket, now) <= 0 || this.#byKey.size >= this.#max) this.#byKey.delete(key)
      if (++looked === 2) return
    }
  }
}

function levelAt(bucket: Bucket, now: number): number {
  return Math.max(0, bucket.level - ((now - bucket.at) / 1000) * bucket.perSecond)
}

/** Limits by name. A name that was not configured is a bug of the caller. */
export class RateLimiter<Name extends string> implements RateLimits<Name> {
  readonly #clock: Clock
  readonly #limits = new Map<string, Buckets>()

  constructor(clock: Clock, rates: Readonly<Record<Name, Rate>>, bucketsMax: number = RATE_BUCKETS_MAX) {
    this.#clock = clock
    for (const [name, rate] of Object.entries(rates) as [Name, Rate][]) {
      if (!(rate.perSecond >= 0) || !(rate.burst >= 0)) throw new RangeError(`bad rate limit ${name}`)
      this.#limits.set(name, new Buckets(rate, bucketsMax))
    }
    for (const [name, { sharedWith }] of Object.entries(rates) as [Name, Rate][]) {
      if (sharedWith !== undefined) this.#limits.set(name, this.#of(sharedWith as Name))
    }
  }

  take(name: Name, key: string, options?: TakeOptions): number {
    return this.#of(name).take(key, this.#clock.monotonic(), options)
  }

  record(name: Name, key: string, cost = 1): void {
    this.#of(name).record(key, this.#clock.monotonic(), cost)
  }

  /** Buckets in memory, for metrics. */
  size(name: Name): number {
    return this.#of(name).size
  }

  #of(name: Name): Buckets {
    const buckets = this.#limits.get(name)
    if (buckets === undefined) throw new Error(`unknown rate limit ${name}`)
    return buckets
  }
}

/** No limits, for tests and tools. */
export const unlimited: RateLimits = { take: () => 0, record: () => {} }
