/** Monthly active users: who was active in the last thirty days, and the limit on their number. */
import { Lru } from '#/base/lru.ts'
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import { MONTHLY_FULL_MS, MONTHLY_KNOWN_MAX, MONTHLY_NOTED_MS, MONTHLY_TRIM_ROWS } from './limits.ts'

export const MONTH_TRIM_KIND = 'accounts.month_trim'

const DAY_MS = 24 * 3_600_000
export const MONTH_MS = 30 * DAY_MS

export interface MonthlyOptions {
  /** `max_mau_value`, where `limit_usage_by_mau` is set. */
  readonly most: number | undefined
  /** `mau_trial_days`: a newer account does not count yet. */
  readonly trialDays: number
}

/** Whether somebody counts, need not count, or may not be counted because the limit is reached. */
export type Counted = 'counted' | 'free' | 'full'

export class MonthlyUsers {
  readonly #store: Store
  readonly #clock: Clock
  readonly #options: MonthlyOptions
  /** When users were last noted as active. */
  readonly #noted = new Lru<string, number>(MONTHLY_KNOWN_MAX)
  /** Until when nobody new is counted, since the limit was reached: many who are refused do not each count anew. */
  #fullUntil = 0

  constructor(deps: { store: Store; clock: Clock; options: MonthlyOptions }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#options = deps.options
  }

  /** Notes that somebody is active, at most once in an hour. Guests are never counted. */
  see(userId: string, isGuest: boolean): Counted | Promise<Counted> {
    const noted = this.#noted.get(userId)
    if (noted !== undefined && this.#clock.now() - noted < MONTHLY_NOTED_MS) return 'counted'
    return this.#see(userId, isGuest)
  }

  async #see(userId: string, isGuest: boolean): Promise<Counted> {
    const now = this.#clock.now()
    const since = now - MONTH_MS
    const last = isGuest ? undefined : await this.#store.usage.monthly(userId)
    if (last !== undefined && now - last < MONTHLY_NOTED_MS) {
      this.#noted.set(userId, last)
      return 'counted'
    }
    if (last === undefined || last <= since) {
      if (await this.#onTrial(userId, now)) return 'free'
      if (this.#clock.monotonic() < this.#fullUntil) return 'full'
      if (isGuest) return (await this.full()) ? 'full' : 'free'
    }
    const op = { op: 'month.seen', user: userId, ts: now, since, most: this.#options.most } as const
    const result = await this.#store.commit({ lane: 'month', ops: [op] })
    if (!result.ok) throw new Error(`an active user met the conflict ${result.conflict}`)
    if (result.results[0] !== true) {
      this.#fullUntil = this.#clock.monotonic() + MONTHLY_FULL_MS
      return 'full'
    }
    this.#noted.set(userId, now)
    return 'counted'
  }

  /** Whether somebody who counts already, or need not count, or for whom there is a place, might come in. */
  async hasPlaceFor(userId: string): Promise<boolean> {
    const now = this.#clock.now()
    const last = await this.#store.usage.monthly(userId)
    if (last !== undefined && last > now - MONTH_MS) return true
    return (await this.#onTrial(userId, now)) || !(await this.full())
  }

  /** Whether the limit is reached. */
  async full(): Promise<boolean> {
    const { most } = this.#options
    if (most === undefined) return false
    if (this.#clock.monotonic() < this.#fullUntil) return true
    return (await this.count()) >= most
  }

  /** Users who count now. */
  count(): Promise<number> {
    return this.#store.usage.monthlyCount(this.#clock.now() - MONTH_MS)
  }

  /** Forgets hourly who is no longer active; `told` gets the number of those who are. */
  trimmer(told: (count: number) => void): JobHandler {
    return async () => {
      const now = this.#clock.now()
      const since = now - MONTH_MS
      const op = { op: 'month.trim', since, most: this.#options.most, limit: MONTHLY_TRIM_ROWS } as const
      const result = await this.#store.commit({ lane: 'month', ops: [op] })
      if (!result.ok) throw new Error(`the trim of active users met the conflict ${result.conflict}`)
      const gone = result.results[0] as number
      if (gone > 0) {
        this.#fullUntil = 0
        if (this.#options.most !== undefined) this.#noted.clear()
      }
      told(await this.count())
      return gone >= MONTHLY_TRIM_ROWS ? now : now + MONTHLY_NOTED_MS
    }
  }

  async #onTrial(userId: string, now: number): Promise<boolean> {
    if (this.#options.trialDays === 0) return false
    const account = await this.#store.accounts.byUser(userId)
    return account !== undefined && now - account.createdTs < this.#options.trialDays * DAY_MS
  }
}
