/** What is kept ready of a user who syncs: memberships, and which rooms changed lately. */
import type { Membership } from '#/ports/store/rooms.ts'
import { CHANGES_PER_USER, WAITING_PER_USER_MAX } from './limits.ts'

export interface KnownMembership {
  readonly roomId: string
  readonly membership: Membership
  readonly position: number
  /** Devices that have not heard of the leaving are still told of it; nobody else sees the room. */
  readonly forgotten?: boolean
  /** Whether the user did it, and nobody else. */
  readonly bySelf?: boolean
}

/** Stands for news that is not in a room: account data and the like. */
export const NO_ROOM = 0

export class ActiveUser {
  readonly userId: string
  /** By room row id. */
  readonly memberships: Map<number, KnownMembership>
  /** Every change after it is in `#changes`. */
  #floor: number
  /** Position and room, ascending. */
  #changes: { readonly position: number; readonly room: number }[] = []
  readonly #waiting = new Set<() => void>()

  constructor(userId: string, memberships: Map<number, KnownMembership>, floor: number) {
    this.userId = userId
    this.memberships = memberships
    this.#floor = floor
  }

  touch(position: number, room: number): void {
    this.#changes.push({ position, room })
    if (this.#changes.length > CHANGES_PER_USER) {
      const dropped = this.#changes.splice(0, CHANGES_PER_USER / 2)
      this.#floor = dropped.at(-1)!.position
    }
  }

  /** Rooms with news after a position; undefined when that is too long ago to remember. */
  changedSince(since: number): Set<number> | undefined {
    if (since < this.#floor) return undefined
    const rooms = new Set<number>()
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const change = this.#changes[i]!
      if (change.position <= since) break
      rooms.add(change.room)
    }
    return rooms
  }

  /** Account data moved at this position last. */
  #data = 0

  /** Notes a change of account data, of a room or global. */
  touchData(position: number, room: number): void {
    this.#data = position
    this.touch(position, room)
  }

  /** Whether account data may have changed after a position. */
  dataChangedSince(since: number): boolean {
    return this.#data > since || since < this.#floor
  }

  /** Whether there is news after a position, or it is too long ago to tell. */
  hasNewsSince(since: number): boolean {
    return since < this.#floor || (this.#changes.at(-1)?.position ?? 0) > since
  }

  /** Requests that use this object; while there are any it stays the one that hears of news. */
  busy = 0

  /** Calls `wake` once at the next news. Returns a function that stops waiting. */
  wait(wake: () => void): () => void {
    if (this.#waiting.size >= WAITING_PER_USER_MAX) {
      const oldest = this.#waiting.values().next().value
      if (oldest) {
        this.#waiting.delete(oldest)
        oldest()
      }
    }
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }

  wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const call of waiting) call()
  }
}
