/** What one set of durations says, all in milliseconds. */
export interface Summary {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/**
 * The `p`-th percentile by nearest rank: the smallest value such that at least `p` percent of all values are not
 * above it. `sorted` ascends. NaN when there is no value.
 */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  if (!(p > 0 && p <= 100)) throw new RangeError(`percentile ${p} is not in (0, 100]`)
  if (sorted.length === 0) return Number.NaN
  // The product is rounded before the ceiling: 99 * 100 / 100 must not become 99.00000000000001.
  const rank = Math.ceil(Number(((p * sorted.length) / 100).toFixed(6)))
  return sorted[rank - 1]!
}

/** The middle value (the lower of the two middle ones of an even count); NaN when there is none. */
export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    50,
  )
}

/** Collects durations without an object per value; holds at most `limit` of them and counts on after that. */
export class Samples {
  #values: Float64Array
  #count = 0
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
    this.#values = new Float64Array(Math.min(limit, 4096))
  }

  /** How many values were added. */
  get count(): number {
    return this.#count
  }

  /** Adds one duration in milliseconds. */
  add(ms: number): void {
    if (this.#count === this.#limit) throw new RangeError(`more than ${this.#limit} samples`)
    if (this.#count === this.#values.length) {
      const wider = new Float64Array(Math.min(this.#limit, this.#count * 2))
      wider.set(this.#values)
      this.#values = wider
    }
    this.#values[this.#count++] = ms
  }

  /** Mean, percentiles and maximum of all values added so far; NaN everywhere when there are none. */
  summary(): Summary {
    const sorted = this.#values.slice(0, this.#count).sort()
    let sum = 0
    for (const value of sorted) sum += value
    return {
      count: this.#count,
      mean: sum / this.#count,
      p50: percentile(sorted, 50),
      p95: percentile(sorted, 95),
      p99: percentile(sorted, 99),
      max: percentile(sorted, 100),
    }
  }
}
