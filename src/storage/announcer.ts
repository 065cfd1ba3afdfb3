/** What a store tells about its writes: the position up to which all is readable, what changed, and its health. */
import type { Change } from '#/ports/store/plan.ts'
import type { StoreHealth } from '#/ports/store/store.ts'

export type ChangeListener = (changes: readonly Change[], position: number) => void

export class Announcer {
  readonly #listeners = new Set<ChangeListener>()
  #broken: string | undefined
  position: number

  constructor(position: number) {
    this.position = position
  }

  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Moves the position; it never goes back. */
  moveTo(position: number): void {
    if (position > this.position) this.position = position
  }

  tell(changes: readonly Change[]): void {
    if (changes.length === 0) return
    for (const listener of this.#listeners) listener(changes, this.position)
  }

  /** The engine cannot write; `reason` is a sentence for the operator. */
  broke(reason: string): void {
    this.#broken = reason
  }

  works(): void {
    this.#broken = undefined
  }

  health(): StoreHealth {
    return this.#broken === undefined ? { writable: true } : { writable: false, reason: this.#broken }
  }
}
