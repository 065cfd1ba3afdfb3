/** Randomness of a simulation: sfc32, begun from a hash of the seed's text. Good enough to spread, secret to nobody. */
import { createHash } from 'node:crypto'
import type { Rng } from '#/base/world.ts'

const TWO_32 = 2 ** 32

export class SeededRng implements Rng {
  readonly #seed: string
  #a: number
  #b: number
  #c: number
  #counter: number

  constructor(seed: string) {
    this.#seed = seed
    const hash = createHash('sha256').update(seed).digest()
    this.#a = hash.readInt32LE(0)
    this.#b = hash.readInt32LE(4)
    this.#c = hash.readInt32LE(8)
    this.#counter = hash.readInt32LE(12)
    for (let i = 0; i < 12; i++) this.#next()
  }

  /** Another stream of numbers, which depends on the seed and the label alone, not on what was drawn here. */
  fork(label: string): SeededRng {
    return new SeededRng(`${this.#seed}/${label}`)
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.#next() / TWO_32
  }

  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }

  /** A key of `weights`, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries<number>(weights)
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [key, weight] of entries) {
      left -= weight
      if (left < 0) return key as K
    }
    return entries.at(-1)![0] as K
  }

  bytes(length: number): Buffer {
    const out = Buffer.alloc(length)
    for (let i = 0; i < length; i++) out[i] = this.#next() >>> 24
    return out
  }
}
