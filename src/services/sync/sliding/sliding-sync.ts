/**
 * Sliding sync: the client names lists and rooms, and hears what it does not know of them.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4186, docs/decisions/0014-sliding-sync.md
 */
import type { Log } from '#/base/log.ts'
import { WeightedLru } from '#/base/weighted-lru.ts'
import { turn, type World } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import type { InviteGuard } from '../../accounts/invite-guard.ts'
import type { Ephemeral } from '../../ephemeral/create-ephemeral.ts'
import type { ClientEvents } from '../../rooms/read/client-events.ts'
import type { ReadStore } from '../../rooms/read/expiry.ts'
import { formatSliding, parseSliding, parseStream } from '../../rooms/read/tokens.ts'
import type { ThreadSubscriptions } from '../../rooms/thread-subscriptions.ts'
import type { ActiveUser } from '../active-user.ts'
import { gapOfDamage } from '../damage.ts'
import type { E2eeSync } from '../e2ee.ts'
import type { Feed } from '../feed.ts'
import type { Inboxes } from '../inboxes.ts'
import { ROOMS_AT_ONCE, SYNC_TIMEOUT_MS_MAX } from '../limits.ts'
import type { SyncOptions } from '../options.ts'
import { membershipAt, stayEnded } from '../own-membership.ts'
import type { RoomRules } from '../room-rules.ts'
import type { StateCache } from '../state-cache.ts'
import type { Summaries } from '../v3/summary.ts'
import type { DefaultAccountData } from '../v3/sync.ts'
import { waitForNews } from '../wait.ts'
import { whileSyncing } from '../while-syncing.ts'
import { WholeSyncs } from '../whole-syncs.ts'
import { type Connection, Connections, type SentRoom } from './connections.ts'
import { type ExtensionsAnswer, extensionsAnswer, type Mail } from './extensions.ts'
import { FactsCache } from './facts-cache.ts'
import { LabelsCache } from './labels.ts'
import { ANSWER_CHARS_MAX, ANSWER_ROOMS_MAX, LARGE_ANSWERS_AT_ONCE, LIST_BYTES_MAX } from './limits.ts'
import { type ListSources, ListView } from './list-view.ts'
import type { ExtensionScope, ListRequest, RoomWish, SlidingRequest } from './request.ts'
import { type ResultDeps, type RoomResult, roomResult } from './room-result.ts'
import { SpacesCache } from './space-rooms.ts'
import { type Candidate, candidates, joinedRanges, type Sight, type Window } from './windows.ts'

export interface SlidingSyncDeps {
  readonly log: Log
  readonly store: ReadStore
  readonly feed: Feed
  readonly world: World
  readonly clientEvents: ClientEvents
  readonly stateCache: StateCache
  readonly summaries: Summaries
  readonly roomRules: RoomRules
  readonly ephemeral: Ephemeral
  readonly ignored: IgnoredUsers
  readonly invites: InviteGuard
  readonly threadSubscriptions: ThreadSubscriptions | undefined
  readonly inboxes: Inboxes
  readonly defaultAccountData: DefaultAccountData
  readonly options: SyncOptions
  readonly e2ee: E2eeSync
}

/** Bytes of a list, and of a room in it, roughly. */
const LIST_BYTES = 1000
const LISTED_BYTES = 120

/** A list without rooms weighs as well: its filters are whatever a client wrote. */
function weightOfView(key: string, { order }: ListView): number {
  /* The filters are there as text and in their own form. */
  return LIST_BYTES + 4 * key.length + order.size * LISTED_BYTES
}

interface RoomsAnswer {
  /** Objects of rooms as JSON texts, by room id. */
  readonly texts: Map<string, string>
  readonly sent: Map<number, SentRoom>
  /** Events in the timelines. */
  readonly shown: Map<number, readonly EventRow[]>
  /** Rooms that are told from the beginning. */
  readonly initial: Set<number>
  /** Whether all candidates were told. */
  readonly whole: boolean
}

export class SlidingSyncService {
  readonly #deps: SlidingSyncDeps
  readonly #facts: FactsCache
  readonly #labels: LabelsCache
  readonly #spaces: SpacesCache
  readonly #connections: Connections
  readonly #section: ResultDeps
  readonly #views = new WeightedLru<string, ListView>(LIST_BYTES_MAX)
  /** Side by side, a user's first answers by the hundred would fill the memory. */
  readonly #large = new WholeSyncs(LARGE_ANSWERS_AT_ONCE)

  constructor(deps: SlidingSyncDeps) {
    this.#deps = deps
    this.#facts = new FactsCache(deps.store)
    this.#labels = new LabelsCache(deps.store, deps.invites)
    this.#spaces = new SpacesCache(deps.store, this.#facts)
    this.#connections = new Connections(deps.world.rng)
    const { store, feed, clientEvents, stateCache, summaries } = deps
    this.#section = { store, feed, clientEvents, stateCache, summaries, facts: this.#facts }
  }

  close(): void {
    this.#facts.close()
  }

  /**
   * The answer as JSON text. Waits for news up to the request's time when there is none.
   * @throws MatrixError M_UNKNOWN_POS when the position is not one that the client may go on from
   */
  sync(request: SlidingRequest): Promise<string> {
    const { feed, ephemeral } = this.#deps
    return whileSyncing(feed, ephemeral.presence, request, (user) => this.#syncFor(user, request))
  }

  async #syncFor(user: ActiveUser, request: SlidingRequest): Promise<string> {
    const { feed } = this.#deps
    const { clock } = this.#deps.world
    const connection =
      request.pos === undefined ? this.#connections.begin() : this.#connectionAt(request, request.pos)
    const deadline = clock.monotonic() + Math.min(request.timeoutMs, SYNC_TIMEOUT_MS_MAX)
    const { serial } = connection
    const mail = await this.#mail(user, request)
    let over = request.pos === undefined
    for (;;) {
      const now = feed.position
      const { version } = this.#deps.ephemeral.versions
      const left = deadline - clock.monotonic()
      const last = left <= 0 || over || request.signal.aborted || feed.stopping
      const make = () => this.#answer(user, request, connection, mail, last)
      const text = await (isLarge(request, connection)
        ? this.#large.run(user.userId, request.signal, make)
        : make())
      if (text !== undefined) return text
      const typing = () => request.extensions.typing !== undefined && user.hasEphemeralSince(version)
      const hasNews = () => typing() || user.hasNewsSince(now) || (mail?.inbox.hasNewsSince(now) ?? false)
      /* Woken by what is for another device, or for nobody who asked, it goes on waiting. */
      for (let rest = left; !over && !hasNews() && rest > 0; rest = deadline - clock.monotonic()) {
        over = await waitForNews(clock, user, rest, request, hasNews)
        if (connection.serial !== serial) throw unknownPos()
        if (request.signal.aborted || feed.stopping) break
      }
    }
  }

  /** The inbox of the device, where the client asks for messages; it has those up to `since`. */
  async #mail(user: ActiveUser, { deviceId, extensions }: SlidingRequest): Promise<Mail | undefined> {
    if (!extensions.toDevice) return undefined
    const { since } = extensions.toDevice
    const token = since === undefined ? undefined : parseStream(since)
    const { inboxes, store } = this.#deps
    const inbox = await inboxes.of(user, deviceId)
    /* A token of before a restore, or of another program that served this name, begins anew. */
    if (token?.epoch !== store.epoch || token.position > store.position()) return { inbox, since: 0 }
    /* One of `/sync` may say that more messages wait behind it. */
    const upto = token.toDevice ?? token.position
    inboxes.confirm(inbox, upto)
    return { inbox, since: upto }
  }

  #connectionAt(request: SlidingRequest, pos: string): Connection {
    const token = parseSliding(pos)
    const known =
      token?.epoch === this.#deps.store.epoch ? this.#connections.at(request, token.serial) : undefined
    if (!known) throw unknownPos()
    return known
  }

  /** The answer; undefined when there is nothing to tell and it is not the `last` chance. */
  async #answer(
    user: ActiveUser,
    request: SlidingRequest,
    connection: Connection,
    mail: Mail | undefined,
    last: boolean,
  ): Promise<string | undefined> {
    const { serial, told } = connection
    const { sight, now } = await this.#sight(user, request, connection)
    const counts = new Map(sight.windows.map(({ name, view }) => [name, view.order.size]))
    const found = await candidates(sight, this.#deps.world.clock)
    const rooms = await this.#rooms(sight, found, now)
    const extensions = await this.#extensions(sight, rooms, mail, now)
    const sameCounts = [...counts].every(([name, count]) => told.counts.get(name) === count)
    if (!last && rooms.texts.size === 0 && extensions.empty && sameCounts) return undefined
    /* While this was made, the client went on from another answer: it does not wait for this one any more. */
    if (connection.serial !== serial) throw unknownPos()
    const next = this.#connections.nextSerial()
    connection.answer(next, {
      told: {
        position: now,
        config: sight.config,
        settled: rooms.whole,
        counts,
        extensions: extensions.told,
      },
      rooms: rooms.sent,
    })
    /* A client that has gone may have begun anew already. */
    if (!request.signal.aborted) this.#connections.keep(request, connection)
    const pos = formatSliding({ epoch: this.#deps.store.epoch, position: now, serial: next })
    return answerJson(request, pos, counts, rooms.texts, extensions.json)
  }

  /** What the request names, as it is at one position. */
  async #sight(
    user: ActiveUser,
    request: SlidingRequest,
    connection: Connection,
  ): Promise<{ sight: Sight; now: number }> {
    const config = configText(request)
    const subscribed = await this.#subscribed(user, request)
    for (;;) {
      const factsAt = this.#deps.feed.position
      await this.#facts.load(user.memberships.keys())
      const labels = await this.#labels.of(user)
      const ignored = await this.#deps.ignored.ignoredBy(user.userId)
      const { excludedRooms: excluded, timelineMax } = this.#deps.options
      const hiding = { ignored, invites: labels.invites, excluded }
      const windows: (Window & { readonly sources: ListSources; readonly key: string })[] = []
      for (const [name, list] of request.lists) {
        const { spaces: ids } = list.filters
        const spaces = ids && (await this.#spaces.of(user, ids))
        const sources = { user, labels, facts: this.#facts, spaces, hiding }
        const key = `${user.userId}\0${JSON.stringify(list.filters)}`
        const view = this.#view(key, list)
        if (view.bring(this.#deps.feed.position, sources)) await turn(this.#deps.world.clock)
        windows.push({ name, list, view, ranges: joinedRanges(list.ranges), sources, key })
      }
      /* From here to the end nothing else runs, so that all lists are of one moment. */
      const now = this.#deps.feed.position
      if (!this.#isReady(user, labels.position, factsAt)) continue
      for (const { view, sources, key } of windows) {
        view.bring(now, sources)
        this.#views.weigh(key, weightOfView(key, view))
      }
      return {
        sight: {
          request,
          user,
          connection,
          windows,
          subscribed,
          labels,
          ignored,
          hiding,
          timelineMax,
          facts: this.#facts,
          config,
        },
        now,
      }
    }
  }

  /** Whether nothing came meanwhile of which the lists must know before. */
  #isReady(user: ActiveUser, labelsAt: number, factsAt: number): boolean {
    if (user.dataChangedSince(labelsAt)) return false
    /* Facts may be missing of what came after they were loaded, be it before the labels were read. */
    for (const room of user.changedSince(factsAt) ?? user.memberships.keys()) {
      if (user.memberships.has(room) && !this.#facts.peek(room)) return false
    }
    return true
  }

  #view(key: string, list: ListRequest): ListView {
    const known = this.#views.get(key)
    if (known) return known
    const view = new ListView(list.filters)
    this.#views.set(key, view, weightOfView(key, view))
    return view
  }

  async #subscribed(user: ActiveUser, request: SlidingRequest): Promise<Map<number, RoomWish>> {
    const found = new Map<number, RoomWish>()
    for (const [roomId, wish] of request.subscriptions) {
      const room = await this.#deps.store.rooms.byId(roomId)
      if (room && user.memberships.has(room.nid)) found.set(room.nid, wish)
    }
    return found
  }

  async #rooms(sight: Sight, found: readonly Candidate[], now: number): Promise<RoomsAnswer> {
    const texts = new Map<string, string>()
    const sent = new Map<number, SentRoom>()
    const shown = new Map<number, readonly EventRow[]>()
    const initial = new Set<number>()
    let chars = 0
    for (let i = 0; i < found.length; i += ROOMS_AT_ONCE) {
      if (chars > ANSWER_CHARS_MAX || texts.size >= ANSWER_ROOMS_MAX)
        return { texts, sent, shown, initial, whole: false }
      if (i > 0) await turn(this.#deps.world.clock)
      const some = found.slice(i, i + ROOMS_AT_ONCE)
      const results = await Promise.all(some.map((candidate) => this.#room(sight, candidate, now)))
      for (const [index, result] of results.entries()) {
        const { room, known } = some[index]!
        if (!result) continue
        sent.set(room, result.sent)
        if (!result.parts) continue
        shown.set(room, result.shown ?? [])
        if (result.initial) initial.add(room)
        const text = `{${result.parts.join(',')}}`
        texts.set(known.roomId, text)
        chars += text.length
      }
    }
    return { texts, sent, shown, initial, whole: true }
  }

  async #room(sight: Sight, candidate: Candidate, now: number): Promise<RoomResult | undefined> {
    const { request, user, connection } = sight
    const { room, config, sent, endsAtLeaving } = candidate
    const { store } = this.#deps
    const rules = await this.#deps.roomRules.of(room)
    const known =
      endsAtLeaving && sent
        ? await stayEnded(store, user, room, candidate.known, sent.upto)
        : candidate.knocks
          ? candidate.known
          : await membershipAt(store, user, room, now)
    if (!rules || !known) return undefined
    const ask = {
      ...candidate,
      known,
      rules,
      now,
      ignored: sight.ignored,
      viewer: { userId: request.userId, deviceId: request.deviceId },
      before: connection.serial === 0 ? undefined : connection.told.position,
      stable: request.stable,
    }
    return roomResult(this.#section, ask).catch((error: unknown) => ({
      parts: this.#gapOf(known.roomId, now, error),
      sent: {
        upto: now,
        membership: known.membership,
        timelineLimit: config.timelineLimit,
        required: config.required,
        members: new Set<string>(),
        direct: candidate.direct,
      },
    }))
  }

  /** A room with a damaged event: a gap. Rethrows any other error. */
  #gapOf(roomId: string, now: number, error: unknown): string[] {
    const token = gapOfDamage(this.#deps, roomId, now, error)
    return ['"timeline":[]', '"limited":true', `"prev_batch":${JSON.stringify(token)}`]
  }

  #extensions(
    sight: Sight,
    rooms: RoomsAnswer,
    mail: Mail | undefined,
    now: number,
  ): Promise<ExtensionsAnswer> {
    const { connection, request, user, windows, subscribed } = sight
    const { excluded } = sight.hiding
    const inScope = (scope: ExtensionScope, room: number): boolean => {
      if (excluded.size > 0 && excluded.has(user.memberships.get(room)?.roomId ?? '')) return false
      if (scope.lists === undefined && scope.rooms === undefined) return true
      const listed = windows.filter(({ name }) => scope.lists === undefined || scope.lists.includes(name))
      if (listed.some(({ view }) => view.order.rank(room) !== undefined)) return true
      const roomId = user.memberships.get(room)?.roomId ?? ''
      return subscribed.has(room) && (scope.rooms === undefined || scope.rooms.includes(roomId))
    }
    return extensionsAnswer(this.#deps, {
      request,
      user,
      told: connection.told,
      mail,
      now,
      known: (room) => connection.room(room),
      *knownRooms() {
        for (const [room] of connection.rooms) yield room
      },
      answered: rooms.sent,
      shown: rooms.shown,
      initial: rooms.initial,
      typingUpto: this.#deps.ephemeral.versions.version,
      inScope,
    })
  }
}

function unknownPos(): MatrixError {
  return new MatrixError(
    'M_UNKNOWN_POS',
    'This position is not known any more. Begin anew, without a position.',
  )
}

/** Whether an answer may hold more than what changed: the first one, or one to other wishes than before. */
function isLarge(request: SlidingRequest, { told }: Connection): boolean {
  return !told.settled || told.config !== configText(request)
}

/** Lists and subscriptions as one text, equal for requests that mean the same. */
function configText({ lists, subscriptions }: SlidingRequest): string {
  return JSON.stringify([[...lists], [...subscriptions]])
}

function answerJson(
  { txnId }: SlidingRequest,
  pos: string,
  counts: ReadonlyMap<string, number>,
  rooms: ReadonlyMap<string, string>,
  extensions: string,
): string {
  const lists = [...counts].map(([name, count]) => `${JSON.stringify(name)}:{"count":${count}}`)
  const objects = [...rooms].map(([roomId, text]) => `${JSON.stringify(roomId)}:${text}`)
  const txn = txnId === undefined ? '' : `,"txn_id":${JSON.stringify(txnId)}`
  return `{"pos":${JSON.stringify(pos)}${txn},"lists":{${lists.join(',')}},"rooms":{${objects.join(',')}},"extensions":${extensions}}`
}
