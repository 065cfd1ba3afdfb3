/**
 * Who has just given the password: `ui_auth.session_timeout`. Kept in memory alone, so that a restart asks again.
 */
import { Lru } from '#/base/lru.ts'
import type { Clock } from '#/base/world.ts'
import { RECENT_PROOFS_MAX } from './limits.ts'

export class RecentProofs {
  readonly #clock: Clock
  readonly #timeoutMs: number
  /** Milliseconds of the monotonic clock, by user and device. */
  readonly #proven = new Lru<string, number>(RECENT_PROOFS_MAX)

  /** `timeoutMs` 0: each change wants a proof of its own. */
  constructor(deps: { clock: Clock; timeoutMs: number }) {
    this.#clock = deps.clock
    this.#timeoutMs = deps.timeoutMs
  }

  /** The holder of a device has proven who they are. */
  note(userId: string, deviceId: string): void {
    if (this.#timeoutMs > 0) this.#proven.set(keyOf(userId, deviceId), this.#clock.monotonic())
  }

  /** The device has begun anew without a proof of its own. */
  forget(userId: string, deviceId: string): void {
    this.#proven.delete(keyOf(userId, deviceId))
  }

  /** Whether the last proof counts still. */
  holds(userId: string, deviceId: string): boolean {
    const proven = this.#proven.peek(keyOf(userId, deviceId))
    return proven !== undefined && this.#clock.monotonic() - proven < this.#timeoutMs
  }
}

/* A user id has no space, so that no two pairs share a key. */
function keyOf(userId: string, deviceId: string): string {
  return `${userId} ${deviceId}`
}
