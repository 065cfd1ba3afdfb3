/** Waiting for news of a user. */
import type { ClientSignal } from '#/base/client-signal.ts'
import type { Clock } from '#/base/world.ts'
import type { ActiveUser } from './active-user.ts'

/** Who waits. */
export interface WaitingRequest {
  /** Aborts when the client has gone. */
  readonly signal: ClientSignal
  /** Throws when the session that asks has ended meanwhile; without a promise where that is known at once. */
  readonly stillIn: () => Promise<void> | undefined
}

/**
 * Resolves at the next news of the user, after `ms`, or when the client has gone; at once when there are news.
 * Throws what `stillIn` throws, as soon as the session has ended. A function that is not async, because of those who
 * wait there are many: each suspended function is half a kilobyte.
 */
export function waitForNews(
  clock: Clock,
  user: ActiveUser,
  ms: number,
  request: WaitingRequest,
  hasNews: () => boolean,
  /** What else wakes, such as news of a room that is not the user's; gives the function that stops it. */
  also?: (wake: () => void) => () => void,
): Promise<void> {
  const { endings } = user
  const check = request.stillIn()
  if (check) {
    return check.then(() => {
      /* A session that ended while it was looked for must be looked for again. */
      if (endings !== user.endings) return waitForNews(clock, user, ms, request, hasNews, also)
      return hasNews() ? undefined : nextWake(clock, user, ms, request, also)
    })
  }
  return hasNews() ? Promise.resolve() : nextWake(clock, user, ms, request, also)
}

function nextWake(
  clock: Clock,
  user: ActiveUser,
  ms: number,
  { signal, stillIn }: WaitingRequest,
  also: ((wake: () => void) => () => void) | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      timer.cancel()
      user.stopWaiting(done)
      stop?.()
      signal.offAbort(done)
      try {
        resolve(stillIn())
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
