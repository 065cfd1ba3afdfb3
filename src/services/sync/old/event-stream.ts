/**
 * `/events`: the way to listen from before `/sync`, and still the one to follow a room that one peeks into.
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events
 */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { accessRoom, rulesForEvents } from '../../rooms/read/access.ts'
import type { ClientEvents, Viewer } from '../../rooms/read/client-events.ts'
import { formatStream } from '../../rooms/read/tokens.ts'
import { visibleTo } from '../../rooms/read/visibility.ts'
import { type ActiveUser, NO_ROOM } from '../active-user.ts'
import type { Feed } from '../feed.ts'
import { EVENTS_CHUNK_MAX, SYNC_TIMEOUT_MS_MAX } from '../limits.ts'
import { membershipOf } from '../own-membership.ts'
import { type WaitingRequest, type Wake, waitForNews } from '../wait.ts'
import { RoomWaiters } from './room-waiters.ts'

export interface EventsRequest extends WaitingRequest {
  readonly viewer: Viewer
  /** Position behind which events are told; the present one when absent. */
  readonly from: number | undefined
  /** One room, perhaps only peeked into; else all that the reader is in. */
  readonly roomId: string | undefined
  readonly timeoutMs: number
}

export interface EventsAnswer {
  /** JSON texts, oldest first. */
  readonly chunk: string[]
  readonly start: string
  readonly end: string
}

/** The events of a stretch, and the position that it reaches. */
interface Stretch {
  readonly rows: EventRow[]
  readonly end: number
  /** Row id of the one room that is asked for. */
  readonly room?: number
}

export class EventStreamService {
  readonly #store: Store
  readonly #feed: Feed
  readonly #clock: Clock
  readonly #clientEvents: ClientEvents
  readonly #ignored: IgnoredUsers
  readonly #hidesInvite: (userId: string, sender: string) => Promise<boolean>
  readonly #waiters: RoomWaiters

  constructor(deps: {
    store: Store
    feed: Feed
    clock: Clock
    clientEvents: ClientEvents
    ignored: IgnoredUsers
    /** Whether a user is not to see an invite by somebody. */
    hidesInvite: (userId: string, sender: string) => Promise<boolean>
  }) {
    this.#ignored = deps.ignored
    this.#hidesInvite = deps.hidesInvite
    this.#store = deps.store
    this.#feed = deps.feed
    this.#clock = deps.clock
    this.#clientEvents = deps.clientEvents
    this.#waiters = new RoomWaiters(deps.store)
  }

  close(): void {
    this.#waiters.close()
  }

  /** What is new, waiting for it when there is nothing. Throws M_FORBIDDEN for a room that may not be read. */
  async events(request: EventsRequest): Promise<EventsAnswer> {
    const user = await this.#feed.user(request.viewer.userId)
    user.busy++
    try {
      return await this.#follow(user, request)
    } finally {
      user.busy--
    }
  }

  async #follow(user: ActiveUser, request: EventsRequest): Promise<EventsAnswer> {
    const start = request.from ?? this.#feed.position
    const deadline = this.#clock.monotonic() + Math.min(request.timeoutMs, SYNC_TIMEOUT_MS_MAX)
    let at = start
    let tooMany = false
    for (;;) {
      const now = this.#feed.position
      const { rows, end, room } = await this.#stretch(user, request, at, now)
      const chunk = await this.#visible(rows, request.viewer)
      at = Math.max(at, end)
      const left = deadline - this.#clock.monotonic()
      const over = left <= 0 || tooMany || request.signal.aborted || this.#feed.stopping
      if (chunk.length > 0 || over) return { chunk, start: this.#token(start), end: this.#token(at) }
      if (end < now) {
        await turn(this.#clock)
        continue
      }
      const also = room === undefined ? undefined : (wake: Wake) => this.#waiters.wait(room, wake)
      tooMany = await waitForNews(this.#clock, user, left, request, () => this.#feed.position !== now, also)
    }
  }

  #token(position: number): string {
    return formatStream({ epoch: this.#store.epoch, position })
  }

  async #stretch(user: ActiveUser, request: EventsRequest, after: number, now: number): Promise<Stretch> {
    if (request.roomId !== undefined) {
      const { room, stateUpto } = await accessRoom(this.#store, request.roomId, user.userId)
      if (after >= now) return { rows: [], end: now, room: room.nid }
      const found = await this.#merged([room.nid], after, Math.min(now, stateUpto ?? now), now)
      return { ...found, room: room.nid }
    }
    if (after >= now) return { rows: [], end: now }
    return this.#merged(await this.#movedRooms(user, after), after, now, now)
  }

  /** Rooms of the reader with news. */
  async #movedRooms(user: ActiveUser, after: number): Promise<number[]> {
    const changed = user.changedSince(after)
    if (changed) return [...changed].filter((room) => room !== NO_ROOM)
    const rooms = new Set<number>()
    for (const { room, latest } of await this.#store.rooms.lastArrivals(user.userId)) {
      if (latest > after) rooms.add(room)
    }
    for (const [room, { position }] of user.memberships) if (position > after) rooms.add(room)
    return [...rooms]
  }

  /** The oldest events of some rooms after a position, as many as fit into one answer. */
  async #merged(rooms: readonly number[], after: number, upto: number, now: number): Promise<Stretch> {
    let rows: EventRow[] = []
    let full = false
    for (const room of rooms) {
      const page = { room, after, upto, limit: EVENTS_CHUNK_MAX, dir: 'f' } as const
      const some = await this.#store.events.timeline(page)
      const all = [...rows, ...some].sort((a, b) => a.nid - b.nid)
      full ||= some.length === EVENTS_CHUNK_MAX || all.length > EVENTS_CHUNK_MAX
      rows = all.slice(0, EVENTS_CHUNK_MAX)
    }
    return { rows, end: full ? rows.at(-1)!.nid : now }
  }

  /** JSON texts of the rows that the reader may see and does not ignore, in order; their own membership they are told. */
  async #visible(rows: readonly EventRow[], viewer: Viewer): Promise<string[]> {
    const texts = new Map<number, string>()
    const ignored = await this.#ignored.ignoredBy(viewer.userId)
    const told = rows.filter((row) => row.stateKey !== null || !ignored.has(row.sender))
    for (const [room, some] of Map.groupBy(told, (row) => row.room)) {
      const row = await this.#store.rooms.byNid(room)
      const rules = row && rulesOf(row.version)
      if (!rules) continue
      const open = (await rulesForEvents(this.#store, row, viewer.userId)) !== undefined
      const seen = open ? await visibleTo(this.#store, some, viewer.userId, rules) : []
      const visible = new Map(seen.map((entry) => [entry.row, entry.membership]))
      const shown: EventRow[] = []
      for (const event of some) {
        if (visible.has(event) || (await this.#concerns(event, viewer.userId))) shown.push(event)
      }
      const membershipAt = (event: EventRow): string | undefined => visible.get(event)
      const view = await this.#clientEvents.view(shown, viewer, { rules, withoutRoomId: false, membershipAt })
      for (const [i, event] of shown.entries()) texts.set(event.nid, view[i]!)
    }
    return rows.flatMap((row) => texts.get(row.nid) ?? [])
  }

  /** Whether an event says how the reader stands to the room, and is no invite that they do not want to see. */
  async #concerns(row: EventRow, userId: string): Promise<boolean> {
    if (row.type !== 'm.room.member' || row.stateKey !== userId) return false
    return membershipOf(row) !== 'invite' || !(await this.#hidesInvite(userId, row.sender))
  }
}
