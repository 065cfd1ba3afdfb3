/** A bounded queue in front of dear work: some run, some wait, the rest is refused. */
import { MatrixError } from '#/protocol/errors.ts'
import { HASH_RETRY_AFTER_MS } from './password-limits.ts'

export class BoundedQueue {
  readonly #atOnce: number
  readonly #waitingMax: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(atOnce: number, waitingMax: number) {
    this.#atOnce = atOnce
    this.#waitingMax = waitingMax
  }

  /** Runs `task` when there is room for it. Throws M_LIMIT_EXCEEDED when too many wait already. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.length >= this.#waitingMax) {
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many logins at once. Please try again in a moment.', {
          retry_after_ms: HASH_RETRY_AFTER_MS,
        })
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      /* The place goes to the next in line, so `running` stays as it is. */
      if (next) next()
      else this.#running--
    }
  }
}
