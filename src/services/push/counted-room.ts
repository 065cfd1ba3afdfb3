/** The newest events of a room as they count, and the counts of its readers. */
import type { CountedEvent, CountsToKeep, RoomCounts } from '#/ports/store/push.ts'
import type { ReceiptRow } from '#/ports/store/receipts.ts'
import { outcomeFor } from '#/protocol/push-rules/profile.ts'
import { MAIN_THREAD } from '#/protocol/push-rules/thread.ts'
import { COUNTED_EVENTS_KEPT, COUNTED_READERS_MAX, COUNTED_THREADS_MAX } from './limits.ts'

interface Recent {
  readonly position: number
  readonly thread: string
  readonly kind: number
  readonly readBy: string | undefined
  /** What became of it for users for whom that is not what their profile makes of the kind: 0, 1 or 2. */
  readonly levels: ReadonlyMap<string, number> | undefined
}

/** What is kept of one reader; only the position, of which the counts are, while the store is asked for them. */
interface Reader {
  position: number
  counts: RoomCounts | undefined
  profile: string
  roomProfile: string
  /** Threads that were looked at, some of them perhaps twice. */
  threads: number
}

const NONE = { notifications: 0, highlights: 0 }

export class CountedRoom {
  /** Every event behind it is in `#events`. */
  #floor: number
  /** Ascending by position. */
  readonly #events: Recent[] = []
  readonly #readers = new Map<string, Reader>()
  /** How many things are kept. */
  weight = 1

  /** @param floor position up to which events were told already */
  constructor(floor: number) {
    this.#floor = floor
  }

  /** Counts of a reader at a position; undefined when they are not known. */
  counts(user: string, upto: number): RoomCounts | undefined {
    const reader = this.#readers.get(user)
    if (reader?.counts === undefined || reader.position > upto) return undefined
    this.#bring(user, reader, upto)
    return reader.counts
  }

  /**
   * Begins to ask the store for a reader's counts. What this returns takes the answer, unless what it depends on has
   * changed meanwhile.
   */
  ask(user: string): (position: number, found: CountsToKeep) => void {
    const asked = { position: 0, counts: undefined, profile: '', roomProfile: '', threads: 0 }
    this.#drop(user)
    if (this.#readers.size >= COUNTED_READERS_MAX) this.#drop(this.#readers.keys().next().value!)
    this.#readers.set(user, asked)
    this.weight++
    return (position, { counts, profile, roomProfile, threads }) => {
      if (this.#readers.get(user) !== asked) return
      if (position < this.#floor || threads > COUNTED_THREADS_MAX) this.#drop(user)
      else Object.assign(asked, { position, counts, profile, roomProfile, threads })
    }
  }

  /** A live event came; `counted` is undefined for one that counts for nobody. */
  add(position: number, counted: CountedEvent | undefined): void {
    if (position <= this.#floor || counted === undefined) return
    const { thread, kind, readBy, actions } = counted
    const levels =
      actions.length === 0
        ? undefined
        : new Map(actions.map(({ user, notify, highlight }) => [user, notify ? (highlight ? 2 : 1) : 0]))
    this.#events.push({ position, thread, kind, readBy, levels })
    this.weight += 1 + (levels?.size ?? 0)
    if (this.#events.length <= COUNTED_EVENTS_KEPT) return
    const oldest = this.#events.shift()!
    this.weight -= 1 + (oldest.levels?.size ?? 0)
    this.#floor = oldest.position
  }

  /** Somebody has read further, mostly up to the newest event: then nothing is left unread. */
  read({ user, thread, event }: ReceiptRow): void {
    const reader = this.#readers.get(user)
    if (!reader) return
    const last = this.#events.at(-1)?.position ?? this.#floor
    if (event >= last) this.#bring(user, reader, last)
    const { counts } = reader
    if (counts === undefined || event < last) this.#drop(user)
    else if (thread === '') reader.counts = { room: counts.room, main: NONE, threads: [] }
    else reader.counts = readThread(counts, thread)
  }

  /** What is unread must be counted anew, for a user or for all. */
  forget(user: string | undefined): void {
    if (user !== undefined) this.#drop(user)
    else for (const each of [...this.#readers.keys()]) this.#drop(each)
  }

  #drop(user: string): void {
    if (this.#readers.delete(user)) this.weight--
  }

  /** Adds the events up to a position to a reader's counts, or lets go of them where that cannot be done. */
  #bring(user: string, reader: Reader, upto: number): void {
    if (reader.counts === undefined || reader.position >= upto) return
    if (reader.position < this.#floor) {
      reader.counts = undefined
      this.#drop(user)
      return
    }
    let at = this.#events.length
    while (at > 0 && this.#events[at - 1]!.position > reader.position) at--
    for (; at < this.#events.length && this.#events[at]!.position <= upto; at++) {
      const event = this.#events[at]!
      reader.counts = countsWith(user, reader, reader.counts, event)
      if (event.thread !== MAIN_THREAD) reader.threads++
    }
    reader.position = upto
    /* The store looks at no more than so many threads, so these counts would differ from its. */
    if (reader.threads > COUNTED_THREADS_MAX) this.#drop(user)
  }
}

function countsWith(user: string, reader: Reader, counts: RoomCounts, event: Recent): RoomCounts {
  const { thread, kind, readBy, levels } = event
  if (readBy === user) return readThread(counts, thread)
  const level = levels?.get(user) ?? outcomeFor(kind, reader.profile, reader.roomProfile)
  const known = counts.threads.find((each) => each.thread === thread)
  if (level === 0 && !known) return counts
  const add = ({ notifications, highlights }: typeof NONE) => ({
    notifications: notifications + (level > 0 ? 1 : 0),
    highlights: highlights + (level > 1 ? 1 : 0),
  })
  if (thread === MAIN_THREAD) return { ...counts, main: add(counts.main) }
  const others = counts.threads.filter((each) => each !== known)
  return { ...counts, threads: [{ thread, ...add(known ?? NONE) }, ...others] }
}

function readThread(counts: RoomCounts, thread: string): RoomCounts {
  if (thread === MAIN_THREAD) return { ...counts, main: NONE }
  return { ...counts, threads: counts.threads.filter((each) => each.thread !== thread) }
}
