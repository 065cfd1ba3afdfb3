/** A clock that stands still and whose event loop turns when a test says so. */
import type { Clock } from '#/base/world.ts'

export interface HandTurns {
  readonly clock: Clock
  /** Makes one turn, with what was deferred before it; gives how many callbacks that were. */
  turn(): number
}

/** No turn is made by itself; timers never ring. */
export function handTurns(): HandTurns {
  let deferred: (() => void)[] = []
  return {
    clock: {
      now: () => 0,
      monotonic: () => 0,
      after: () => ({ cancel: () => {} }),
      defer: (fn) => void deferred.push(fn),
    },
    turn: () => {
      const now = deferred
      deferred = []
      for (const fn of now) fn()
      return now.length
    },
  }
}
