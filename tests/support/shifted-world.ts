/** The real world with a clock that a test puts forward. Timers run by the real clock. */
import { realWorld, type World } from '#/base/world.ts'

export class ShiftedWorld implements World {
  readonly rng = realWorld.rng
  #shiftMs = 0

  readonly clock = {
    ...realWorld.clock,
    now: (): number => realWorld.clock.now() + this.#shiftMs,
    monotonic: (): number => realWorld.clock.monotonic() + this.#shiftMs,
  }

  pass(ms: number): void {
    this.#shiftMs += ms
  }
}
