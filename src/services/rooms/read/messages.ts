/** `/messages`: paging through a room's history in topological order. */
import type { EventRow } from '#/ports/store/events.ts'
import type { RelatedBy } from '#/ports/store/relations.ts'
import { accessRoom, type RoomAccess } from './access.ts'
import type { ClientEvents, Viewer } from './client-events.ts'
import type { Filterable } from './event-filter.ts'
import { membersOfSenders } from './members-of.ts'
import { type PageDeps, readPage } from './page.ts'
import { behind, type Place, placeOf, tokenOf } from './places.ts'

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
  /** Absent when there is nothing more; forwards there may always be more, but to those who left. */
  readonly end?: string
  readonly state: string[]
}

export class MessagesService {
  readonly #deps: PageDeps & { readonly clientEvents: ClientEvents }

  constructor(deps: PageDeps & { readonly clientEvents: ClientEvents }) {
    this.#deps = deps
  }

  async messages(query: MessagesQuery): Promise<MessagesAnswer> {
    const access = await accessRoom(this.#deps.store, query.roomId, query.viewer.userId)
    const start = (await this.#place(access, query.from)) ?? (await this.#visibleEnd(access, query.dir))
    const found = await readPage(this.#deps, access, {
      ...query,
      userId: query.viewer.userId,
      from: start,
      to: await this.#place(access, query.to),
    })
    const { rules } = access
    const newest = query.dir === 'f' && access.stateUpto === undefined ? found.seen.at(-1) : undefined
    const end = found.end ?? (newest && behind(newest.row))
    const memberships = new Map(found.seen.map((seen) => [seen.row.nid, seen.membership]))
    const membershipAt = (row: EventRow) => memberships.get(row.nid)
    const rows = found.seen.map((seen) => seen.row)
    const view = { rules, withoutRoomId: false }
    const chunk = await this.#deps.clientEvents.view(rows, query.viewer, { ...view, membershipAt })
    const members = query.lazyLoadMembers ? await this.#members(access, rows) : []
    return {
      chunk,
      start: query.from ?? tokenOf(this.#deps.store, start ?? (await this.#edge(access, query.dir))),
      ...(end === undefined ? {} : { end: tokenOf(this.#deps.store, end) }),
      state: await this.#deps.clientEvents.view(members, query.viewer, view),
    }
  }

  /** For those who left, backwards begins at their leaving: they see nothing behind it. */
  async #visibleEnd({ stateUpto, room }: RoomAccess, dir: 'f' | 'b'): Promise<Place | undefined> {
    if (dir === 'f' || stateUpto === undefined) return undefined
    const page = { room: room.nid, after: 0, upto: stateUpto, limit: 1, dir } as const
    const [newest] = await this.#deps.store.events.timeline(page)
    return newest && behind(newest)
  }

  async #place(access: RoomAccess, token: string | undefined): Promise<Place | undefined> {
    return token === undefined ? undefined : placeOf(this.#deps.store, access.room.nid, token)
  }

  async #edge(access: RoomAccess, dir: 'f' | 'b'): Promise<Place> {
    if (dir === 'f') return { depth: 0, arrival: 0 }
    const [newest] = await this.#deps.store.events.topological({ room: access.room.nid, dir: 'b', limit: 1 })
    return newest ? behind(newest) : { depth: 0, arrival: 0 }
  }

  /** Member events of the senders on the page. */
  async #members(access: RoomAccess, rows: readonly EventRow[]): Promise<EventRow[]> {
    const first = rows[0]
    if (!first) return []
    const point = (await this.#deps.store.state.pointBefore(first.nid)) ?? { branch: 0, pos: first.nid }
    return membersOfSenders(this.#deps, access.room.nid, point, rows)
  }
}
