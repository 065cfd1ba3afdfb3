/**
 * Messages whose time is over, by m.room.retention and the operator's policy, but which no purge has taken yet: nobody
 * is shown them. State stays, as it does in a purge.
 */
import { Lru } from '#/base/lru.ts'
import type { Clock } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { maxLifetimeMs, type RetentionPolicy } from '../purge/retention-policy.ts'
import { LIFETIMES_KNOWN_MAX } from './limits.ts'

/** A store as those read from it who show events to users. */
export interface ReadStore extends Store {
  /** Absent where messages live for ever. */
  readonly expiry?: Expiry
}

export class Expiry {
  readonly #store: Store
  readonly #clock: Clock
  readonly #policy: RetentionPolicy
  readonly #lifetimes = new Lru<number, Promise<number | undefined>>(LIFETIMES_KNOWN_MAX)
  readonly #stop: () => void

  constructor(deps: { store: Store; clock: Clock; policy: RetentionPolicy }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#policy = deps.policy
    this.#stop = deps.store.onChange((changes) => {
      for (const { room, event } of changes) {
        const moves = event?.type === 'm.room.retention' || event?.type === 'm.room.redaction'
        if (moves && room !== undefined) this.#lifetimes.delete(room)
      }
    })
  }

  close(): void {
    this.#stop()
  }

  /** Messages of a room that were sent before this time (ms) are over; undefined when none ever is. */
  async before(room: number): Promise<number | undefined> {
    let reading = this.#lifetimes.get(room)
    if (!reading) {
      const fresh = this.#read(room)
      reading = fresh
      this.#lifetimes.set(room, fresh)
      fresh.catch(() => {
        if (this.#lifetimes.peek(room) === fresh) this.#lifetimes.delete(room)
      })
    }
    const lifetime = await reading
    return lifetime === undefined ? undefined : this.#clock.now() - lifetime
  }

  async #read(room: number): Promise<number | undefined> {
    const [row] = await this.#store.state.current(room, [['m.room.retention', '']])
    const content = row && (JSON.parse(row.json) as { content?: JsonObject }).content
    return maxLifetimeMs(this.#policy, content)
  }
}

/** Whether an event is a message of before `overBefore` (ms; undefined for no bound). */
export function isOver({ stateKey, ts }: EventRow, overBefore: number | undefined): boolean {
  return overBefore !== undefined && stateKey === null && ts < overBefore
}

/** Rows of one room without those whose time is over. */
export async function withoutOver(store: ReadStore, rows: readonly EventRow[]): Promise<readonly EventRow[]> {
  const [first] = rows
  const overBefore = first && (await store.expiry?.before(first.room))
  return overBefore === undefined ? rows : rows.filter((row) => !isOver(row, overBefore))
}
