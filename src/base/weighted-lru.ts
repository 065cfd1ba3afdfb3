/**
 * A map with a budget in bytes: when its values weigh too much, those touched longest ago go. As in `Lru`, an entry that
 * was moved lately stays where it is, so what goes is among the oldest quarter.
 */
export class WeightedLru<K, V> {
  readonly #entries = new Map<K, { readonly value: V; bytes: number; at: number }>()
  readonly #maxBytes: number
  readonly #mayGo: (value: V) => boolean
  #bytes = 0
  #moves = 0

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
    if (this.#moves - entry.at >= this.#entries.size >> 2) {
      entry.at = ++this.#moves
      this.#entries.delete(key)
      this.#entries.set(key, entry)
    }
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
    this.#entries.set(key, { value, bytes, at: ++this.#moves })
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
