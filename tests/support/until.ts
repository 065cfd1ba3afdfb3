/** Waits for what happens by itself, in real time. */
import { AssertionError } from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'

/** Far more than a loaded machine needs. */
const WAIT_MS_MAX = 60_000
const LOOK_MS = 10

/** Looks until something holds. Throws naming `what` when it does not come to that. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_MS_MAX
  while (!(await holds())) {
    if (performance.now() > end) throw new AssertionError({ message: `waited in vain until ${what}` })
    await sleep(LOOK_MS)
  }
}
