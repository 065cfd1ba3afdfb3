/** From candidates of the index to results: the events themselves decide, and who may see them. */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { SearchCandidate } from '#/ports/store/search.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { type RoomVersionRules, rulesOf } from '#/protocol/room-version/rules.ts'
import { matchText, type SearchTerm, type TextMatch } from '#/protocol/search/search-term.ts'
import { type SearchKey, searchKeyOf, searchTextOf } from '#/protocol/search/searchable.ts'
import type { ErasedUsers } from '../accounts/erased-users.ts'
import type { RoomEventFilter } from '../rooms/read/event-filter.ts'
import { visibleTo } from '../rooms/read/visibility.ts'
import { CANDIDATES_READ, LOOKED_AT_CHARS_MAX, LOOKED_AT_MAX } from './limits.ts'

export interface SearchResult extends TextMatch {
  readonly row: EventRow
  readonly rules: RoomVersionRules
  /** The reader's membership at the event. */
  readonly membership: string
}

export interface LookFor {
  readonly userId: string
  readonly term: SearchTerm
  readonly keys: ReadonlySet<SearchKey>
  readonly filter: RoomEventFilter
  readonly ignored: ReadonlySet<string>
  readonly onlySender: string | undefined
  /** Tells whose messages are not found by who was not there. */
  readonly erased: ErasedUsers | undefined
}

export class Looker {
  readonly #store: Store
  readonly #clock: Clock
  readonly #for: LookFor
  readonly #rules = new Map<number, RoomVersionRules | undefined>()
  #looked = 0
  #chars = 0

  constructor(store: Store, clock: Clock, lookFor: LookFor) {
    this.#store = store
    this.#clock = clock
    this.#for = lookFor
  }

  /** Whether as much was looked at as one request may. */
  get tired(): boolean {
    return this.#looked >= LOOKED_AT_MAX || this.#chars >= LOOKED_AT_CHARS_MAX
  }

  /** The results among some candidates (at most CANDIDATES_READ), in their order. */
  async look(candidates: readonly SearchCandidate[]): Promise<SearchResult[]> {
    await turn(this.#clock)
    const rows = await this.#store.events.byNids(candidates.map(({ event }) => event))
    const matches = new Map<EventRow, TextMatch>()
    let before = this.#chars
    for (const row of rows) {
      this.#looked++
      this.#chars += row.json.length
      const match = this.#match(row)
      if (match) matches.set(row, match)
      /* Long texts take their time to be read; others shall not wait for them. */
      if (this.#chars - before > LOOKED_AT_CHARS_MAX / 64) {
        before = this.#chars
        await turn(this.#clock)
      }
    }
    const results = new Map<number, SearchResult>()
    const erased = await this.#for.erased?.among([...matches.keys()].map((row) => row.sender))
    for (const inRoom of Map.groupBy(matches.keys(), (row) => row.room).values()) {
      const rules = await this.#rulesOf(inRoom[0]!.room)
      if (!rules) continue
      const ordered = inRoom.sort((a, b) => b.nid - a.nid)
      for (const seen of await visibleTo(this.#store, ordered, this.#for.userId, rules)) {
        const { row, membership } = seen
        if (membership !== 'join' && erased?.has(row.sender)) continue
        results.set(row.nid, { ...matches.get(row)!, row, rules, membership })
      }
    }
    return candidates.flatMap(({ event }) => results.get(event) ?? [])
  }

  #match(row: EventRow): TextMatch | undefined {
    const { term, keys, filter, ignored, onlySender } = this.#for
    const key = searchKeyOf(row.type, row.stateKey)
    if (!key || !keys.has(key) || row.arrival === null || row.redactedBy !== null) return undefined
    if (ignored.has(row.sender) || (onlySender !== undefined && row.sender !== onlySender)) return undefined
    if (!filter.passes(row)) return undefined
    const { content } = JSON.parse(row.json) as { content: JsonObject }
    const text = searchTextOf(key, content)
    return text === undefined ? undefined : matchText(term, text)
  }

  async #rulesOf(room: number): Promise<RoomVersionRules | undefined> {
    if (this.#rules.has(room)) return this.#rules.get(room)
    const row = await this.#store.rooms.byNid(room)
    const rules = row && rulesOf(row.version)
    this.#rules.set(room, rules)
    return rules
  }
}

/** Cuts candidates into lists of CANDIDATES_READ. */
export function* batches(candidates: readonly SearchCandidate[]): Generator<readonly SearchCandidate[]> {
  for (let at = 0; at < candidates.length; at += CANDIDATES_READ) {
    yield candidates.slice(at, at + CANDIDATES_READ)
  }
}
