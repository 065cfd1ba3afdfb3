/** `/context`: what happened around an event. https://spec.matrix.org/v1.19/client-server-api/#event-context */
import type { EventRow } from '#/ports/store/events.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { accessRoom, type RoomAccess } from './access.ts'
import type { ClientEvents, Viewer } from './client-events.ts'
import type { RoomEventFilter } from './event-filter.ts'
import { membersOfSenders } from './members-of.ts'
import { type Page, type PageDeps, readPage } from './page.ts'
import { before, behind, onward, type Place, tokenOf } from './places.ts'
import { canSee } from './visibility.ts'

export interface ContextQuery {
  readonly roomId: string
  readonly eventId: string
  readonly viewer: Viewer
  /** Events before and after together; may be 0. */
  readonly limit: number
  /** For the events around and the state; the event itself is always there. */
  readonly filter: RoomEventFilter
}

/** Events as JSON texts. */
export interface ContextAnswer {
  readonly event: string
  /** Newest first. */
  readonly before: string[]
  /** Oldest first. */
  readonly after: string[]
  /** State at the last of all events. */
  readonly state: string[]
  /** Token to go on backwards. */
  readonly start: string
  /** Token to go on forwards. */
  readonly end: string
}

export class ContextService {
  readonly #deps: PageDeps & { readonly clientEvents: ClientEvents }

  constructor(deps: PageDeps & { readonly clientEvents: ClientEvents }) {
    this.#deps = deps
  }

  /**
   * The surroundings of an event. Throws M_FORBIDDEN for a room that is not the reader's to see, and M_NOT_FOUND in
   * the same words for an event that is not there, of another room (adv-48), not the reader's to see, or a message of
   * somebody whom they ignore.
   */
  async context(query: ContextQuery): Promise<ContextAnswer> {
    const store = this.#deps.store
    const { roomId, viewer, filter } = query
    const access = await accessRoom(store, roomId, viewer.userId)
    const row = await store.events.byId(query.eventId)
    if (!row || row.room !== access.room.nid || row.arrival === null) throw notFound()
    const seen = await canSee(store, row, viewer.userId, access.rules)
    const ignored = await this.#deps.ignored.ignoredBy(viewer.userId)
    if (!seen || (row.stateKey === null && ignored.has(row.sender))) throw notFound()
    const half = Math.floor(query.limit / 2)
    const earlier = await this.#side(query, access, row, 'b', half)
    const later = await this.#side(query, access, row, 'f', query.limit - half)
    const all = [...earlier.seen, seen, ...later.seen]
    const memberships = new Map(all.map((entry) => [entry.row.nid, entry.membership]))
    const view = { rules: access.rules, withoutRoomId: false }
    const rows = all.map((entry) => entry.row)
    const membershipAt = (event: EventRow) => memberships.get(event.nid)
    const texts = await this.#deps.clientEvents.view(rows, viewer, { ...view, membershipAt })
    const last = later.seen.at(-1)?.row ?? row
    const state = filter.passesRoom(roomId) ? await this.#stateAt(access, last, rows, filter) : []
    const at = earlier.seen.length
    return {
      event: texts[at]!,
      before: texts.slice(0, at),
      after: texts.slice(at + 1),
      state: await this.#deps.clientEvents.view(state, viewer, view),
      start: this.#token(earlier.end ?? onward(earlier.seen.at(-1)?.row ?? row, 'b')),
      end: this.#token(later.end ?? onward(last, 'f')),
    }
  }

  async #side(
    query: ContextQuery,
    access: RoomAccess,
    row: EventRow,
    dir: 'f' | 'b',
    limit: number,
  ): Promise<Page> {
    const { filter, viewer } = query
    if (limit === 0 || filter.passesNone || !filter.passesRoom(query.roomId)) {
      return { seen: [], end: undefined }
    }
    const from: Place = dir === 'b' ? before(row) : behind(row)
    const page = {
      userId: viewer.userId,
      dir,
      from,
      to: undefined,
      limit,
      passes: filter.passes,
      relatedBy: filter.relatedBy,
    }
    return readPage(this.#deps, access, page)
  }

  /** The state after an event; with lazily loaded members only those who sent one of `rows`. */
  async #stateAt(
    { room }: RoomAccess,
    last: EventRow,
    rows: readonly EventRow[],
    filter: RoomEventFilter,
  ): Promise<EventRow[]> {
    if (filter.passesNone) return []
    const { state } = this.#deps.store
    const point = (await state.pointBefore(last.nid)) ?? { branch: 0, pos: last.nid - 1 }
    const lazy = filter.lazyLoadMembers
    const earlier = await state.eventsAt(room.nid, point, lazy ? 'm.room.member' : undefined)
    if (lazy) {
      const deps = this.#deps
      for (const member of await membersOfSenders(deps, room.nid, point, rows)) earlier.push(member)
    }
    const held = last.stateKey === null ? earlier : [...earlier.filter((row) => !sameKey(row, last)), last]
    return held.filter((row) => filter.passes(row))
  }

  #token(place: Place): string {
    return tokenOf(this.#deps.store, place)
  }
}

function sameKey(a: EventRow, b: EventRow): boolean {
  return a.type === b.type && a.stateKey === b.stateKey
}

/** A room that the reader may not see looks like one without the event. */
function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no such event in this room, or you may not see it.')
}
