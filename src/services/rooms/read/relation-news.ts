/** When relations of a room changed last, so that what is known of its events need not be asked for again. */
import type { Change } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { RELATION_ROOMS_MAX } from './limits.ts'

export class RelationNews {
  /** Rooms by the time of their news, oldest first. */
  readonly #last = new Map<number, number>()
  /** No forgotten room has later news. */
  #floor = 0
  readonly #stop: () => void

  constructor(store: Pick<Store, 'onChange'>) {
    this.#stop = store.onChange((changes) => {
      for (const change of changes) this.#take(change)
    })
  }

  /** A position at or above the last event of a room that relates to another or ends a relation. */
  lastIn(room: number): number {
    return this.#last.get(room) ?? this.#floor
  }

  close(): void {
    this.#stop()
  }

  #take({ stream, room, position, event }: Change): void {
    if (stream !== 'events' || room === undefined) return
    if (event && event.type !== 'm.room.redaction' && !event.json.includes('"m.relates_to"')) return
    this.#last.delete(room)
    this.#last.set(room, position)
    if (this.#last.size <= RELATION_ROOMS_MAX) return
    const [oldest] = this.#last
    this.#last.delete(oldest![0])
    this.#floor = Math.max(this.#floor, oldest![1])
  }
}
