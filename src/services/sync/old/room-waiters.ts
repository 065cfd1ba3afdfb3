/** Who waits for news of a room without being in it. */
import type { Store } from '#/ports/store/store.ts'
import { PEEKERS_MAX } from '../limits.ts'
import type { Wake } from '../wait.ts'

export class RoomWaiters {
  readonly #waiting = new Map<number, Set<Wake>>()
  readonly #stop: () => void
  #count = 0

  constructor(store: Pick<Store, 'onChange'>) {
    this.#stop = store.onChange((changes) => {
      if (this.#count === 0) return
      for (const { room } of changes) if (room !== undefined) this.#wake(room)
    })
  }

  close(): void {
    this.#stop()
    for (const room of [...this.#waiting.keys()]) this.#wake(room)
  }

  /** Calls `wake` once at the next news; at once, and with true, when too many wait. Returns a function that stops waiting. */
  wait(room: number, wake: Wake): () => void {
    if (this.#count >= PEEKERS_MAX) {
      queueMicrotask(() => wake(true))
      return () => {}
    }
    const set = this.#waiting.get(room) ?? new Set()
    this.#waiting.set(room, set)
    set.add(wake)
    this.#count++
    return () => {
      if (!set.delete(wake)) return
      this.#count--
      if (set.size === 0 && this.#waiting.get(room) === set) this.#waiting.delete(room)
    }
  }

  #wake(room: number): void {
    for (const call of [...(this.#waiting.get(room) ?? [])]) call()
  }
}
