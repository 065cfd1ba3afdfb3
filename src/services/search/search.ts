/** `/search`. https://spec.matrix.org/v1.16/client-server-api/#server-side-search, docs/decisions/0013-search.md */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import { type Clock, turn } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { parseSearchTerm } from '#/protocol/search/search-term.ts'
import { SEARCH_KEYS, type SearchKey } from '#/protocol/search/searchable.ts'
import type { ErasedUsers } from '../accounts/erased-users.ts'
import type { IgnoredUsers } from '../accounts/ignored-users.ts'
import { accessRoom } from '../rooms/read/access.ts'
import type { ClientEvents, Viewer } from '../rooms/read/client-events.ts'
import { parseRoomEventFilter } from '../rooms/read/event-filter.ts'
import { type ContextWanted, contextOf } from './context.ts'
import {
  HIGHLIGHTS_MAX,
  RETRY_BUSY_MS,
  RETRY_FILLING_MS,
  SEARCHES_PER_USER_MAX,
  STATE_EVENTS_MAX,
} from './limits.ts'
import { Looker, type SearchResult } from './looker.ts'
import { bestFirst, groupValue, newestFirst, type PageQuery, type SearchPage } from './pages.ts'
import { searchRooms } from './rooms.ts'
import { formatToken, type GroupKey, parseToken, type SearchToken } from './token.ts'

export interface SearchCriteria {
  readonly searchTerm: string
  readonly keys: readonly SearchKey[] | undefined
  /** A room event filter. */
  readonly filter: JsonObject
  readonly orderBy: 'recent' | 'rank'
  readonly context: ContextWanted | undefined
  readonly includeState: boolean
  readonly groupBy: readonly GroupKey[]
}

export interface SearchDeps {
  readonly store: Store
  readonly clock: Clock
  readonly clientEvents: ClientEvents
  readonly ignored: IgnoredUsers
  readonly erased?: ErasedUsers
  /** Whether there is an index. */
  readonly enabled: boolean
}

export class SearchService {
  readonly #deps: SearchDeps
  readonly #lock = new KeyedLock()

  constructor(deps: SearchDeps) {
    this.#deps = deps
  }

  /**
   * The `room_events` of an answer, as JSON text. Throws M_UNKNOWN when searching is turned off, M_INVALID_PARAM for a
   * term, filter or token that is not usable, M_LIMIT_EXCEEDED while rooms still wait for the index.
   */
  async roomEvents(viewer: Viewer, criteria: SearchCriteria, nextBatch: string | undefined): Promise<string> {
    if (!this.#deps.enabled) throw new MatrixError('M_UNKNOWN', 'Searching is turned off on this server.')
    if (this.#lock.waiting(viewer.userId) >= SEARCHES_PER_USER_MAX) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Your other searches are not finished yet.', {
        retry_after_ms: RETRY_BUSY_MS,
      })
    }
    return this.#lock.run(viewer.userId, () => this.#roomEvents(viewer, criteria, nextBatch))
  }

  async #roomEvents(
    viewer: Viewer,
    criteria: SearchCriteria,
    nextBatch: string | undefined,
  ): Promise<string> {
    const { store, clock } = this.#deps
    const term = parseSearchTerm(criteria.searchTerm)
    if (!term.ok) throw new MatrixError('M_INVALID_PARAM', `The search term is not usable: ${term.why}.`)
    const filter = parseRoomEventFilter(criteria.filter)
    const from = this.#placeOf(nextBatch)
    const { group } = from
    const ranked = criteria.orderBy === 'rank'
    const only = (key: GroupKey) => (!ranked && group?.key === key ? group.value : undefined)
    const { userId } = viewer
    const rooms = await searchRooms(store, userId, filter, criteria.filter, only('room_id'))
    const ignored = await this.#deps.ignored.ignoredBy(userId)
    const query = { rooms, terms: term.value.terms, from, limit: Math.max(filter.limit, 1) }
    let page: SearchPage = { results: [], count: 0 }
    if (query.terms.length > 0 && !filter.passesNone) {
      await this.#checkFilled(query)
      const keys = new Set(criteria.keys ?? SEARCH_KEYS)
      const { erased } = this.#deps
      const shown = { filter, ignored, erased, onlySender: only('sender') }
      const lookFor = { userId, term: term.value, keys, ...shown }
      const looker = new Looker(store, clock, lookFor)
      page = await (ranked ? bestFirst : newestFirst)(store, looker, query)
    }
    const results = await this.#resultTexts(viewer, criteria.context, ignored, page.results)
    const state = criteria.includeState ? `,"state":${await this.#state(viewer, query, page.results)}` : ''
    const groups =
      criteria.groupBy.length > 0 ? `,"groups":${this.#groups(criteria.groupBy, query, page)}` : ''
    const next = page.next ? `,"next_batch":${JSON.stringify(formatToken(store.epoch, page.next))}` : ''
    const highlights = JSON.stringify(highlightsOf(page.results))
    return `{"count":${page.count},"highlights":${highlights},"results":[${results.join(',')}]${state}${groups}${next}}`
  }

  #placeOf(nextBatch: string | undefined): SearchToken {
    if (nextBatch === undefined) return { before: Number.MAX_SAFE_INTEGER, offset: 0, given: 0 }
    const token = parseToken(this.#deps.store.epoch, nextBatch)
    if (!token) throw new MatrixError('M_INVALID_PARAM', 'This next_batch is not one of this server.')
    return token
  }

  /** An answer without the rooms that the index lacks would say that nothing was found. */
  async #checkFilled({ rooms }: PageQuery): Promise<void> {
    const missing = await this.#deps.store.search.missing([...rooms.keys()])
    if (missing.length === 0) return
    throw new MatrixError('M_LIMIT_EXCEEDED', 'The search index is being built. Please try again later.', {
      retry_after_ms: RETRY_FILLING_MS,
    })
  }

  async #resultTexts(
    viewer: Viewer,
    wanted: ContextWanted | undefined,
    ignored: ReadonlySet<string>,
    results: readonly SearchResult[],
  ): Promise<string[]> {
    const { store, clientEvents, clock } = this.#deps
    const texts: string[] = []
    for (const result of results) {
      const { row, rules, membership, rank } = result
      const view = { rules, withoutRoomId: false, membershipAt: () => membership }
      const [event] = await clientEvents.view([row], viewer, view)
      const context = wanted && (await contextOf({ store, clientEvents, viewer, ignored }, result, wanted))
      texts.push(`{"rank":${rank},"result":${event}${context === undefined ? '' : `,"context":${context}`}}`)
      await turn(clock)
    }
    return texts
  }

  /** The state of each room of the results, as far as the reader may see it. */
  async #state(viewer: Viewer, { rooms }: PageQuery, results: readonly SearchResult[]): Promise<string> {
    const parts: string[] = []
    let events = 0
    for (const room of new Set(results.map(({ row }) => row.room))) {
      const roomId = rooms.get(room)?.roomId ?? ''
      const state = await this.#stateOf(roomId, viewer)
      events += state.length
      if (events > STATE_EVENTS_MAX) {
        const sentence = 'The rooms have too much state. Search fewer rooms, or without include_state.'
        throw new MatrixError('M_TOO_LARGE', sentence)
      }
      parts.push(`${JSON.stringify(roomId)}:[${state.join(',')}]`)
    }
    return `{${parts.join(',')}}`
  }

  async #stateOf(roomId: string, viewer: Viewer): Promise<readonly string[]> {
    const { store, clientEvents } = this.#deps
    try {
      const { room, rules, stateUpto } = await accessRoom(store, roomId, viewer.userId)
      const rows =
        stateUpto === undefined
          ? await store.state.currentAll(room.nid)
          : await store.state.eventsAt(room.nid, { branch: 0, pos: stateUpto })
      return await clientEvents.view(rows, viewer, { rules, withoutRoomId: false })
    } catch (error) {
      /* Single events of the room may be seen, its state may not. */
      if (error instanceof MatrixError && error.errcode === 'M_FORBIDDEN') return []
      throw error
    }
  }

  #groups(keys: readonly GroupKey[], query: PageQuery, { results, next }: SearchPage): string {
    const groups: Record<string, object> = {}
    for (const key of new Set(keys)) {
      const byValue = Map.groupBy(results, ({ row }) => groupValue(query, row, key))
      const members = [...byValue].map(([value, among], order): [string, object] => {
        const ids = among.map(({ row }) => row.eventId)
        const token = next && formatToken(this.#deps.store.epoch, { ...next, group: { key, value } })
        return [value, { order, results: ids, ...(token === undefined ? {} : { next_batch: token }) }]
      })
      groups[key] = Object.fromEntries(members)
    }
    return JSON.stringify(groups)
  }
}

function highlightsOf(results: readonly SearchResult[]): string[] {
  return [...new Set(results.flatMap(({ found }) => found))].slice(0, HIGHLIGHTS_MAX)
}
