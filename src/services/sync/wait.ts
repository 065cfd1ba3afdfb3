/** Waiting for news of a user. */
import type { Clock } from '#/base/world.ts'
import type { ActiveUser } from './active-user.ts'

/** Resolves at the next news of the user, after `ms`, or when the client has gone. */
export function waitForNews(clock: Clock, user: ActiveUser, ms: number, signal: AbortSignal): Promise<void> {
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
