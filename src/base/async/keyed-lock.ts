/** Runs tasks of one key one after another, tasks of different keys side by side. */
export class KeyedLock {
  readonly #tails = new Map<string, { readonly done: Promise<void>; readonly waiting: { n: number } }>()

  /** Tasks that wait or run for a key. */
  waiting(key: string): number {
    return this.#tails.get(key)?.waiting.n ?? 0
  }

  /** Runs `task` after all earlier ones of `key`. A failed task does not stop those behind it. */
  async run<T>(key: string, task: () => T | Promise<T>): Promise<T> {
    const before = this.#tails.get(key)
    const waiting = before?.waiting ?? { n: 0 }
    waiting.n++
    let finish: () => void = () => {}
    const mine = { done: new Promise<void>((resolve) => (finish = resolve)), waiting }
    this.#tails.set(key, mine)
    try {
      if (before) await before.done
      return await task()
    } finally {
      waiting.n--
      if (this.#tails.get(key) === mine) this.#tails.delete(key)
      finish()
    }
  }
}
