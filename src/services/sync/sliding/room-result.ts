/** One room of an answer: what the client does not know of it yet. */
import type { EventRow } from '#/ports/store/events.ts'
import type { RoomFactsRow } from '#/ports/store/room-facts.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import { roomCounts, sumOf } from '../../push/counts.ts'
import type { ClientEvents, Viewer } from '../../rooms/read/client-events.ts'
import type { ReadStore } from '../../rooms/read/expiry.ts'
import { visibleTo } from '../../rooms/read/visibility.ts'
import type { KnownMembership } from '../active-user.ts'
import type { Feed } from '../feed.ts'
import { stayedSince, wasJoined } from '../own-membership.ts'
import type { StateCache } from '../state-cache.ts'
import { prevBatch } from '../v3/room-section.ts'
import type { Summaries } from '../v3/summary.ts'
import { type ReadNewest, readTimeline } from '../v3/timeline.ts'
import type { SentRoom } from './connections.ts'
import type { FactsCache } from './facts-cache.ts'
import { MEMBERS_TOLD_MAX } from './limits.ts'
import type { RoomConfig } from './request.ts'
import { changedBetween, nameOf, type StateKey, stateAt, wildKeys } from './room-state.ts'
import { strippedResult } from './stripped-result.ts'

export interface ResultDeps {
  readonly store: ReadStore
  readonly feed: Feed
  readonly facts: FactsCache
  readonly clientEvents: ClientEvents
  readonly summaries: Summaries
  readonly stateCache: StateCache
}

/** What is asked of one room. */
export interface RoomAsk {
  readonly viewer: Viewer
  readonly room: number
  /** The reader's membership at `now`. */
  readonly known: KnownMembership
  readonly facts: RoomFactsRow
  readonly rules: RoomVersionRules
  readonly config: RoomConfig
  /** What the client knows; undefined for nothing. */
  readonly sent: SentRoom | undefined
  /** Lists in whose ranges the room is. */
  readonly lists: readonly string[]
  readonly direct: boolean
  /** Ids of users whose messages the reader does not see. */
  readonly ignored: ReadonlySet<string>
  /** Inclusive end of what is told. */
  readonly now: number
  /** Position of the answer before; events after it have just occurred. Undefined for the first. */
  readonly before: number | undefined
  /** Names of members as the merged proposal has them. */
  readonly stable: boolean
}

export interface RoomResult {
  /** Members of the room's object as JSON texts; undefined when there is nothing to tell. */
  readonly parts: readonly string[] | undefined
  readonly sent: SentRoom
  /** Events of the timeline. */
  readonly shown?: readonly EventRow[]
  /** Whether the room is told from the beginning, so that the client drops what it had of it. */
  readonly initial?: boolean
}

/** What an answer tells of a room, and what the connection then knows of it. */
export async function roomResult(deps: ResultDeps, ask: RoomAsk): Promise<RoomResult> {
  const { known, sent } = ask
  if (known.membership === 'invite' || known.membership === 'knock') return strippedResult(deps.store, ask)
  if (known.membership === 'join') return new Update(deps, ask, ask.now).result()
  const told = sent !== undefined && sent.membership === known.membership && sent.upto >= known.position
  if (told) return { parts: undefined, sent }
  /* Of a room that was left, nothing after the leaving is told (adv-52). */
  const update = new Update(deps, ask, known.position)
  const { userId } = ask.viewer
  if (await wasJoined(deps.store, userId, ask.room, known.position - 1)) return update.result()
  return update.outside()
}

interface Timeline {
  /** Oldest first. */
  readonly rows: readonly EventRow[]
  readonly limited: boolean
  /** The reader's membership at events, where it is not known from elsewhere. */
  readonly memberships?: ReadonlyMap<number, string>
}

const MEMBER = 'm.room.member'
const NOBODY: ReadonlySet<string> = new Set()

/** No event is filtered out. */
const EVERYTHING = {
  passesAll: true,
  passesNone: false,
  passes: () => true,
  passesRoom: () => true,
  lazyLoadMembers: false,
  includeRedundantMembers: false,
  relatedBy: undefined,
} as const
const NAME: StateKey = ['m.room.name', '']
const AVATAR: StateKey = ['m.room.avatar', '']

/** Makes the result of a room that the reader is or was in. */
class Update {
  readonly #deps: ResultDeps
  readonly #ask: RoomAsk
  /** Inclusive end of what the reader may know. */
  readonly #end: number
  readonly #joined: boolean
  /** What the client knows and goes on from; undefined when the room is told from the beginning. */
  #from: SentRoom | undefined
  readonly #parts: string[] = []
  #unread: string | undefined

  constructor(deps: ResultDeps, ask: RoomAsk, end: number) {
    this.#deps = deps
    this.#ask = ask
    this.#end = end
    this.#joined = ask.known.membership === 'join'
  }

  async result(): Promise<RoomResult> {
    const { sent, known, viewer, room, config } = this.#ask
    const { store } = this.#deps
    if (sent?.membership === 'join') {
      if (await stayedSince(store, viewer.userId, room, known, sent.upto)) this.#from = sent
    }
    const expanded = this.#from !== undefined && config.timelineLimit > this.#from.timelineLimit
    const timeline = await this.#timeline(expanded)
    const changed = await this.#changedKeys(timeline)
    const { events, gone, members } = await this.#state(timeline, changed)
    await this.#describe(changed, events)
    const isNew = new Set(changed.map(nameOf))
    const wanted = [...events.values()].filter((row) => this.#isWanted(row, isNew, members)).sort(byPosition)
    await this.#put(timeline, wanted, gone, expanded)
    const next = this.#sentAfter(timeline, members, expanded)
    const initial = this.#from === undefined
    const quiet = this.#parts.length === 0 && timeline.rows.length === 0
    if (quiet && !initial && this.#joined) return { parts: undefined, sent: next }
    return { parts: [...this.#head(), ...this.#parts], sent: next, shown: timeline.rows, initial }
  }

  /** A room that the reader is out of without having been in it, by a refused invite or a ban: that event and no more. */
  async outside(): Promise<RoomResult> {
    const rows = await this.#deps.store.events.byNids([this.#end])
    const { required } = this.#ask.config
    const wanted = rows.filter((row) => required.matches(row.type, row.stateKey ?? ''))
    const timeline = { rows, limited: false }
    await this.#put(timeline, wanted, [], false)
    return { parts: [...this.#head(), ...this.#parts], sent: this.#sentAfter(timeline, new Set(), false) }
  }

  /** Members that every result has. */
  #head(): string[] {
    const { known, facts, lists } = this.#ask
    const bump = this.#joined ? facts.bump || facts.latest : known.position
    const parts = [`"bump_stamp":${bump}`, `"membership":${JSON.stringify(known.membership)}`]
    if (lists.length > 0) parts.push(`"lists":${JSON.stringify(lists)}`)
    if (this.#from === undefined) parts.push('"initial":true')
    return parts
  }

  async #timeline(expanded: boolean): Promise<Timeline> {
    const { room, facts, config, known } = this.#ask
    const after = this.#from === undefined || expanded ? 0 : this.#from.upto
    const news = this.#joined ? facts.latest : this.#end
    if (news <= after) return { rows: [], limited: false }
    const limit = config.timelineLimit
    const { feed } = this.#deps
    const newest: ReadNewest = (from, upto, count) => feed.newest(room, from, upto, count)
    const ignored = limit === 0 ? NOBODY : this.#ask.ignored
    const overBefore = limit === 0 ? undefined : await this.#deps.store.expiry?.before(room)
    const filter = { ...EVERYTHING, limit }
    const read = await readTimeline(newest, after, this.#end, filter, known.roomId, ignored, overBefore)
    return this.#from !== undefined && !expanded ? read : this.#visible(read)
  }

  /** Leaves out what is hidden; how the state is now the wanted state tells. */
  async #visible({ rows, limited }: Timeline): Promise<Timeline> {
    const first = rows[0]
    if (!first) return { rows, limited }
    const { known, viewer, rules } = this.#ask
    if (this.#joined && known.position <= first.nid) return { rows, limited }
    const seen = await visibleTo(this.#deps.store, rows, viewer.userId, rules)
    const memberships = new Map(seen.map(({ row, membership }) => [row.nid, membership]))
    if (!this.#joined) memberships.set(this.#end, known.membership)
    return { rows: rows.filter((row) => memberships.has(row.nid)), limited, memberships }
  }

  /** Whether the client holds, or is given, every event after what it knows. */
  #isWhole({ rows, limited }: Timeline, from: SentRoom): boolean {
    return !limited || (rows[0]?.nid ?? Number.POSITIVE_INFINITY) <= from.upto
  }

  /** Keys of the state that changed since what the client knows. */
  async #changedKeys(timeline: Timeline): Promise<StateKey[]> {
    const from = this.#from
    if (from === undefined) return []
    const { room, facts } = this.#ask
    if (this.#joined && facts.latest <= from.upto) return []
    if (this.#isWhole(timeline, from)) {
      return timeline.rows
        .filter((row) => row.nid > from.upto && row.stateKey !== null)
        .map((row) => [row.type, row.stateKey ?? ''] as const)
    }
    const changes = await changedBetween(this.#deps.store, room, from.upto, this.#end)
    return changes.map(({ type, stateKey }) => [type, stateKey] as const)
  }

  /** Events of the wanted state that the client does not have, and those that describe the room. */
  async #state(
    timeline: Timeline,
    changed: readonly StateKey[],
  ): Promise<{ events: Map<string, EventRow>; gone: StateKey[]; members: Set<string> }> {
    const { room, config } = this.#ask
    const { required } = config
    const from = this.#from
    const keys: StateKey[] = []
    if (from === undefined) keys.push(NAME, AVATAR, ...(await this.#allKeys()))
    else {
      keys.push(...changed.filter((key) => isDescription(key) || required.matches(...key)))
      if (changed.some(isMemberKey)) keys.push(NAME)
      if (from.required.key !== required.key) {
        keys.push(...(await this.#allKeys()).filter(([type, key]) => !from.required.matches(type, key)))
      }
    }
    const members = this.#lazyMembers(timeline, changed)
    for (const user of members) keys.push([MEMBER, user])
    if (keys.length === 0) return { events: new Map(), gone: [], members }
    const events = await stateAt(this.#deps.store, room, this.#end, keys)
    const gone = changed.filter((key) => required.matches(...key) && !events.has(nameOf(key)))
    return { events, gone, members }
  }

  async #allKeys(): Promise<StateKey[]> {
    const { required } = this.#ask.config
    const { store, facts } = this.#deps
    return [...required.exact, ...(await wildKeys(store, facts, this.#ask.room, this.#end, required))]
  }

  /** Members whom the timeline names and the client was not told, and all that changed where there is no gap. */
  #lazyMembers(timeline: Timeline, changed: readonly StateKey[]): Set<string> {
    const members = new Set<string>()
    if (!this.#ask.config.required.lazyMembers) return members
    const from = this.#from
    const told = timeline.limited ? undefined : from?.members
    for (const row of timeline.rows) {
      if (!told?.has(row.sender)) members.add(row.sender)
      if (row.type === MEMBER && row.stateKey !== null) members.add(row.stateKey)
    }
    if (from && this.#isWhole(timeline, from)) {
      for (const [type, stateKey] of changed) if (type === MEMBER) members.add(stateKey)
    }
    return members
  }

  /** Whether the client wants an event and does not have it. */
  #isWanted(row: EventRow, changed: ReadonlySet<string>, members: ReadonlySet<string>): boolean {
    const { required } = this.#ask.config
    const stateKey = row.stateKey ?? ''
    if (row.type === MEMBER && members.has(stateKey)) return true
    if (!required.matches(row.type, stateKey)) return false
    const from = this.#from
    if (from === undefined || changed.has(nameOf([row.type, stateKey]))) return true
    return !from.required.matches(row.type, stateKey)
  }

  /** Name, avatar, heroes and counts, where they are new. */
  async #describe(changed: readonly StateKey[], events: ReadonlyMap<string, EventRow>): Promise<void> {
    const initial = this.#from === undefined
    const has = (key: StateKey): boolean => changed.some((other) => nameOf(other) === nameOf(key))
    const name = textIn(events.get(nameOf(NAME)), 'name')
    if (initial ? name !== undefined : has(NAME)) this.#parts.push(`"name":${JSON.stringify(name ?? null)}`)
    const avatar = textIn(events.get(nameOf(AVATAR)), 'url')
    if (initial ? avatar !== undefined : has(AVATAR)) {
      this.#parts.push(`"avatar":${JSON.stringify(avatar ?? null)}`)
    }
    const { direct, sent } = this.#ask
    if (initial ? direct : sent?.direct !== direct) this.#parts.push(`"is_dm":${direct}`)
    /* Of a room that was left, the present members are not the reader's to know. */
    if (!this.#joined) return
    if (initial || changed.some(isMemberKey) || has(NAME)) await this.#summary(name === undefined)
    await this.#notifications()
  }

  /** Unread counts, where they are other than those that were told. */
  async #notifications(): Promise<void> {
    const { stable, viewer, room, now } = this.#ask
    if (stable) return
    const { notifications, highlights } = sumOf(await roomCounts(this.#deps.store, viewer.userId, room, now))
    this.#unread = `"notification_count":${notifications},"highlight_count":${highlights}`
    if (this.#unread !== this.#from?.unread) this.#parts.push(this.#unread)
  }

  /** Counts of members, and who they are where the room has no name. */
  async #summary(withHeroes: boolean): Promise<void> {
    const { room, viewer } = this.#ask
    const { summaries, store } = this.#deps
    const summary = await summaries.ofNameless(room, viewer.userId)
    this.#parts.push(
      `"joined_count":${summary['m.joined_member_count']}`,
      `"invited_count":${summary['m.invited_member_count']}`,
    )
    const named = summary['m.heroes'] ?? []
    if (!withHeroes || named.length === 0) return
    const keys = named.map((user) => [MEMBER, user] as const)
    const events = await stateAt(store, room, this.#end, keys)
    const heroes = named.map((user) => {
      const event = events.get(nameOf([MEMBER, user]))
      return {
        user_id: user,
        displayname: textIn(event, 'displayname'),
        avatar_url: textIn(event, 'avatar_url'),
      }
    })
    this.#parts.push(`"heroes":${JSON.stringify(heroes)}`)
  }

  /** Timeline and state as texts. */
  async #put(
    timeline: Timeline,
    state: readonly EventRow[],
    gone: readonly StateKey[],
    expanded: boolean,
  ): Promise<void> {
    const { viewer, rules, before, stable } = this.#ask
    const { clientEvents, stateCache, store } = this.#deps
    const view = { rules, withoutRoomId: true }
    const texts = await stateCache.texts(state, rules)
    /* Of what is gone only the merged proposal knows how to tell. */
    if (stable) for (const [type, key] of gone) texts.push(JSON.stringify({ type, state_key: key }))
    if (texts.length > 0) this.#parts.push(`"required_state":[${texts.join(',')}]`)
    const { rows, limited, memberships } = timeline
    const initial = this.#from === undefined
    if (rows.length === 0 && !limited && !initial) return
    const atEnd = this.#joined ? 'join' : this.#ask.known.membership
    const membershipAt = (row: EventRow): string =>
      memberships?.get(row.nid) ?? (row.nid === this.#end ? atEnd : 'join')
    const shown = await clientEvents.view(rows, viewer, { ...view, membershipAt })
    const live = before === undefined ? 0 : rows.filter((row) => row.nid > before).length
    this.#parts.push(
      `"timeline":[${shown.join(',')}]`,
      `"limited":${limited}`,
      `"num_live":${live}`,
      `"prev_batch":${JSON.stringify(prevBatch(store, rows, this.#end))}`,
    )
    if (expanded) this.#parts.push(`"${stable ? '' : 'unstable_'}expanded_timeline":true`)
  }

  #sentAfter(timeline: Timeline, members: ReadonlySet<string>, expanded: boolean): SentRoom {
    const { config, known, direct } = this.#ask
    const from = this.#from
    const whole = from !== undefined && !timeline.limited
    /* Without lazy members their changes go untold, so that what the client has of them may be old. */
    const { lazyMembers, allMembers } = config.required
    const upheld = whole && (lazyMembers || allMembers)
    const kept = upheld ? [...from.members, ...members] : [...members]
    const had = whole ? from.timelineLimit : 0
    const fromStart = (from === undefined || expanded) && !timeline.limited
    const given = fromStart ? Number.POSITIVE_INFINITY : config.timelineLimit
    return {
      upto: this.#joined ? this.#ask.now : this.#end,
      membership: known.membership,
      timelineLimit: Math.max(had, given),
      required: config.required,
      members: new Set([...new Set(kept)].slice(-MEMBERS_TOLD_MAX)),
      direct,
      ...(this.#unread === undefined ? {} : { unread: this.#unread }),
    }
  }
}

const isMemberKey = ([type]: StateKey): boolean => type === MEMBER

const isDescription = (key: StateKey): boolean =>
  nameOf(key) === nameOf(NAME) || nameOf(key) === nameOf(AVATAR)

const byPosition = (a: EventRow, b: EventRow): number => a.nid - b.nid

/** A text of an event's content, where it is one. */
function textIn(row: EventRow | undefined, member: string): string | undefined {
  if (row === undefined) return undefined
  const value = (JSON.parse(row.json) as { content: Record<string, unknown> }).content[member]
  return typeof value === 'string' && value !== '' ? value : undefined
}
