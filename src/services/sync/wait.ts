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
 * Throws what `stillIn` throws, as soon as the session has ended.
 */
export async function waitForNews(
  clock: Clock,
  user: ActiveUser,
  ms: number,
  request: WaitingRequest,
  hasNews: () => boolean,
  /** What else wakes, such as news of a room that is not the user's; gives the function that stops it. */
  also?: (wake: () => void) => () => void,
): Promise<void> {
  for (;;) {
    const { endings } = user
    const check = request.stillIn()
    if (check === undefined) break
    await check
    if (endings === user.endings) break
  }
  if (hasNews()) return
  await nextWake(clock, user, ms, request.signal, also)
  const check = request.stillIn()
  if (check !== undefined) await check
}

function nextWake(
  clock: Clock,
  user: ActiveUser,
  ms: number,
  signal: ClientSignal,
  also: ((wake: () => void) => () => void) | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel()
      user.stopWaiting(done)
      stop?.()
      signal.offAbort(done)
      resolve()
    }
    const timer = clock.after(ms, done)
    user.wait(done)
    signal.onAbort(done)
    const stop = also?.(done)
  })
}
