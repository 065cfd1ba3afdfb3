/**
 * Read receipts and the fully read marker. https://spec.matrix.org/v1.19/client-server-api/#receipts and
 * https://spec.matrix.org/v1.19/client-server-api/#fully-read-markers
 */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { Clock } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { ReceiptKind, ReceiptRow } from '#/ports/store/receipts.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { type Relation, relationOf, THREAD } from '#/protocol/event/relation.ts'
import { readJson } from '#/protocol/json/reader.ts'
import { isObject, member } from '#/protocol/json/value.ts'
import { RECEIPTS_FEW, RECEIPTS_PER_ROOM_MAX, THREAD_HOPS_MAX } from './limits.ts'
import { RecentReceipts } from './recent-receipts.ts'

/** One marker of a request. */
export interface Marker {
  readonly kind: ReceiptKind | 'm.fully_read'
  readonly eventId: string
  /** `main` or the id of a thread's root; undefined for the whole room. */
  readonly thread?: string | undefined
}

/** The thread of everything that is in no other. */
const MAIN = 'main'

export class Receipts {
  readonly #store: Store
  readonly #clock: Clock
  readonly #recent = new RecentReceipts()
  readonly #markers = new KeyedLock()
  readonly #stop: () => void

  constructor(deps: { store: Store; clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#stop = deps.store.onChange((changes) => {
      for (const { receipt } of changes) if (receipt) this.#recent.push(receipt)
    })
  }

  close(): void {
    this.#stop()
  }

  /**
   * Sets markers of a user in a room, all or none; those that would move back stay. Throws M_FORBIDDEN for somebody
   * who is not in the room, M_NOT_FOUND for an event that is not in it, M_INVALID_PARAM for a thread that the event
   * is not part of.
   */
  async mark(userId: string, roomId: string, markers: readonly Marker[]): Promise<void> {
    const room = await this.#store.rooms.byId(roomId)
    const membership = room && (await this.#store.rooms.membership(room.nid, userId))
    if (!room || membership?.membership !== 'join') {
      throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
    }
    await this.#markers.run(`${room.nid} ${userId}`, async () => {
      const ops: Op[] = []
      for (const marker of markers) {
        const op = await this.#op(userId, room.nid, marker)
        if (op) ops.push(op)
      }
      if (ops.length === 0) return
      const result = await this.#store.commit({ lane: userId, ops })
      if (!result.ok) throw new Error(`receipts met the conflict ${result.conflict}`)
    })
  }

  async #op(user: string, room: number, { kind, eventId, thread }: Marker): Promise<Op | undefined> {
    const event = await this.#event(room, eventId)
    if (kind === 'm.fully_read') {
      const ahead = await this.#isAhead(user, room, event.arrival)
      const content = JSON.stringify({ event_id: eventId })
      return ahead ? { op: 'account_data.put', user, room, type: kind, content } : undefined
    }
    if (thread !== undefined && !(await this.#isInThread(room, event, thread))) {
      throw new MatrixError('M_INVALID_PARAM', `${eventId} is not part of the thread ${thread}.`)
    }
    const ts = this.#clock.now()
    return { op: 'receipt.put', room, user, kind, thread: thread ?? '', eventId, event: event.arrival, ts }
  }

  /** An event of the room's timeline. */
  async #event(room: number, eventId: string): Promise<EventRow & { readonly arrival: number }> {
    const event = await this.#store.events.byId(eventId)
    if (event?.room !== room || event.arrival === null) {
      throw new MatrixError('M_NOT_FOUND', 'There is no such event in this room.')
    }
    return { ...event, arrival: event.arrival }
  }

  /** Whether the fully read marker would move forward. One whose event is gone may move anywhere. */
  async #isAhead(user: string, room: number, arrival: number): Promise<boolean> {
    const row = await this.#store.accountData.get(user, room, 'm.fully_read')
    const marked = row && (JSON.parse(row.content) as { event_id?: unknown }).event_id
    if (typeof marked !== 'string') return true
    const before = await this.#store.events.byId(marked)
    return before?.room !== room || before.arrival === null || before.arrival < arrival
  }

  /**
   * Whether a receipt for the event may say this thread: it is in the thread, or is its root, or relates to one of
   * these. https://spec.matrix.org/v1.19/client-server-api/#threaded-read-receipts
   */
  async #isInThread(room: number, event: EventRow, thread: string): Promise<boolean> {
    let at: EventRow | undefined = event
    for (let hops = 0; hops <= THREAD_HOPS_MAX && at?.room === room; hops++) {
      if (at.eventId === thread) return true
      const relation = relationIn(at)
      if (relation?.relType === THREAD) return relation.target === thread
      if (!relation) return thread === MAIN
      at = await this.#store.events.byId(relation.target)
    }
    return thread === MAIN
  }

  /**
   * Receipts of a room that moved in (after, upto] and that the reader may see, newest first: at most
   * RECEIPTS_PER_ROOM_MAX, and the reader's own in any case. Those that are not kept come from `reads`, if given.
   */
  async since(
    room: number,
    reader: string,
    after: number,
    upto: number,
    reads?: Store,
  ): Promise<ReceiptRow[]> {
    const visible = (row: ReceiptRow): boolean => row.kind === 'm.read' || row.user === reader
    const recent = this.#recent.since(room, after, upto)
    if (recent) return recent.filter(visible)
    if (!reads) {
      /* Most rooms have few, which are read here; many are read on another thread. */
      const newest = await this.#store.receipts.newest(room, after, upto, RECEIPTS_FEW)
      if (newest.length < RECEIPTS_FEW) return newest.filter(visible)
    }
    const { receipts } = reads ?? this.#store
    const rows = await receipts.since(room, reader, after, upto, RECEIPTS_PER_ROOM_MAX)
    if (rows.length < RECEIPTS_PER_ROOM_MAX) return rows
    const known = new Set(rows.map((row) => row.position))
    const own = (await this.#store.receipts.ofUser(reader, room)).filter(
      (row) => row.position > after && row.position <= upto && !known.has(row.position),
    )
    return [...rows, ...own]
  }
}

/** The relation of a stored event; undefined where there is none that can be read. */
function relationIn(row: EventRow): Relation | undefined {
  const event = readJson(row.json, 'lenient')
  const content = event.ok && isObject(event.value) ? member(event.value, 'content') : undefined
  return isObject(content) ? relationOf(content) : undefined
}
