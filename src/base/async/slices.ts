/** Work that many wait for at the same moment, in slices of one turn of the event loop each. */
import type { Clock } from '../world.ts'

export class Slices {
  readonly #clock: Pick<Clock, 'defer'>
  readonly #perTurn: number
  #waiting: (() => void)[] = []
  #begun = 0
  #counting = false

  /** Begins no more than `perTurn` pieces of work in one turn. */
  constructor(clock: Pick<Clock, 'defer'>, perTurn: number) {
    this.#clock = clock
    this.#perTurn = perTurn
  }

  /** Calls `begin` now, or in a later turn when enough was begun in this one; in the order of the calls. */
  run(begin: () => void): void {
    if (this.#waiting.length > 0 || this.#begun === this.#perTurn) {
      this.#waiting.push(begin)
      return
    }
    this.#count()
    this.#begun++
    begin()
  }

  /** Whether so many pieces may begin together without being counted: the only ones that came with one input. */
  fits(pieces: number): boolean {
    return pieces <= this.#perTurn && this.#waiting.length === 0
  }

  /** Resolves when a piece of work may begin. */
  place(): Promise<void> {
    return new Promise((resolve) => this.run(resolve))
  }

  #count(): void {
    if (this.#counting) return
    this.#counting = true
    this.#clock.defer(() => this.#turn())
  }

  #turn(): void {
    this.#counting = false
    const now = this.#waiting.splice(0, this.#perTurn)
    this.#begun = now.length
    if (now.length > 0) this.#count()
    for (const begin of now) begin()
  }
}
