/** Rooms in the order of their newest news. Finding the place of a room costs the logarithm of their number. */

interface Entry {
  readonly room: number
  readonly key: number
}

export class RoomOrder {
  /** Greatest key first; equal keys by room. */
  #entries: Entry[] = []
  readonly #keys = new Map<number, number>()

  get size(): number {
    return this.#entries.length
  }

  /** Replaces everything. */
  fill(entries: Entry[]): void {
    this.#entries = entries.sort(before)
    this.#keys.clear()
    for (const { room, key } of entries) this.#keys.set(room, key)
  }

  /** Puts a room at the place of its key. */
  set(room: number, key: number): void {
    if (this.#keys.get(room) === key) return
    this.delete(room)
    const entry = { room, key }
    this.#entries.splice(this.#place(entry), 0, entry)
    this.#keys.set(room, key)
  }

  /** Takes a room out; false when it was not here. */
  delete(room: number): boolean {
    const rank = this.rank(room)
    if (rank === undefined) return false
    this.#entries.splice(rank, 1)
    this.#keys.delete(room)
    return true
  }

  /** The index of a room; undefined when it is not here. */
  rank(room: number): number | undefined {
    const key = this.#keys.get(room)
    return key === undefined ? undefined : this.#place({ room, key })
  }

  /** Rooms from one index to another, both inclusive. */
  *between(from: number, to: number): Generator<number> {
    const end = Math.min(to, this.#entries.length - 1)
    for (let i = from; i <= end; i++) yield this.#entries[i]!.room
  }

  #place(entry: Entry): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (before(this.#entries[middle]!, entry) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function before(a: Entry, b: Entry): number {
  return b.key - a.key || a.room - b.room
}
