/**
 * The counter of what lives in memory alone: typing and presence. It begins anew with each life of the server, so a
 * version is worth something only together with the number of the life. docs/decisions/0007-ephemeral.md
 */
import type { Rng } from '#/base/world.ts'
import type { EphemeralSeen } from '../rooms/read/tokens.ts'

/** Numbers of lives are below it: nine digits in a token. */
const LIVES = 1_000_000_000

export class EphemeralVersions {
  /** Tells this life of the server from others. */
  readonly life: number
  #version = 0

  constructor(rng: Rng) {
    this.life = rng.below(LIVES)
  }

  /** The newest version given out. */
  get version(): number {
    return this.#version
  }

  next(): number {
    return ++this.#version
  }

  /**
   * The version of this life that a client has seen: 0 for one that saw another life, and -1, from which on everything
   * is told, for one that saw somebody type then.
   */
  seenOf(seen: EphemeralSeen | undefined): number {
    if (seen?.life === this.life) return Math.min(seen.version, this.#version)
    return seen?.typing ? -1 : 0
  }
}

/** The newest changes of something by key, oldest first. */
export class ChangeLog<K> {
  readonly #max: number
  #entries: { readonly version: number; readonly key: K }[] = []
  /** Every change after it is in the log. */
  #floor = 0

  constructor(max: number) {
    this.#max = max
  }

  push(version: number, key: K): void {
    this.#entries.push({ version, key })
    if (this.#entries.length <= 2 * this.#max) return
    const dropped = this.#entries.splice(0, this.#max)
    this.#floor = dropped.at(-1)!.version
  }

  /** Keys that changed after a version; undefined when that is too long ago to remember. */
  since(version: number): Set<K> | undefined {
    if (version < this.#floor) return undefined
    const keys = new Set<K>()
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i]!
      if (entry.version <= version) break
      keys.add(entry.key)
    }
    return keys
  }
}
