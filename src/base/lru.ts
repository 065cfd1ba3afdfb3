/**
 * A map that forgets the entries touched longest ago when it has too many. Moving an entry costs more than finding it, so
 * one that was moved lately stays where it is: what goes is among the oldest quarter.
 */
export class Lru<K, V> {
  readonly #entries = new Map<K, { value: V; at: number }>()
  readonly #max: number
  /** How many moves an entry may fall behind before it is moved again. */
  readonly #slack: number
  #moves = 0

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
    if (this.#moves - entry.at >= this.#slack) {
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

  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, at: ++this.#moves })
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
