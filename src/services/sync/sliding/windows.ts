/** Which rooms a request names, and what is to be told of each of them. */
import { type Clock, turn } from '#/base/world.ts'
import type { RoomFactsRow } from '#/ports/store/room-facts.ts'
import { type ActiveUser, type KnownMembership, MOVED } from '../active-user.ts'
import type { Connection, SentRoom } from './connections.ts'
import type { FactsCache } from './facts-cache.ts'
import type { Labels } from './labels.ts'
import { type Hiding, isHidden, isListed, type ListView, newsOf, shownTo } from './list-view.ts'
import type { ListRequest, RoomConfig, RoomWish, SlidingRequest } from './request.ts'
import { RequiredState } from './required-state.ts'

/** A list of the request with its rooms. */
export interface Window {
  readonly name: string
  readonly list: ListRequest
  readonly view: ListView
  /** Inclusive, ascending, without overlap. */
  readonly ranges: readonly (readonly [number, number])[]
}

/** A room that may have something to tell. */
export interface Candidate {
  readonly room: number
  readonly known: KnownMembership
  readonly facts: RoomFactsRow
  readonly config: RoomConfig
  readonly sent: SentRoom | undefined
  readonly lists: readonly string[]
  readonly direct: boolean
  /** The user is invited again, and is not to see it: what is told ends where they left. */
  readonly endsAtLeaving?: boolean
  /** The same, and for the user their knock still stands: `known` is it. */
  readonly knocks?: boolean
}

export interface Sight {
  readonly request: SlidingRequest
  readonly user: ActiveUser
  readonly connection: Connection
  readonly windows: readonly Window[]
  /** Row ids of the subscribed rooms that the user knows, with the wish. */
  readonly subscribed: ReadonlyMap<number, RoomWish>
  readonly labels: Labels
  /** Ids of users whose messages the user does not see. */
  readonly ignored: ReadonlySet<string>
  readonly hiding: Hiding
  /** Events of a timeline at most. */
  readonly timelineMax: number
  readonly facts: FactsCache
  /** Text of lists and subscriptions. */
  readonly config: string
}

const WHOLE = [[0, Number.MAX_SAFE_INTEGER]] as const

/** Ranges in order, joined where they touch. */
export function joinedRanges(ranges: ListRequest['ranges']): readonly (readonly [number, number])[] {
  if (ranges === undefined) return WHOLE
  const joined: [number, number][] = []
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1)
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined
}

/** Rooms looked at before others get their turn. */
const ROOMS_PER_TURN = 5000

/**
 * Rooms that the client may have to hear of, in the order of the lists. Costs the rooms that changed where the request
 * is the same as before and everything in sight was told; else the rooms in sight.
 */
export async function candidates(sight: Sight, clock: Clock): Promise<Candidate[]> {
  const { connection, user } = sight
  const { told } = connection
  const moved = told.position > 0 ? user.movedSince(told.position) : undefined
  const changed = moved && new Set(moved.keys())
  /* Which rooms are direct may have changed of rooms without news of their own. */
  const labelled = sight.labels.version > told.position
  const same = told.settled && told.config === sight.config && changed !== undefined && !labelled
  const ordered = sight.windows.every(
    ({ ranges, view }) => view.loosenedAt <= told.position && ranges.length === 1 && ranges[0]![0] === 0,
  )
  const rules = new Rules(sight)
  const inSight = same && ordered ? rules.among(changed) : rules.all()
  const gone = changed ?? [...connection.rooms].map(([room]) => room)
  const found: Candidate[] = []
  /* First, so that they are not among those for which the answer has no room. */
  for (const room of gone) {
    const candidate = inSight.has(room) ? undefined : rules.left(room)
    if (candidate) found.push(candidate)
  }
  let count = 0
  for (const [room, indexes] of inSight) {
    if (++count % ROOMS_PER_TURN === 0) await turn(clock)
    const candidate = rules.candidate(room, indexes)
    /* A receipt of the reader's own changes what is unread. */
    const read = ((moved?.get(room) ?? 0) & MOVED.counts) !== 0
    if (candidate && (read || hasNews(candidate))) found.push(candidate)
  }
  return found
}

/** Whether the client may have to hear of a room. */
function hasNews({ sent, known, facts, config, direct }: Candidate): boolean {
  if (sent === undefined || sent.membership !== known.membership) return true
  if (newsOf(known, facts) > sent.upto) return true
  if (known.membership === 'leave' || known.membership === 'ban') return false
  if (sent.direct !== direct) return true
  if (known.membership !== 'join') return false
  return config.timelineLimit > sent.timelineLimit || config.required.key !== sent.required.key
}

/** The request's lists and subscriptions, numbered, with the union of the wishes of any of them. */
class Rules {
  readonly #sight: Sight
  readonly #wishes: readonly RoomWish[]
  readonly #configs = new Map<string, RoomConfig>()

  constructor(sight: Sight) {
    this.#sight = sight
    this.#wishes = [...sight.windows.map(({ list }) => list), ...sight.subscribed.values()]
  }

  /** Every room in sight with the numbers of its rules. */
  all(): Map<number, number[]> {
    const found = new Map<number, number[]>()
    const add = (room: number, index: number): void => {
      const indexes = found.get(room)
      if (indexes) indexes.push(index)
      else found.set(room, [index])
    }
    for (const [index, { view, ranges }] of this.#sight.windows.entries()) {
      for (const [from, to] of ranges) for (const room of view.order.between(from, to)) add(room, index)
    }
    let index = this.#sight.windows.length
    for (const room of this.#sight.subscribed.keys()) add(room, index++)
    return found
  }

  /** Those of some rooms that are in sight. */
  among(rooms: Iterable<number>): Map<number, number[]> {
    const found = new Map<number, number[]>()
    const { windows, subscribed } = this.#sight
    const subscriptions = [...subscribed.keys()]
    for (const room of rooms) {
      const indexes: number[] = []
      for (const [index, { view, ranges }] of windows.entries()) {
        const rank = view.order.rank(room)
        if (rank !== undefined && ranges.some(([from, to]) => rank >= from && rank <= to)) indexes.push(index)
      }
      if (subscribed.has(room)) indexes.push(windows.length + subscriptions.indexOf(room))
      if (indexes.length > 0) found.set(room, indexes)
    }
    return found
  }

  candidate(room: number, indexes: readonly number[]): Candidate | undefined {
    const { user, facts, connection, labels, windows, hiding } = this.#sight
    const known = user.memberships.get(room)
    const own = facts.peek(room)
    const shown = known && shownTo(known, hiding)
    if (!shown || !own || known.forgotten) return undefined
    const lists = indexes.filter((index) => index < windows.length).map((index) => windows[index]!.name)
    const config = this.#config(indexes)
    const direct = labels.direct.has(known.roomId)
    const knocks = shown !== known
    return { room, known: shown, knocks, facts: own, config, sent: connection.room(room), lists, direct }
  }

  /** A room that the client knows and the user left: that it was left is told wherever it stood. */
  left(room: number): Candidate | undefined {
    const { user, facts, connection, labels, hiding } = this.#sight
    const sent = connection.room(room)
    const known = user.memberships.get(room)
    const own = facts.peek(room)
    if (!sent || !known || !own) return undefined
    /* Behind the leaving may be an invite that is hidden. */
    const unseen = known.membership === 'invite' && known.position > sent.upto && isHidden(known, hiding)
    const endsAtLeaving = unseen && sent.membership !== 'leave' && sent.membership !== 'ban'
    /* A stay may have begun and ended since the leaving that was told. */
    const told = sent.membership === known.membership && sent.upto >= known.position
    if (!endsAtLeaving && told) return undefined
    if (!endsAtLeaving && (isListed(known) || known.membership !== 'leave')) return undefined
    const timelineLimit = Math.max(1, Math.min(sent.timelineLimit, this.#sight.timelineMax))
    const config = { timelineLimit, required: sent.required }
    const direct = labels.direct.has(known.roomId)
    return { room, known, facts: own, config, sent, lists: [], direct, endsAtLeaving }
  }

  #config(indexes: readonly number[]): RoomConfig {
    const key = indexes.join(' ')
    const known = this.#configs.get(key)
    if (known) return known
    const wishes = indexes.map((index) => this.#wishes[index]!)
    const limit = Math.max(...wishes.map((wish) => wish.timelineLimit))
    const config = {
      timelineLimit: Math.min(limit, this.#sight.timelineMax),
      required: this.#sight.connection.shared(new RequiredState(wishes.map((wish) => wish.state))),
    }
    this.#configs.set(key, config)
    return config
  }
}
