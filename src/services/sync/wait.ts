/** Waiting for news of a user. */
import type { Clock } from '#/base/world.ts'
import type { ActiveUser } from './active-user.ts'

/** Who waits. */
export interface WaitingRequest {
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
  /** Throws when the session that asks has ended meanwhile. */
  readonly stillIn: () => Promise<void>
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
): Promise<void> {
  let endings: number
  do {
    endings = user.endings
    await request.stillIn()
  } while (endings !== user.endings)
  if (hasNews()) return
  await nextWake(clock, user, ms, request.signal)
  await request.stillIn()
}

function nextWake(clock: Clock, user: ActiveUser, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel()
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(ms, done)
    const stop = user.wait(done)
    signal.addEventListener('abort', done, { once: true })
  })
}
