/** `/sync`. Its cost follows what changed: an incremental answer looks only at rooms that had news. */
import { inLanes } from '#/base/async/lanes.ts'
import type { Log } from '#/base/log.ts'
import { type Clock, turn } from '#/base/world.ts'
import type { AccountDataRow } from '#/ports/store/account-data.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import type { ClientEvents } from '../../rooms/read/client-events.ts'
import type { EventFilter } from '../../rooms/read/event-filter.ts'
import type { ReadStore } from '../../rooms/read/expiry.ts'
import { formatStream } from '../../rooms/read/tokens.ts'
import { type ActiveUser, type KnownMembership, MOVED, NO_ROOM } from '../active-user.ts'
import { knockState } from '../answered-knock.ts'
import { gapOfDamage } from '../damage.ts'
import type { E2eeSync } from '../e2ee.ts'
import type { Feed } from '../feed.ts'
import { gathered } from '../gathered.ts'
import type { Inbox } from '../inbox.ts'
import type { Inboxes } from '../inboxes.ts'
import { LazyMembers } from '../lazy-members.ts'
import {
  ROOMS_AT_ONCE,
  SEEN_BEHIND_MAX,
  SYNC_TIMEOUT_MS_MAX,
  WHOLE_EVENTS_AT_ONCE,
  WHOLE_ROOMS_AT_ONCE,
} from '../limits.ts'
import type { SyncOptions } from '../options.ts'
import { membershipAt, stayEnded, stayedSince, wasJoined } from '../own-membership.ts'
import type { RoomRules } from '../room-rules.ts'
import type { StateCache } from '../state-cache.ts'
import { waitForNews } from '../wait.ts'
import { whileSyncing } from '../while-syncing.ts'
import { WholeSyncs } from '../whole-syncs.ts'
import { type EphemeralDeps, type EphemeralPart, EphemeralSync } from './ephemeral.ts'
import { type QuickDeps, quickParts } from './quick-answer.ts'
import { answerJson, type GlobalAnswer, groupsJson, type RoomsAnswer, type SyncRequest } from './request.ts'
import { outsideSection, roomSection, type SectionDeps } from './room-section.ts'
import type { Summaries } from './summary.ts'

/** Gives account data that is not stored, because it has a default: push rules. */
export type DefaultAccountData = (
  userId: string,
  stored: ReadonlySet<string>,
) => { type: string; content: object }[]

export interface SyncDeps {
  readonly log: Log
  readonly store: ReadStore
  readonly feed: Feed
  readonly clock: Clock
  readonly clientEvents: ClientEvents
  readonly stateCache: StateCache
  readonly summaries: Summaries
  readonly roomRules: RoomRules
  readonly ignored: IgnoredUsers
  readonly defaultAccountData: DefaultAccountData
  /** Whether a user is not to see an invite by somebody. */
  readonly hidesInvite: (userId: string, sender: string) => Promise<boolean>
  readonly ephemeral: EphemeralDeps
  readonly options: SyncOptions
  readonly e2ee: E2eeSync
  readonly inboxes: Inboxes
  /** Counts of a user in a room at a position, where they are kept. */
  readonly counts: QuickDeps['counts']
}

/** Up to where an answer, or a client, has everything: a position of the store and a version of what is in memory. */
interface Reached {
  readonly position: number
  readonly version: number
  /** Position up to which it has its messages. */
  readonly toDevice: number
  /** Whether the client may hold that somebody types. */
  readonly typed: boolean
}

interface Answer {
  readonly json: string
  /** Whether it tells nothing, so that one may as well wait. */
  readonly empty: boolean
  readonly reached: Reached
}

/** What the rooms of one answer share. */
interface Answering {
  readonly now: number
  readonly moved: ReadonlyMap<number, number> | undefined
  readonly data: ReadonlyMap<number, AccountDataRow[]>
  readonly part: EphemeralPart
  readonly rooms: RoomsAnswer
  /** Users of rooms that are new to the reader. */
  readonly newFaces: Set<string>
}

export class SyncService {
  readonly #deps: SyncDeps
  readonly #section: SectionDeps
  /** The same for rooms that are told whole. */
  readonly #wholeSection: SectionDeps
  readonly #ephemeral: EphemeralSync
  readonly #quick: QuickDeps
  readonly #whole = new WholeSyncs()

  constructor(deps: SyncDeps) {
    this.#deps = deps
    const { store, clientEvents, ignored, stateCache, summaries } = deps
    this.#ephemeral = new EphemeralSync(deps.ephemeral)
    const lazyMembers = new LazyMembers()
    const { timelineMax } = deps.options
    this.#section = { store, clientEvents, ignored, stateCache, lazyMembers, summaries, timelineMax }
    this.#quick = { ...deps, lazyMembers }
    this.#wholeSection = { ...this.#section, store: gathered(store, deps.clock) }
  }

  /** The answer as JSON text. Waits for news up to the request's time when there is none. */
  sync(request: SyncRequest): Promise<string> {
    const { feed, ephemeral } = this.#deps
    return whileSyncing(feed, ephemeral.presence, request, (user) => this.#syncFor(user, request))
  }

  async #syncFor(user: ActiveUser, request: SyncRequest): Promise<string> {
    const { feed, clock } = this.#deps
    const seen = this.#ephemeral.seenBy(request)
    const found = this.#deps.inboxes.of(user, request.deviceId)
    const inbox = found instanceof Promise ? await found : found
    if (request.toDevice !== undefined) this.#deps.inboxes.confirm(inbox, request.toDevice)
    if (request.since === undefined || request.fullState) {
      const whole = () => this.#answer(user, inbox, request, seen)
      return (await this.#whole.run(user.userId, request.signal, whole)).json
    }
    const deadline = clock.monotonic() + Math.min(request.timeoutMs, SYNC_TIMEOUT_MS_MAX)
    const { toDevice = request.since } = request
    const typed = request.seen?.typing ?? false
    let since: Reached = { position: request.since, version: seen, toDevice, typed }
    const hasNews = (): boolean =>
      user.hasNewsSince(since.position) ||
      user.hasEphemeralSince(since.version) ||
      inbox.hasNewsSince(since.toDevice)
    let over = false
    for (;;) {
      if (hasNews()) {
        const { position, version, toDevice } = since
        const ask = { ...request, since: position, toDevice, confirmed: request.since }
        const quick = this.#quickAnswer(user, inbox, ask, since)
        const made = quick instanceof Promise ? await quick : quick
        const { json, empty, reached } = made ?? (await this.#answer(user, inbox, ask, version))
        if (!empty) return json
        /* What happened is not for this client (its filter, a forgotten room): go on waiting behind it. */
        since = {
          position: Math.max(since.position, reached.position),
          version: Math.max(since.version, reached.version),
          toDevice: Math.max(since.toDevice, reached.toDevice),
          typed: reached.typed,
        }
      }
      const left = deadline - clock.monotonic()
      if (left <= 0 || over || request.signal.aborted || feed.stopping) {
        const e2ee = await this.#deps.e2ee.counts(user, request.deviceId)
        return answerJson(this.#token(since), NOTHING, '', e2ee)
      }
      over = await waitForNews(clock, user, left, request, hasNews)
    }
  }

  #token({ position, version, toDevice: given, typed }: Reached): string {
    const ephemeral = this.#ephemeral.seen(version, typed)
    const toDevice = given < position ? given : undefined
    return formatStream({ epoch: this.#deps.store.epoch, position, ephemeral, toDevice })
  }

  /** The answer where it can be made of what is in memory, as most often while many readers wake. */
  #quickAnswer(
    user: ActiveUser,
    inbox: Inbox,
    request: SyncRequest,
    { version: seen, typed }: Pick<Reached, 'version' | 'typed'>,
    again = false,
  ): Answer | undefined | Promise<Answer | undefined> {
    const { ephemeral } = this.#deps
    if (user.hasEphemeralSince(seen) || ephemeral.versions.version - seen > SEEN_BEHIND_MAX) return undefined
    if (inbox.hasNewsSince(request.toDevice ?? 0)) return undefined
    const parts = quickParts(this.#quick, user, request)
    if (parts instanceof Promise) {
      /* Where that fails the long way tells why. */
      return again
        ? undefined
        : parts.then(() => this.#quickAnswer(user, inbox, request, { version: seen, typed }, true), NEVER)
    }
    if (parts === undefined) return undefined
    const { now, groups, e2ee } = parts
    /* News of typing and presence that the reader is yet to be told of come behind what the token says. */
    const reached = { position: now, version: seen, typed, toDevice: now }
    return { json: answerJson(this.#token(reached), NOTHING, groups, e2ee), empty: false, reached }
  }

  async #answer(user: ActiveUser, inbox: Inbox, request: SyncRequest, seen: number): Promise<Answer> {
    const now = this.#deps.feed.position
    const { since } = request
    const moved = since === undefined || request.fullState ? undefined : user.movedSince(since)
    const part = this.#ephemeral.part(user, request, seen)
    const data = await this.#accountData(user, since, now, moved)
    const rooms = emptyRooms()
    const answering: Answering = { now, moved, data, part, rooms, newFaces: new Set() }
    const list = [...(await this.#candidates(user, request, answering))]
    await this.#sections(user, request, list, answering)
    const messages = await this.#deps.inboxes.page(inbox, request.toDevice ?? 0, now)
    const global = {
      accountData: this.#globalData(request, data.get(NO_ROOM) ?? []),
      presence: await this.#ephemeral.presence(user, request, seen, answering.newFaces),
      toDevice: messages.texts,
    }
    const lists = [...Object.values(global), ...Object.values(rooms).map((group) => [...group.keys()])]
    const e2ee = await this.#deps.e2ee.part(user, request.deviceId, since, now)
    const empty = !e2ee.news && lists.every((list) => list.length === 0)
    const { version, typed } = part
    const reached = { position: now, version, typed, toDevice: messages.reached }
    const json = answerJson(this.#token(reached), global, groupsJson(rooms), e2ee.members)
    return { json, empty, reached }
  }

  /** With what a request's rooms are made: all of them are told whole, or few are told of at all. */
  #sectionFor(request: SyncRequest): SectionDeps {
    return isWhole(request) ? this.#wholeSection : this.#section
  }

  async #sections(
    user: ActiveUser,
    request: SyncRequest,
    list: readonly number[],
    answering: Answering,
  ): Promise<void> {
    const size = roomsAtOnce(request)
    /* Of rooms that are told whole the next ones are read while those before are made. */
    const lanes = isWhole(request) ? 2 : 1
    await inLanes(list, { lanes, size }, async (some) => {
      await Promise.all(some.map((room) => this.#room(user, request, room, answering)))
      if (list.length > size) await turn(this.#deps.clock)
    })
  }

  /** Account data that changed, by room. */
  async #accountData(
    user: ActiveUser,
    since: number | undefined,
    now: number,
    changed: ReadonlyMap<number, number> | undefined,
  ): Promise<Map<number, AccountDataRow[]>> {
    const byRoom = new Map<number, AccountDataRow[]>()
    if (changed?.size === 0) return byRoom
    if (changed !== undefined && !user.dataChangedSince(since ?? 0)) return byRoom
    for (const row of await this.#deps.store.accountData.since(user.userId, since ?? 0, now)) {
      const rows = byRoom.get(row.room)
      if (rows) rows.push(row)
      else byRoom.set(row.room, [row])
    }
    return byRoom
  }

  #globalData(request: SyncRequest, rows: readonly AccountDataRow[]): string[] {
    const filter = request.filter.accountData
    const texts = passingData(filter, request.userId, rows)
    if (request.since === undefined) {
      const stored = new Set(rows.map((row) => row.type))
      for (const event of this.#deps.defaultAccountData(request.userId, stored)) {
        const json = JSON.stringify(event)
        if (filter.passes({ type: event.type, sender: request.userId, json })) texts.push(json)
      }
    }
    return texts
  }

  /** Rooms that may have something to tell. */
  async #candidates(
    user: ActiveUser,
    request: SyncRequest,
    { moved, data, part }: Answering,
  ): Promise<Set<number>> {
    const { since } = request
    const rooms = new Set<number>(moved?.keys())
    for (const room of data.keys()) rooms.add(room)
    for (const room of part.typing ?? []) rooms.add(room)
    if (moved === undefined) {
      /* An initial sync, or a token from before what is remembered: ask the store which rooms moved. */
      const all = since === undefined || request.fullState
      for (const { room, latest } of await this.#deps.store.rooms.lastArrivals(user.userId)) {
        if (all || latest > since) rooms.add(room)
      }
      if (!all) {
        for (const { room, latest } of await this.#deps.store.receipts.latest(user.userId)) {
          if (latest > since) rooms.add(room)
        }
      }
      for (const [room, known] of user.memberships) {
        if (known.membership === 'join') continue
        const left = known.membership === 'leave' || known.membership === 'ban'
        const wanted = left ? request.filter.includeLeave || since !== undefined : true
        if (wanted && (since === undefined || known.position > since)) rooms.add(room)
      }
    }
    rooms.delete(NO_ROOM)
    return rooms
  }

  async #room(user: ActiveUser, request: SyncRequest, room: number, answering: Answering): Promise<void> {
    const { now, rooms: into } = answering
    let known = await membershipAt(this.#sectionFor(request).store, user, room, now)
    if (!known || this.#deps.options.excludedRooms.has(known.roomId)) return
    if (!passesRoom(request, known.roomId)) return
    const { membership } = known
    let unseen: KnownMembership | undefined
    if (membership === 'invite' || membership === 'knock') {
      if (request.since === undefined || known.position > request.since) {
        const text = await this.#stripped(request, room, membership)
        if (text !== undefined) into[membership].set(known.roomId, text)
        else if (membership === 'invite') unseen = known
        if (unseen?.knock) return this.#standingKnock(request, room, unseen.knock, into)
      }
      /* Of an invite that is hidden nothing is told; of the leaving before it, that. */
      if (!unseen || request.since === undefined) return
      known = await stayEnded(this.#deps.store, user, room, unseen, request.since)
      if (!known) return
    }
    const left = known.membership !== 'join'
    if (left && request.since !== undefined && known.position <= request.since) return
    /* Account data of a room that was left makes nobody want the room. */
    if (left && request.since === undefined && (known.forgotten || !request.filter.includeLeave)) return
    const text = await this.#joinedOrLeft(user, request, room, known, answering).catch((error: unknown) =>
      this.#gapOf(request, known.roomId, now, error),
    )
    if (text !== undefined) into[left ? 'leave' : 'join'].set(known.roomId, text)
  }

  /** The section of a room with a damaged event: a gap. Rethrows any other error. */
  #gapOf(request: SyncRequest, roomId: string, now: number, error: unknown): string {
    const prev = JSON.stringify(gapOfDamage(this.#deps, roomId, now, error))
    const timeline = `"timeline":{"events":[],"limited":true,"prev_batch":${prev}}`
    return `{${timeline},"${request.stateAfter ?? 'state'}":{"events":[]}}`
  }

  async #joinedOrLeft(
    user: ActiveUser,
    request: SyncRequest,
    room: number,
    known: KnownMembership,
    answering: Answering,
  ): Promise<string | undefined> {
    const { feed, roomRules } = this.#deps
    const section = this.#sectionFor(request)
    const { store } = section
    const { userId } = user
    const { now, moved } = answering
    const data = answering.data.get(room) ?? []
    const left = known.membership !== 'join'
    const { since } = request
    const end = left ? known.position : now
    const filter = request.filter.roomAccountData
    const stayed = since !== undefined && (await stayedSince(store, userId, room, known, since))
    const fresh = since !== undefined && !stayed && !left
    const rows = fresh ? await this.#roomData(userId, room, now) : data
    const accountData = filter.passesRoom(known.roomId) ? passingData(filter, userId, rows) : []
    const leftBy = left ? known.position : undefined
    const what = moved === undefined ? MOVED.everything : (moved.get(room) ?? 0)
    const [rules, ephemeral] = await Promise.all([
      roomRules.of(room, store),
      left ? [] : this.#inRoom(request, room, known, answering, what, fresh),
    ])
    if (!rules) return undefined
    const ask = { request, room, roomId: known.roomId, rules, now: end, accountData, ephemeral, left: leftBy }
    if (left && !(await wasJoined(store, userId, room, known.position - 1))) {
      return outsideSection(section, ask)
    }
    const knew = stayed || (fresh && (await wasJoined(store, userId, room, since)))
    return roomSection(section, {
      ...ask,
      since: stayed ? since : undefined,
      knownAt: knew ? since : undefined,
      newest: (after, upto, limit) => feed.newest(room, after, upto, limit, store),
      present: stayed && !left,
      joinedAt: left ? undefined : known.position,
      moved: fresh ? MOVED.everything : what,
      fullState: request.fullState,
    })
  }

  /** Typing and receipts of a room; all there is for a client to which the room is new. */
  #inRoom(
    request: SyncRequest,
    nid: number,
    { roomId }: KnownMembership,
    { now: upto, part, newFaces }: Answering,
    what: number,
    fresh: boolean,
  ): Promise<string[]> {
    const isNew = fresh || request.since === undefined
    if (fresh) for (const userId of this.#deps.feed.activeIn(nid)) newFaces.add(userId)
    const moved = isNew || (what & MOVED.receipts) !== 0
    const receipts = moved ? { after: isNew ? 0 : request.since, upto } : undefined
    const store = isWhole(request) ? this.#wholeSection.store : undefined
    return this.#ephemeral.inRoom(request, { nid, roomId, isNew }, part, receipts, store)
  }

  /** All account data of a room, for a client to which the room is new. */
  async #roomData(userId: string, room: number, now: number): Promise<AccountDataRow[]> {
    const rows = await this.#deps.store.accountData.ofRooms(userId, [room])
    return rows.filter((row) => row.position <= now)
  }

  /** A knock whose answer is hidden: told like any other, once. */
  async #standingKnock(
    request: SyncRequest,
    room: number,
    knock: KnownMembership,
    into: RoomsAnswer,
  ): Promise<void> {
    const { store } = this.#deps
    if (request.since !== undefined && knock.position <= request.since) return
    const row = await store.rooms.membership(room, request.userId)
    if (!row || row.stripped === null || row.forgotten) return
    const events = await knockState(store, row.stripped, knock)
    into.knock.set(knock.roomId, `{"knock_state":{"events":${events}}}`)
  }

  async #stripped(
    request: SyncRequest,
    room: number,
    membership: 'invite' | 'knock',
  ): Promise<string | undefined> {
    const { userId } = request
    const row = await this.#sectionFor(request).store.rooms.membership(room, userId)
    if (!row || row.stripped === null || row.forgotten) return undefined
    if (membership === 'invite' && (await this.#deps.hidesInvite(userId, row.sender))) return undefined
    return `{"${membership}_state":{"events":${row.stripped}}}`
  }
}

function isWhole({ since, fullState }: SyncRequest): boolean {
  return since === undefined || fullState
}

/** Rooms that are prepared side by side, so that what they hold meanwhile and what they do in one turn is bounded. */
function roomsAtOnce(request: SyncRequest): number {
  if (!isWhole(request)) return ROOMS_AT_ONCE
  const some = Math.floor(WHOLE_EVENTS_AT_ONCE / Math.max(1, request.filter.timeline.limit))
  return Math.min(WHOLE_ROOMS_AT_ONCE, Math.max(ROOMS_AT_ONCE, some))
}

const NEVER = (): undefined => undefined

const NOTHING: GlobalAnswer = { accountData: [], presence: [], toDevice: [] }

function passesRoom(request: SyncRequest, roomId: string): boolean {
  return request.filter.passesRoom(roomId)
}

/** Account data that a filter lets through, as JSON texts. */
function passingData(filter: EventFilter, sender: string, rows: readonly AccountDataRow[]): string[] {
  const texts: string[] = []
  for (const row of rows) {
    const json = dataJson(row)
    if (filter.passes({ type: row.type, sender, json })) texts.push(json)
  }
  return texts
}

function dataJson(row: AccountDataRow): string {
  return `{"type":${JSON.stringify(row.type)},"content":${row.content}}`
}

function emptyRooms(): RoomsAnswer {
  return { join: new Map(), invite: new Map(), knock: new Map(), leave: new Map() }
}
