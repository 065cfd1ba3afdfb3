/** Rate limits as everyone sees them. The implementation is src/http/rate-limiter.ts. */

/** A leaky bucket: `perSecond` leak out, `burst` fit in. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
  /** The limit whose actions count here as well, as these do there; the rate is then that limit's. */
  readonly sharedWith?: string
}

export interface TakeOptions {
  /** How many actions at once; default 1. All of them are counted or none. */
  readonly cost?: number
  /** Another rate than the limit's own, for example of an account. */
  readonly rate?: Rate
  /** Ask without counting. */
  readonly peek?: boolean
}

export interface RateLimits<Name extends string = string> {
  /**
   * Counts one action of `key` against the limit `name`. Returns 0 when it is allowed, else the milliseconds after
   * which it would be; a refused action is not counted.
   */
  take(name: Name, key: string, options?: TakeOptions): number
  /** Counts an action that has happened anyway, over the limit or not. A negative cost gives back. */
  record(name: Name, key: string, cost?: number): void
}
