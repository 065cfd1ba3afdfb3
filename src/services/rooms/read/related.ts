/** Events that relate to an event, and the threads of a room. */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { accessRoom } from './access.ts'
import type { ClientEvents, Viewer } from './client-events.ts'
import { RELATIONS_RECURSION_MAX, RELATIONS_SCAN_MAX, THREADS_SCAN_MAX } from './limits.ts'
import { onward, type Place, placeOf, tokenOf } from './places.ts'
import { type Seen, visibleTo } from './visibility.ts'
import { requireAccess, visibleEvent } from './visible-event.ts'

export interface RelationsQuery {
  readonly roomId: string
  readonly eventId: string
  readonly viewer: Viewer
  readonly relType?: string | undefined
  readonly eventType?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly dir: 'f' | 'b'
  readonly limit: number
  readonly recurse: boolean
}

export interface ThreadsQuery {
  readonly roomId: string
  readonly viewer: Viewer
  /** Only threads that the viewer has begun or written in. */
  readonly participated: boolean
  readonly from?: string | undefined
  readonly limit: number
}

export interface RelatedEventsDeps {
  readonly store: Store
  readonly clientEvents: ClientEvents
  readonly ignored: IgnoredUsers
  readonly clock: Clock
}

/** Events as JSON texts, and where to go on. */
export interface Chunk {
  readonly chunk: string[]
  readonly nextBatch: string | undefined
}

/** Rows of one read. */
const PAGE_ROWS_MAX = 100

export class RelatedEvents {
  readonly #store: Store
  readonly #clientEvents: ClientEvents
  readonly #ignored: IgnoredUsers
  readonly #clock: Clock

  constructor(deps: RelatedEventsDeps) {
    this.#store = deps.store
    this.#clientEvents = deps.clientEvents
    this.#ignored = deps.ignored
    this.#clock = deps.clock
  }

  /** Events that relate to one, with recursion also those that relate to these. Throws M_NOT_FOUND, M_INVALID_PARAM. */
  async relations(query: RelationsQuery): Promise<Chunk> {
    const { viewer, dir, limit } = query
    const { row: parent, rules } = await visibleEvent(this.#store, this.#ignored, query, viewer.userId)
    /* What happened since is for those who may see the room as it is. */
    await requireAccess(this.#store, query.roomId, viewer.userId)
    const ignored = await this.#ignored.ignoredBy(viewer.userId)
    const seen: Seen[] = []
    let nextBatch: string | undefined
    let scanned = 0
    for await (const rows of this.#pages(query, parent)) {
      const others = rows.filter((row) => row.stateKey !== null || !ignored.has(row.sender))
      for (const each of await visibleTo(this.#store, others, viewer.userId, rules)) {
        if (seen.length === limit) nextBatch = tokenOf(this.#store, onward(seen.at(-1)!.row, dir))
        else seen.push(each)
      }
      if (nextBatch !== undefined) break
      scanned += rows.length
      if (scanned >= RELATIONS_SCAN_MAX) {
        nextBatch = tokenOf(this.#store, onward(rows.at(-1)!, dir))
        break
      }
      await turn(this.#clock)
    }
    const memberships = new Map(seen.map((each) => [each.row.nid, each.membership]))
    const membershipAt = (row: EventRow) => memberships.get(row.nid)
    const view = { rules, withoutRoomId: false, membershipAt }
    const rows = seen.map((each) => each.row)
    return { chunk: await this.#clientEvents.view(rows, viewer, view), nextBatch }
  }

  /** Relating events in order, a page at a time, none of them empty. */
  async *#pages(query: RelationsQuery, parent: EventRow): AsyncGenerator<EventRow[]> {
    const { room } = parent
    const { relations, events } = this.#store
    const page = {
      room,
      target: parent.eventId,
      relType: query.relType,
      type: query.eventType,
      /* The edits of a redacted event would show what it said. */
      withoutEdits: parent.redactedBy !== null,
      from: query.from === undefined ? undefined : await placeOf(this.#store, room, query.from),
      to: query.to === undefined ? undefined : await placeOf(this.#store, room, query.to),
      dir: query.dir,
      limit: Math.min(PAGE_ROWS_MAX, query.limit + 1),
    }
    if (query.recurse) {
      const tree = { ...page, limit: RELATIONS_SCAN_MAX, levels: RELATIONS_RECURSION_MAX }
      const nids = await relations.tree(tree)
      for (let i = 0; i < nids.length; i += page.limit) {
        const some = nids.slice(i, i + page.limit)
        const byNid = new Map((await events.byNids(some)).map((row) => [row.nid, row]))
        yield some.flatMap((nid) => byNid.get(nid) ?? [])
      }
      return
    }
    for (let { from } = page; ; ) {
      const rows = await relations.page({ ...page, from })
      const last = rows.at(-1)
      if (!last) return
      yield rows
      if (rows.length < page.limit) return
      from = onward(last, query.dir)
    }
  }

  /** Roots of the room's threads, that of the thread with the last event first. Throws M_FORBIDDEN, M_INVALID_PARAM. */
  async threads(query: ThreadsQuery): Promise<Chunk> {
    const { viewer, limit } = query
    const access = await accessRoom(this.#store, query.roomId, viewer.userId)
    const ignored = await this.#ignored.ignoredBy(viewer.userId)
    const room = access.room.nid
    let from: Place | undefined =
      query.from === undefined ? undefined : await placeOf(this.#store, room, query.from)
    const seen: (Seen & { readonly place: Place })[] = []
    let nextBatch: string | undefined
    for (let scanned = 0; ; ) {
      const wanted = Math.min(PAGE_ROWS_MAX, query.participated ? PAGE_ROWS_MAX : limit - seen.length + 1)
      const found = await this.#store.relations.threads(room, from, wanted)
      const mine = query.participated ? await this.#mine(viewer, found) : undefined
      const wantedRoots = found.filter(
        ({ root, target }) => !ignored.has(root.sender) && (mine === undefined || mine.has(target)),
      )
      const places = new Map(found.map((thread) => [thread.root.nid, thread]))
      const roots = wantedRoots.map((thread) => thread.root)
      for (const each of await visibleTo(this.#store, roots, viewer.userId, access.rules)) {
        if (seen.length < limit) seen.push({ ...each, place: places.get(each.row.nid)! })
        else nextBatch ??= tokenOf(this.#store, seen.at(-1)!.place)
      }
      const last = found.at(-1)
      if (nextBatch !== undefined || !last || found.length < wanted) break
      from = { depth: last.depth, arrival: last.arrival }
      scanned += found.length
      if (scanned >= THREADS_SCAN_MAX) {
        nextBatch = tokenOf(this.#store, from)
        break
      }
      await turn(this.#clock)
    }
    const memberships = new Map(seen.map((each) => [each.row.nid, each.membership]))
    const membershipAt = (row: EventRow) => memberships.get(row.nid)
    const view = { rules: access.rules, withoutRoomId: false, membershipAt }
    const rows = seen.map((each) => each.row)
    return { chunk: await this.#clientEvents.view(rows, viewer, view), nextBatch }
  }

  /** Targets of those threads that the viewer has begun or written in. */
  async #mine(
    viewer: Viewer,
    threads: readonly { readonly target: number; readonly root: EventRow }[],
  ): Promise<ReadonlySet<number>> {
    const begun = threads.filter(({ root }) => root.sender === viewer.userId).map(({ target }) => target)
    const all = threads.map(({ target }) => target)
    return new Set([...begun, ...(await this.#store.relations.threadsOf(viewer.userId, all))])
  }
}
