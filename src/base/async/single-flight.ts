/** Lets callers that ask for the same thing at the same time share one answer. */
export class SingleFlight<K, V> {
  readonly #underWay = new Map<K, Promise<V>>()

  run(key: K, load: () => Promise<V>): Promise<V> {
    const running = this.#underWay.get(key)
    if (running) return running
    const mine = load().finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, mine)
    return mine
  }
}
