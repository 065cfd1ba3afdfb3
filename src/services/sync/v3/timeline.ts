/** The newest events of one room for a sync answer. */
import type { EventRow } from '#/ports/store/events.ts'
import type { RoomEventFilter } from '../../rooms/read/event-filter.ts'
import { TIMELINE_SCAN_MAX } from '../limits.ts'

export interface Timeline {
  /** Oldest first. */
  readonly rows: readonly EventRow[]
  /** Whether events between `since` and the first row are left out. */
  readonly limited: boolean
}

/** Reads events of the room in (after, upto], newest first. */
export type ReadNewest = (after: number, upto: number, limit: number) => Promise<EventRow[]>

/**
 * The newest events in (since, now] that pass the filter, at most its limit. Messages of users whom the reader ignores
 * are left out; the state of the room is what it is. `related` leaves those with the relations that the filter wants.
 */
export async function readTimeline(
  newest: ReadNewest,
  since: number,
  now: number,
  filter: RoomEventFilter,
  roomId: string,
  ignored: ReadonlySet<string>,
  related: (rows: readonly EventRow[]) => Promise<readonly EventRow[]> = async (rows) => rows,
): Promise<Timeline> {
  if (filter.passesNone || !filter.passesRoom(roomId)) return { rows: [], limited: false }
  if (filter.passesAll && ignored.size === 0) {
    const rows = await newest(since, now, filter.limit + 1)
    const limited = rows.length > filter.limit
    return { rows: rows.slice(0, filter.limit).reverse(), limited }
  }
  const passed: EventRow[] = []
  let upto = now
  let scanned = 0
  for (;;) {
    const page = await newest(since, upto, filter.limit + 1)
    const found = page.filter(
      (row) => filter.passes(row) && !(row.stateKey === null && ignored.has(row.sender)),
    )
    for (const row of await related(found)) {
      if (passed.length === filter.limit) return { rows: passed.reverse(), limited: true }
      passed.push(row)
    }
    scanned += page.length
    const last = page.at(-1)
    if (!last || page.length <= filter.limit) return { rows: passed.reverse(), limited: false }
    if (scanned >= TIMELINE_SCAN_MAX) return { rows: passed.reverse(), limited: true }
    upto = last.nid - 1
  }
}
