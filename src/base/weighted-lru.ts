import { type Aged, Recency } from './recency.ts'

/** A map with a budget in bytes: when its values weigh too much, some of those touched longest ago go. */
export class WeightedLru<K, V> {
  readonly #entries = new Map<K, Aged & { readonly value: V; bytes: number }>()
  readonly #recency = new Recency()
  readonly #maxBytes: number
  readonly #mayGo: (value: V) => boolean
  #bytes = 0

  /** @param mayGo whether a value may be forgotten just now */
  constructor(maxBytes: number, mayGo: (value: V) => boolean = () => true) {
    this.#maxBytes = maxBytes
    this.#mayGo = mayGo
  }

  get size(): number {
    return this.#entries.size
  }

  /** What all values weigh together. */
  get bytes(): number {
    return this.#bytes
  }

  /** The value, which becomes the youngest, or stays one of the younger ones. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    this.#recency.touch(this.#entries, key, entry, this.#entries.size >> 2)
    return entry.value
  }

  /** The value without touching its age. */
  peek(key: K): V | undefined {
    return this.#entries.get(key)?.value
  }

  keys(): IterableIterator<K> {
    return this.#entries.keys()
  }

  set(key: K, value: V, bytes: number): void {
    this.delete(key)
    this.#entries.set(key, { value, bytes, at: this.#recency.next() })
    this.#bytes += bytes
    this.#shrink(key)
  }

  /** Notes what a value weighs now. Does nothing for a key that is not here. */
  weigh(key: K, bytes: number): void {
    const entry = this.#entries.get(key)
    if (!entry) return
    this.#bytes += bytes - entry.bytes
    entry.bytes = bytes
    this.#shrink(key)
  }

  delete(key: K): void {
    const entry = this.#entries.get(key)
    if (!entry) return
    this.#bytes -= entry.bytes
    this.#entries.delete(key)
  }

  #shrink(keep: K): void {
    if (this.#bytes <= this.#maxBytes) return
    for (const [key, entry] of this.#entries) {
      if (key !== keep && this.#mayGo(entry.value)) this.delete(key)
      if (this.#bytes <= this.#maxBytes) return
    }
  }
}
