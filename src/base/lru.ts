import { type Aged, Recency } from './recency.ts'

/** A map that forgets one of the entries touched longest ago when it has too many. */
export class Lru<K, V> {
  readonly #entries = new Map<K, Aged & { readonly value: V }>()
  readonly #recency = new Recency()
  readonly #max: number
  readonly #slack: number

  constructor(max: number) {
    this.#max = max
    this.#slack = Math.floor(max / 4)
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value, which becomes the youngest, or stays one of the younger ones. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#recency.touch(this.#entries, key, entry, this.#slack)
    return entry.value
  }

  /** The value without touching its age. */
  peek(key: K): V | undefined {
    return this.#entries.get(key)?.value
  }

  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, at: this.#recency.next() })
    if (this.#entries.size > this.#max) {
      const oldest = this.#entries.keys().next()
      if (!oldest.done) this.#entries.delete(oldest.value)
    }
  }

  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
