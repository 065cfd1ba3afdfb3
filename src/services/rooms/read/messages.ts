/** `/messages`: paging through a room's history in topological order. */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow, TopologicalPage } from '#/ports/store/events.ts'
import type { RelatedBy } from '#/ports/store/relations.ts'
import type { Store } from '#/ports/store/store.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { accessRoom, type RoomAccess } from './access.ts'
import type { ClientEvents, Viewer } from './client-events.ts'
import { type Filterable, relatedOnly } from './event-filter.ts'
import { MESSAGES_SCAN_MAX } from './limits.ts'
import { behind, onward, type Place, placeOf, tokenOf } from './places.ts'
import { type Seen, visibleTo } from './visibility.ts'

export interface MessagesQuery {
  readonly roomId: string
  readonly viewer: Viewer
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly dir: 'f' | 'b'
  readonly limit: number
  readonly passes: (event: Filterable) => boolean
  readonly relatedBy: RelatedBy | undefined
  readonly lazyLoadMembers: boolean
}

export interface MessagesAnswer {
  readonly chunk: string[]
  readonly start: string
  /** Absent when there is nothing more. */
  readonly end?: string
  readonly state: string[]
}

/** Rows of one read. */
const PAGE_ROWS_MAX = 100

export class MessagesService {
  readonly #store: Store
  readonly #clientEvents: ClientEvents
  readonly #clock: Clock
  readonly #ignored: IgnoredUsers

  constructor(deps: { store: Store; clientEvents: ClientEvents; ignored: IgnoredUsers; clock: Clock }) {
    this.#ignored = deps.ignored
    this.#store = deps.store
    this.#clock = deps.clock
    this.#clientEvents = deps.clientEvents
  }

  async messages(query: MessagesQuery): Promise<MessagesAnswer> {
    const access = await accessRoom(this.#store, query.roomId, query.viewer.userId)
    const start = (await this.#place(access, query.from)) ?? (await this.#visibleEnd(access, query.dir))
    const found = await this.#collect(query, access, start, await this.#place(access, query.to))
    const { rules } = access
    const memberships = new Map(found.seen.map((seen) => [seen.row.nid, seen.membership]))
    const membershipAt = (row: EventRow) => memberships.get(row.nid)
    const rows = found.seen.map((seen) => seen.row)
    const view = { rules, withoutRoomId: false }
    const chunk = await this.#clientEvents.view(rows, query.viewer, { ...view, membershipAt })
    const members = query.lazyLoadMembers ? await this.#members(access, rows) : []
    return {
      chunk,
      start: query.from ?? tokenOf(this.#store, start ?? (await this.#edge(access, query.dir))),
      ...(found.end === undefined ? {} : { end: tokenOf(this.#store, found.end) }),
      state: await this.#clientEvents.view(members, query.viewer, view),
    }
  }

  /** For those who left, backwards begins at their leaving: they see nothing behind it. */
  async #visibleEnd({ stateUpto, room }: RoomAccess, dir: 'f' | 'b'): Promise<Place | undefined> {
    if (dir === 'f' || stateUpto === undefined) return undefined
    const page = { room: room.nid, after: 0, upto: stateUpto, limit: 1, dir } as const
    const [newest] = await this.#store.events.timeline(page)
    return newest && behind(newest)
  }

  async #place(access: RoomAccess, token: string | undefined): Promise<Place | undefined> {
    return token === undefined ? undefined : placeOf(this.#store, access.room.nid, token)
  }

  async #edge(access: RoomAccess, dir: 'f' | 'b'): Promise<Place> {
    if (dir === 'f') return { depth: 0, arrival: 0 }
    const [newest] = await this.#store.events.topological({ room: access.room.nid, dir: 'b', limit: 1 })
    return newest ? behind(newest) : { depth: 0, arrival: 0 }
  }

  /** Reads until the page is full, the end is reached, or enough was looked at (adv-40). */
  async #collect(
    query: MessagesQuery,
    access: RoomAccess,
    from: Place | undefined,
    to: Place | undefined,
  ): Promise<{ seen: Seen[]; end: Place | undefined }> {
    const seen: Seen[] = []
    const ignored = await this.#ignored.ignoredBy(query.viewer.userId)
    let at = from
    let scanned = 0
    for (;;) {
      const wanted = Math.min(PAGE_ROWS_MAX, query.limit - seen.length + 1)
      const page: TopologicalPage = {
        room: access.room.nid,
        dir: query.dir,
        limit: wanted,
        ...(at ? { from: at } : {}),
        ...(to ? { to } : {}),
      }
      const rows = await this.#store.events.topological(page)
      const visible = await visibleTo(this.#store, rows, query.viewer.userId, access.rules)
      const passing = visible
        .filter(({ row }) => !(row.stateKey === null && ignored.has(row.sender)) && query.passes(row))
        .map((entry) => ({ ...entry, eventId: entry.row.eventId }))
      for (const entry of await relatedOnly(this.#store, access.room.nid, passing, query.relatedBy)) {
        if (seen.length === query.limit) return { seen, end: onward(seen.at(-1)!.row, query.dir) }
        seen.push(entry)
      }
      const last = rows.at(-1)
      if (!last || rows.length < wanted) return { seen, end: undefined }
      at = onward(last, query.dir)
      scanned += rows.length
      if (scanned >= MESSAGES_SCAN_MAX) return { seen, end: at }
      await turn(this.#clock)
    }
  }

  /** Member events of the senders on the page. */
  async #members(access: RoomAccess, rows: readonly EventRow[]): Promise<EventRow[]> {
    const first = rows[0]
    if (!first) return []
    const point = (await this.#store.state.pointBefore(first.nid)) ?? { branch: 0, pos: first.nid }
    const senders = [...new Set(rows.map((row) => row.sender))]
    return this.#store.state.at(
      access.room.nid,
      point,
      senders.map((user) => ['m.room.member', user] as const),
    )
  }
}
