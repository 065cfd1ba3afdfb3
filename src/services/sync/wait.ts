/** Waiting for news of a user. */
import type { ClientSignal } from '#/base/client-signal.ts'
import type { Clock } from '#/base/world.ts'
import type { ActiveUser } from './active-user.ts'

/** Ends a wait; with true because too many wait. */
export type Wake = (tooMany?: boolean) => void

/** Who waits. */
export interface WaitingRequest {
  /** Aborts when the client has gone. */
  readonly signal: ClientSignal
  /** Throws when the session that asks has ended meanwhile; without a promise where that is known at once. */
  readonly stillIn: () => Promise<void> | undefined
}

/**
 * Resolves at the next news of the user, after `ms`, or when the client has gone; at once when there are news. With true
 * where it may not wait on, because too many do: the request is to be answered with what there is. Throws what `stillIn`
 * throws, as soon as the session has ended. A function that is not async, because of those who wait there are many: each
 * suspended function is half a kilobyte.
 */
export function waitForNews(
  clock: Clock,
  user: ActiveUser,
  ms: number,
  request: WaitingRequest,
  hasNews: () => boolean,
  /** What else wakes, such as news of a room that is not the user's; gives the function that stops it. */
  also?: (wake: Wake) => () => void,
): Promise<boolean> {
  const { endings } = user
  const check = request.stillIn()
  if (check) {
    return check.then(() => {
      /* A session that ended while it was looked for must be looked for again. */
      if (endings !== user.endings) return waitForNews(clock, user, ms, request, hasNews, also)
      return hasNews() ? false : nextWake(clock, user, ms, request, also)
    })
  }
  return hasNews() ? Promise.resolve(false) : nextWake(clock, user, ms, request, also)
}

function nextWake(
  clock: Clock,
  user: ActiveUser,
  ms: number,
  { signal, stillIn }: WaitingRequest,
  also: ((wake: Wake) => () => void) | undefined,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const done: Wake = (tooMany) => {
      timer.cancel()
      user.stopWaiting(done)
      stop?.()
      signal.offAbort(done)
      try {
        const over = tooMany === true
        const check = stillIn()
        resolve(check ? check.then(() => over) : over)
      } catch (error) {
        reject(error)
      }
    }
    const timer = clock.after(ms, done)
    user.wait(done)
    signal.onAbort(done)
    const stop = also?.(done)
  })
}
