/**
 * How long the event loop keeps what is due waiting, and for what. A timer that is due every few milliseconds is late
 * by as long as the loop did something else; what the thread's CPU time and the collector say of that time tells work
 * from garbage collection and from waiting, mostly for a core that others use.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import type { Metrics } from '#/base/metrics.ts'
import type { Clock, Timer } from '#/base/world.ts'

/** Distance of two looks, milliseconds; a stall may be longer than what is told of it by as much. */
export const LOOK_EVERY_MS = 5
/** Stalls above this, milliseconds, are told apart by what they were. */
const APART_ABOVE_MS = 5

/** What the event loop's thread has done since some start, milliseconds. */
export interface LoopTimes {
  /** CPU time of the thread. */
  readonly cpu: number
  /** Time in which the loop had nothing to do and waited for input. */
  readonly idle: number
  /** Inputs that the loop has taken: requests, answers of the database. */
  readonly events: number
}

/** A pause of the garbage collector, milliseconds on the monotonic clock. */
export interface Pause {
  readonly from: number
  readonly ms: number
}

/** A stall and its parts, milliseconds. */
export interface Stall {
  readonly whole: number
  readonly work: number
  readonly gc: number
  /** Time without the CPU: others had it, or a system call did not return. */
  readonly wait: number
  /** Work for each input that came in the stretch: small where many came together. */
  readonly workPerEvent: number
}

export interface LoopStallsDeps {
  readonly clock: Pick<Clock, 'monotonic' | 'after'>
  readonly times: () => LoopTimes
  /** Called once for each look, with how late it came; 0 when it was in time. */
  readonly onLook: (lateMs: number) => void
  /** Called for stalls that are told apart, one look later, when their pauses are known. */
  readonly onStall: (stall: Stall) => void
}

/** The stretch between two looks of which the second came `ms` late, and what the thread did in it. */
interface Late extends LoopTimes {
  readonly from: number
  readonly to: number
  readonly ms: number
}

/** Looks again and again, until it is cancelled. */
export class LoopStalls implements Timer {
  readonly #deps: LoopStallsDeps
  #timer: Timer | undefined
  #at: number
  #times: LoopTimes
  #late: Late | undefined
  #pauses: Pause[] = []

  constructor(deps: LoopStallsDeps) {
    this.#deps = deps
    this.#at = deps.clock.monotonic()
    this.#times = deps.times()
    this.#again()
  }

  /** The collector stopped the thread; told some time after it happened. */
  pause(pause: Pause): void {
    this.#pauses.push(pause)
  }

  cancel(): void {
    this.#timer?.cancel()
  }

  #again(): void {
    this.#timer = this.#deps.clock.after(LOOK_EVERY_MS, () => this.#look())
  }

  #look(): void {
    const at = this.#deps.clock.monotonic()
    const times = this.#deps.times()
    if (this.#late !== undefined) this.#settle(this.#late)
    const ms = Math.max(0, at - this.#at - LOOK_EVERY_MS)
    this.#deps.onLook(ms)
    if (ms > APART_ABOVE_MS) {
      const { cpu, idle, events } = this.#times
      const spent = { cpu: times.cpu - cpu, idle: times.idle - idle, events: times.events - events }
      this.#late = { from: this.#at, to: at, ms, ...spent }
    } else this.#late = undefined
    /* Pauses are told soon after they end: those of a stall before the look that settles it. */
    const since = this.#at
    this.#pauses = this.#pauses.filter((pause) => pause.from + pause.ms >= since)
    this.#at = at
    this.#times = times
    this.#again()
  }

  #settle({ from, to, ms, cpu, idle, events }: Late): void {
    const busy = Math.max(to - from - idle, 1)
    const ran = Math.min(1, cpu / busy)
    const paused = this.#pauses.reduce((sum, pause) => sum + overlap(pause, from, to), 0)
    /* A pause had the CPU for the same share of its time as the rest of the stretch. */
    const gc = Math.min(ms, paused * ran)
    const work = Math.min(ms - gc, Math.max(0, cpu - paused * ran))
    const workPerEvent = work / Math.max(1, events)
    this.#deps.onStall({ whole: ms, work, gc, wait: ms - gc - work, workPerEvent })
  }
}

function overlap({ from, ms }: Pause, begin: number, end: number): number {
  return Math.max(0, Math.min(from + ms, end) - Math.max(from, begin))
}

/** Upper bounds of the histograms, seconds. */
const BUCKETS = [1, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000].map(
  (ms) => ms / 1000,
)

/** Measures this thread's event loop into `metrics`, until the timer that it returns is cancelled. */
export function measureLoopStalls(clock: Clock, metrics: Metrics): Timer {
  const late = metrics
    .histogram({
      name: 'myelin_event_loop_lag_seconds',
      help: `How late a timer of ${LOOK_EVERY_MS} ms came: how long the event loop kept others waiting.`,
      buckets: BUCKETS,
    })
    .cell()
  const parts = metrics.histogram({
    name: 'myelin_event_loop_stall_seconds',
    help: `Lags above ${APART_ABOVE_MS} ms by what they were: work, gc (garbage collection), wait (for a core), and the work for each input.`,
    labels: ['part'],
    buckets: BUCKETS,
  })
  const [work, gc, wait, each] = ['work', 'gc', 'wait', 'work_per_event'].map((part) => parts.cell({ part }))
  const stalls = new LoopStalls({
    clock,
    times: threadTimes,
    onLook: (ms) => late.observe(ms / 1000),
    onStall: (stall) => {
      work?.observe(stall.work / 1000)
      gc?.observe(stall.gc / 1000)
      wait?.observe(stall.wait / 1000)
      each?.observe(stall.workPerEvent / 1000)
    },
  })
  const stopWatching = watchPauses(stalls)
  return {
    cancel: () => {
      stopWatching()
      stalls.cancel()
    },
  }
}

/** Tells `stalls` of this thread's collections; the function that is returned ends it. */
export function watchPauses(stalls: LoopStalls): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) stalls.pause({ from: startTime, ms: duration })
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}

/** `times` of the calling thread. The kernel keeps its CPU time in steps of some milliseconds. */
export function threadTimes(): LoopTimes {
  const { user, system } = process.threadCpuUsage()
  const { idleTime, uvMetricsInfo } = performance.nodeTiming
  return { cpu: (user + system) / 1000, idle: idleTime, events: uvMetricsInfo.events }
}
