/** What one client knows of one room from its syncs: stretches of the timeline, the state, the counts. */
import { SimFailure } from './sim-world.ts'

// biome-ignore lint/suspicious/noExplicitAny: events are whatever the server said
export type ClientEvent = any

/** Events that follow each other, oldest first. */
export interface Stretch {
  readonly events: string[]
  /** Token from which what lies before can be read; undefined when nothing is missing there. */
  gap: string | undefined
}

export interface Unread {
  readonly notifications: number
  readonly highlights: number
  /** By root, where the client asked for it. */
  readonly threads: ReadonlyMap<string, { readonly notifications: number; readonly highlights: number }>
}

const NONE_UNREAD: Unread = { notifications: 0, highlights: 0, threads: new Map() }

export class RoomView {
  readonly roomId: string
  readonly who: string
  membership: 'join' | 'leave' = 'join'
  readonly stretches: Stretch[] = []
  readonly #known = new Set<string>()
  /** Events of timelines that are state, and may be there as such alone: history need not show them again. */
  readonly #states = new Set<string>()
  /** Event ids by `type NUL state_key`. */
  state = new Map<string, string>()
  /** Senders of events that came in timelines of syncs. */
  readonly senders = new Set<string>()
  summary: { joined?: number; invited?: number } = {}
  /** Whom the room is named after, as it was told last; undefined where it has a name. */
  heroes: readonly string[] | undefined
  accountData = new Map<string, string>()
  /** Event ids by `kind NUL user NUL thread`. */
  readonly receipts = new Map<string, string>()
  /** Kind, user and event of every receipt that was told, of any thread, also those that have moved on since. */
  readonly receiptPlaces = new Set<string>()
  typing: readonly string[] = []
  unread: Unread = NONE_UNREAD
  /** Position of the server when the client began to follow the room. */
  since = 0
  /** What sliding sync says of the room besides. */
  name: string | undefined
  direct = false
  /** Set when history before a gap was refused. */
  unreadable = false
  /** Set when the user was in the room and out again between two syncs; what they may see of it is not kept. */
  missedStay = false

  /** Whether events that the client knows may be missing in what is read again: ignored, or purged. */
  readonly #lossy: () => boolean

  constructor(roomId: string, who: string, lossy: () => boolean) {
    this.roomId = roomId
    this.who = who
    this.#lossy = lossy
  }

  /**
   * Takes the timeline of a sync. `fresh`: the room was not joined for this client before; `again`: the user's member
   * event changed, so that they may have left and come back meanwhile, and the server may tell all anew.
   */
  takeTimeline(
    timeline: { events: ClientEvent[]; limited: boolean; prev_batch: string },
    { fresh, again, initial }: { fresh: boolean; again: boolean; initial: boolean },
  ): void {
    for (const event of timeline.events) {
      this.senders.add(event.sender)
      if (event.state_key !== undefined) this.#states.add(event.event_id)
    }
    let ids = timeline.events.map((event) => event.event_id as string)
    if (fresh || (again && timeline.limited)) {
      const overlap = this.#overlap(ids)
      if (overlap > 0) {
        ids = ids.slice(overlap)
        for (const id of ids) this.#learn(id)
        this.stretches.at(-1)!.events.push(...ids)
        return
      }
    }
    for (const id of ids) this.#learn(id)
    const last = this.stretches.at(-1)
    if (timeline.limited) this.stretches.push({ events: ids, gap: timeline.prev_batch })
    else if (last) last.events.push(...ids)
    else {
      if (fresh && !initial)
        throw this.#wrong('a room that is new to the client came without a gap before it')
      this.stretches.push({ events: ids, gap: undefined })
    }
  }

  /**
   * The newest events of a room that is joined anew may begin with some that were known from before. How many that are
   * the last ones known.
   */
  #overlap(ids: readonly string[]): number {
    const count = ids.findLastIndex((id) => this.#known.has(id)) + 1
    const tail = count === 0 ? [] : this.flat().slice(-count)
    if (tail.join() === ids.slice(0, count).join()) return count
    const repeated = ids.filter((id) => this.#known.has(id))
    const before = this.flat().filter((id) => repeated.includes(id))
    if (repeated.join() !== before.join() && !this.#lossy())
      throw this.#wrong('a room joined anew repeats old events in another order')
    /* Of refused invites a client knows single events: it begins anew, and reads what lies between. */
    this.stretches.length = 0
    this.#known.clear()
    return 0
  }

  /** The user is in the room anew. */
  beginStay(): void {
    this.state = new Map()
    this.senders.clear()
    this.accountData.clear()
    this.receipts.clear()
    this.receiptPlaces.clear()
    this.typing = []
    this.unread = NONE_UNREAD
    this.missedStay = false
    this.unreadable = false
  }

  /** The newest events, some of which may be known: they take the place of what is known from there on. */
  expand(events: readonly ClientEvent[], limited: boolean, prev: string): void {
    const ids = events.map((event) => event.event_id as string)
    const repeated = ids.filter((id) => this.#known.has(id))
    const flat = this.flat()
    if (repeated.join() !== flat.slice(flat.length - repeated.length).join() && !this.#lossy()) {
      throw this.#wrong('a longer timeline is not the newest that the client has')
    }
    const cut = this.stretches.findIndex((stretch) => stretch.events.some((id) => ids.includes(id)))
    if (cut >= 0) {
      const { events: known } = this.stretches[cut]!
      known.length = known.findIndex((id) => ids.includes(id))
      this.stretches.length = cut + 1
    }
    /* The gap before the new stretch is the one before those that went. */
    while (this.stretches.at(-1)?.events.length === 0) this.stretches.pop()
    for (const id of ids) this.#known.add(id)
    this.stretches.push({ events: ids, gap: limited ? prev : undefined })
    if (!limited && flat.length > repeated.length && !this.#lossy()) {
      throw this.#wrong('a longer timeline claims to be the whole, and the client knows more')
    }
    if (!limited) this.stretches.splice(0, this.stretches.length - 1)
  }

  /** An `m.receipt` or `m.typing` event. */
  takeEphemeral({ type, content }: ClientEvent, reader: string): void {
    if (type === 'm.typing') {
      this.typing = content.user_ids
      return
    }
    if (type !== 'm.receipt') throw this.#wrong(`${type} is not ephemeral`)
    for (const [eventId, kinds] of Object.entries<ClientEvent>(content)) {
      for (const [kind, users] of Object.entries<ClientEvent>(kinds)) {
        for (const [user, data] of Object.entries<ClientEvent>(users)) {
          if (kind !== 'm.read' && user !== reader) throw this.#wrong(`got the ${kind} receipt of ${user}`)
          this.receipts.set(`${kind}\0${user}\0${data.thread_id ?? ''}`, eventId)
          this.receiptPlaces.add(`${kind}\0${user}\0${eventId}`)
        }
      }
    }
  }

  takeUnread(sum: ClientEvent, threads: ClientEvent = {}): void {
    const of = (counts: ClientEvent) => ({
      notifications: counts.notification_count as number,
      highlights: counts.highlight_count as number,
    })
    const byRoot = Object.entries<ClientEvent>(threads).map(([root, counts]) => [root, of(counts)] as const)
    this.unread = { ...of(sum), threads: new Map(byRoot) }
  }

  takeState(events: readonly ClientEvent[]): void {
    for (const event of events) {
      if (event.state_key !== undefined) this.state.set(`${event.type}\0${event.state_key}`, event.event_id)
    }
  }

  /** Drops the members that were loaded lazily, as clients do at a gap. */
  forgetMembers(except: (user: string) => boolean): void {
    for (const key of this.state.keys()) {
      const [type, stateKey = ''] = key.split('\0')
      if (type === 'm.room.member' && !except(stateKey)) this.state.delete(key)
    }
    this.senders.clear()
  }

  /** Puts a page of history (newest first) before a stretch. Returns whether the gap is closed. */
  fill(stretch: Stretch, page: readonly string[], end: string | undefined): boolean {
    const earlier = this.stretches.slice(0, this.stretches.indexOf(stretch))
    const events = earlier.flatMap((one) => one.events)
    const firm = events.findLastIndex((id) => !this.#states.has(id))
    for (const id of page) {
      if (this.#known.has(id)) {
        const at = events.indexOf(id)
        if (at < Math.max(firm, 0) && !this.#lossy()) throw this.#wrong(`history before a gap repeats ${id}`)
        if (at < events.length - 1) this.#cutBehind(id, stretch)
        this.#close(this.stretches.indexOf(stretch))
        return true
      }
      this.#learn(id)
      stretch.events.unshift(id)
    }
    stretch.gap = end
    if (end !== undefined) return false
    if (firm >= 0 && !this.#lossy()) throw this.#wrong(`history ended without meeting ${events[firm]}`)
    /* All that is left of what came earlier is in this stretch now. */
    this.stretches.splice(0, earlier.length)
    this.#close(this.stretches.indexOf(stretch))
    return true
  }

  /** Drops what lies between an event of an earlier stretch and a stretch: it is gone, or ignored. */
  #cutBehind(id: string, stretch: Stretch): void {
    const index = this.stretches.indexOf(stretch)
    const at = this.stretches.findIndex((one) => one.events.includes(id))
    /* It was dropped itself, with others that came before it. */
    if (at < 0) return
    if (at >= index) throw this.#wrong(`history before a gap repeats ${id}, which is behind it`)
    const { events } = this.stretches[at]!
    events.length = events.indexOf(id) + 1
    this.stretches.splice(at + 1, index - at - 1)
  }

  /** Nothing is missing before a stretch, nor before those that are empty in front of it. */
  #close(index: number): void {
    for (let i = index; i >= 0; i--) {
      const stretch = this.stretches[i]!
      if (i < index && stretch.events.length > 0) return
      stretch.gap = undefined
    }
  }

  #learn(id: string): void {
    if (this.#known.has(id)) throw this.#wrong(`${id} came a second time`)
    this.#known.add(id)
  }

  /** All events in order; gaps that are still open are simply left out. */
  flat(): string[] {
    return this.stretches.flatMap((stretch) => stretch.events)
  }

  get complete(): boolean {
    return (
      !this.unreadable && !this.missedStay && this.stretches.every((stretch) => stretch.gap === undefined)
    )
  }

  #wrong(what: string): SimFailure {
    return new SimFailure(`${this.who} in ${this.roomId}: ${what}`)
  }
}
