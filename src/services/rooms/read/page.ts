/** One page of a room's history in topological order: what the reader may see and the filter lets pass. */
import { type Clock, turn } from '#/base/world.ts'
import type { TopologicalPage } from '#/ports/store/events.ts'
import type { RelatedBy } from '#/ports/store/relations.ts'
import type { Store } from '#/ports/store/store.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import type { RoomAccess } from './access.ts'
import { type Filterable, relatedOnly } from './event-filter.ts'
import { MESSAGES_SCAN_MAX } from './limits.ts'
import { onward, type Place } from './places.ts'
import { type Seen, visibleTo } from './visibility.ts'

/** What reading history needs. */
export interface PageDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ignored: IgnoredUsers
}

/** Where a page begins, which way it goes and what belongs to it. */
export interface PageQuery {
  readonly userId: string
  readonly dir: 'f' | 'b'
  /** Absent means the end of the room given by `dir`. */
  readonly from: Place | undefined
  readonly to: Place | undefined
  /** At least 1. */
  readonly limit: number
  readonly passes: (event: Filterable) => boolean
  readonly relatedBy: RelatedBy | undefined
}

export interface Page {
  readonly seen: Seen[]
  /** Where to go on; undefined when there is nothing more. */
  readonly end: Place | undefined
}

/** Rows of one read. */
const PAGE_ROWS_MAX = 100

/** Reads until the page is full, the end is reached, or enough was looked at (adv-40). */
export async function readPage(
  { store, clock, ignored }: PageDeps,
  { room, rules }: Pick<RoomAccess, 'room' | 'rules'>,
  query: PageQuery,
): Promise<Page> {
  const seen: Seen[] = []
  const hidden = await ignored.ignoredBy(query.userId)
  const { dir, limit, to } = query
  let at = query.from
  let scanned = 0
  for (;;) {
    const wanted = Math.min(PAGE_ROWS_MAX, limit - seen.length + 1)
    const page: TopologicalPage = {
      room: room.nid,
      dir,
      limit: wanted,
      ...(at ? { from: at } : {}),
      ...(to ? { to } : {}),
    }
    const rows = await store.events.topological(page)
    const wantedRows = rows.filter(
      (row) => !(row.stateKey === null && hidden.has(row.sender)) && query.passes(row),
    )
    const visible = await visibleTo(store, wantedRows, query.userId, rules)
    const passing = visible.map((entry) => ({ ...entry, eventId: entry.row.eventId }))
    for (const entry of await relatedOnly(store, room.nid, passing, query.relatedBy)) {
      if (seen.length === limit) return { seen, end: onward(seen.at(-1)!.row, dir) }
      seen.push(entry)
    }
    const last = rows.at(-1)
    if (!last || rows.length < wanted) return { seen, end: undefined }
    at = onward(last, dir)
    scanned += rows.length
    if (scanned >= MESSAGES_SCAN_MAX) return { seen, end: at }
    await turn(clock)
  }
}
