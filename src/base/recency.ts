/** What a map notes beside a value: how many moves there had been when the entry was put at the end. */
export interface Aged {
  at: number
}

/**
 * Keeps a map in the order of use, roughly: moving an entry costs more than finding it, so one that was moved lately
 * stays where it is. With a slack of a quarter of the entries, what stands first is among the oldest quarter.
 */
export class Recency {
  #moves = 0

  /** For an entry that is about to be put at the end of its map. */
  next(): number {
    return ++this.#moves
  }

  /** Notes the use of an entry; moves it to the end of its map when it fell `slack` moves behind. */
  touch<K, E extends Aged>(entries: Map<K, E>, key: K, entry: E, slack: number): void {
    if (this.#moves - entry.at < slack) return
    entry.at = ++this.#moves
    entries.delete(key)
    entries.set(key, entry)
  }
}
