/**
 * Gives memory back after busy times. V8 collects when it needs room, so what a burst left behind would stay resident
 * for as long as nothing happens.
 */
import type { Clock, Timer } from '#/base/world.ts'

const LOOK_EVERY_MS = 5000
/** Share of the time that the event loop works in a stretch that leaves something worth collecting. */
const BUSY_SHARE = 0.1
/** Share below which nobody would notice the pause of a full collection, some tens of milliseconds. */
const QUIET_SHARE = 0.02

export interface CollectorDeps {
  readonly clock: Clock
  /** Share of the time since the last question in which the event loop worked, 0 to 1. */
  readonly busyShare: () => number
  /** A full collection that gives back all it can. */
  readonly collect: () => void
}

/**
 * Collects once in the first quiet stretch after a busy one, of which the start is the first, until the timer that it
 * returns is cancelled.
 */
export function collectWhenIdle({ clock, busyShare, collect }: CollectorDeps): Timer {
  let due = true
  const look = (): void => {
    const share = busyShare()
    if (share > BUSY_SHARE) due = true
    else if (due && share < QUIET_SHARE) {
      due = false
      collect()
      /* The collection itself is no work of the next stretch. */
      busyShare()
    }
    timer = clock.after(LOOK_EVERY_MS, look)
  }
  let timer = clock.after(LOOK_EVERY_MS, look)
  return { cancel: () => timer.cancel() }
}

/** `busyShare` of this process's event loop. */
export function eventLoopShare(): () => number {
  let before = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    return utilization
  }
}
