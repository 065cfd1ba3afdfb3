/**
 * A line for answers that tell everything a user has. One of a large account is tens of megabytes before it is sent:
 * side by side for all users, as after a restart with lost tokens, they would not fit into memory, and all would come
 * late together.
 */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { ClientSignal } from '#/base/client-signal.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { WHOLE_SYNC_RETRY_MS, WHOLE_SYNCS_AT_ONCE, WHOLE_SYNCS_WAITING_MAX } from './limits.ts'

export class WholeSyncs {
  readonly #atOnce: number
  readonly #waitingMax: number
  readonly #users = new KeyedLock()
  readonly #line: (() => void)[] = []
  #running = 0
  #waiting = 0

  constructor(atOnce: number = WHOLE_SYNCS_AT_ONCE, waitingMax: number = WHOLE_SYNCS_WAITING_MAX) {
    this.#atOnce = atOnce
    this.#waitingMax = waitingMax
  }

  /**
   * Runs `task` when there is a place for it, in the order of asking; a user has one place, whatever the number of
   * devices. Throws M_LIMIT_EXCEEDED when too many wait, and the signal's reason when the client has gone meanwhile.
   */
  async run<T>(
    userId: string,
    signal: Pick<ClientSignal, 'throwIfAborted'>,
    task: () => Promise<T>,
  ): Promise<T> {
    if (this.#waiting >= this.#waitingMax) {
      throw new MatrixError(
        'M_LIMIT_EXCEEDED',
        'Too many clients begin to sync. Please try again in a moment.',
        {
          retry_after_ms: WHOLE_SYNC_RETRY_MS,
        },
      )
    }
    this.#waiting++
    let begun = false
    try {
      return await this.#users.run(userId, () =>
        this.#inLine(() => {
          begun = true
          this.#waiting--
          signal.throwIfAborted()
          return task()
        }),
      )
    } finally {
      if (!begun) this.#waiting--
    }
  }

  async #inLine<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) await new Promise<void>((resolve) => this.#line.push(resolve))
    else this.#running++
    try {
      return await task()
    } finally {
      const next = this.#line.shift()
      /* The place goes to the next in line, so `running` stays as it is. */
      if (next) next()
      else this.#running--
    }
  }
}
