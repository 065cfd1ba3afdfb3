/**
 * Unread counts of those who ask for them again and again, kept ready: each event behind the last question is added to
 * them as the store would count it. Whatever else changes them lets go of them, and the store is asked again. What is
 * lost here costs a read. See docs/decisions/0008-counts.md.
 */
import { WeightedLru } from '#/base/weighted-lru.ts'
import type { Change } from '#/ports/store/plan.ts'
import type { PushReader, RoomCounts } from '#/ports/store/push.ts'
import type { Store } from '#/ports/store/store.ts'
import { CountedRoom } from './counted-room.ts'
import { COUNTS_KEPT_MAX } from './limits.ts'

export class KnownCounts {
  readonly #store: Store
  readonly #rooms = new WeightedLru<number, CountedRoom>(COUNTS_KEPT_MAX)
  readonly #stop: () => void

  constructor(store: Store) {
    this.#store = store
    this.#stop = store.onChange((changes) => {
      for (const change of changes) this.#take(change)
    })
  }

  close(): void {
    this.#stop()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** As `PushReader.counts`. */
  readonly counts: PushReader['counts'] = async (user, nid, upto, overBefore) => {
    const { push } = this.#store
    /* What is over moves with the time. */
    if (overBefore !== undefined) return push.counts(user, nid, upto, overBefore)
    return this.known(user, nid, upto) ?? this.#ask(user, nid, upto)
  }

  /** The same without a wait, where they are kept. */
  known(user: string, nid: number, upto: number): RoomCounts | undefined {
    return this.#rooms.get(nid)?.counts(user, upto)
  }

  async #ask(user: string, nid: number, upto: number): Promise<RoomCounts> {
    const room = this.#rooms.get(nid) ?? new CountedRoom(this.#store.position())
    const keep = room.ask(user)
    this.#rooms.set(nid, room, room.weight)
    const found = await this.#store.push.countsToKeep(user, nid, upto)
    keep(upto, found)
    return found.counts
  }

  #take({ stream, room: nid, user, position, event, counted, receipt }: Change): void {
    if (stream === 'counts') {
      this.#forget(nid, user)
      return
    }
    const room = nid === undefined ? undefined : this.#rooms.peek(nid)
    if (!room || nid === undefined) return
    if (stream === 'events') {
      if (event === undefined) throw new Error('an event change without its event: another process wrote it')
      room.add(position, counted)
      this.#rooms.weigh(nid, room.weight)
    } else if (stream === 'receipts' && receipt) room.read(receipt)
    else if (stream === 'rooms') this.#forget(nid, undefined)
  }

  #forget(nid: number | undefined, user: string | undefined): void {
    const rooms = nid === undefined ? [...this.#rooms.keys()] : [nid]
    for (const each of rooms) {
      /* Whoever asks just now holds the room, and must find that what comes is not to be kept. */
      this.#rooms.peek(each)?.forget(user)
      if (user === undefined) this.#rooms.delete(each)
    }
  }
}
