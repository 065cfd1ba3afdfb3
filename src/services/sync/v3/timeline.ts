/** The newest events of one room for a sync answer. */
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import type { RoomEventFilter } from '../../rooms/read/event-filter.ts'
import { isOver } from '../../rooms/read/expiry.ts'
import { TIMELINE_SCAN_MAX } from '../limits.ts'

export interface Timeline {
  /** Oldest first. */
  readonly rows: readonly EventRow[]
  /** Whether events between `since` and the first row are left out. */
  readonly limited: boolean
  /** Rows among them that the reader may know as the room's state, not as what happened; absent for none. */
  readonly asState?: ReadonlySet<EventRow>
}

/** Reads events of the room in (after, upto], newest first. */
export type ReadNewest = (after: number, upto: number, limit: number) => Promise<EventRow[]>

/**
 * The newest events in (since, now] that pass the filter, at most its limit. Messages of users whom the reader ignores
 * are left out, and those of before `overBefore` (ms); the state of the room is what it is. `related` leaves those with the relations that the filter wants.
 */
export async function readTimeline(
  newest: ReadNewest,
  since: number,
  now: number,
  filter: RoomEventFilter,
  roomId: string,
  ignored: ReadonlySet<string>,
  overBefore: number | undefined,
  related: (rows: readonly EventRow[]) => Promise<readonly EventRow[]> = async (rows) => rows,
): Promise<Timeline> {
  if (filter.passesNone || !filter.passesRoom(roomId)) return { rows: [], limited: false }
  if (filter.passesAll && ignored.size === 0 && overBefore === undefined) {
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
      (row) =>
        filter.passes(row) && !(row.stateKey === null && ignored.has(row.sender)) && !isOver(row, overBefore),
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

/**
 * Leaves out what the reader may not see. State that holds at `end` stays, since the client is told of it anyway and
 * would miss it: what happened in a room between two stays of the reader, for example.
 */
export async function withoutHidden(
  store: Store,
  rows: readonly EventRow[],
  isVisible: (row: EventRow) => boolean,
  end: number,
): Promise<Pick<Timeline, 'rows' | 'asState'>> {
  const hidden = rows.filter((row) => row.stateKey !== null && !isVisible(row))
  const [one] = hidden
  if (!one) return { rows: rows.filter(isVisible) }
  const keys = hidden.map((row) => [row.type, row.stateKey ?? ''] as const)
  const held = await store.state.at(one.room, { branch: 0, pos: end }, keys)
  const holding = new Set(held.map((row) => row.nid))
  const asState = new Set(hidden.filter((row) => holding.has(row.nid)))
  return { rows: rows.filter((row) => asState.has(row) || isVisible(row)), asState }
}
