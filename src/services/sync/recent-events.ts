/** The newest events of a room, kept in memory so that many readers share them. */
import type { EventRow } from '#/ports/store/events.ts'
import { RECENT_EVENTS_PER_ROOM } from './limits.ts'

export class RecentEvents {
  /** All events of the room that arrived after it are in `#rows`. */
  #floor: number
  /** Ascending by arrival. */
  #rows: EventRow[] = []

  constructor(floor: number) {
    this.#floor = floor
  }

  /** What the events weigh in memory, roughly: each as its row and as text for clients. */
  bytes = 0

  push(row: EventRow): void {
    this.#rows.push(row)
    this.bytes += weightOf(row)
    if (this.#rows.length <= RECENT_EVENTS_PER_ROOM) return
    const oldest = this.#rows.shift()!
    this.bytes -= weightOf(oldest)
    this.#floor = oldest.nid
  }

  /** Events in (after, upto], newest first, at most `limit`; undefined when they are not all here. */
  newest(after: number, upto: number, limit: number): EventRow[] | undefined {
    const found: EventRow[] = []
    for (let i = this.#rows.length - 1; i >= 0; i--) {
      const row = this.#rows[i]!
      if (row.nid > upto) continue
      if (row.nid <= after) return found
      found.push(row)
      if (found.length === limit) return found
    }
    return after >= this.#floor ? found : undefined
  }
}

/** A row without its texts. */
const ROW_BYTES = 600

function weightOf(row: EventRow): number {
  return ROW_BYTES + 3 * row.json.length
}
