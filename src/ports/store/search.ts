/**
 * The index of what can be searched. It is kept with the events: whatever inserts, redacts or deletes events, or
 * deletes rooms, changes the index in the same commit. See docs/decisions/0013-search.md.
 */

export type SearchOp =
  /** Turns the index on or off. On: events from now on are indexed, and those of before wait for `search.fill`. */
  | { readonly op: 'search.enable'; readonly on: boolean }
  /** All rooms wait for `search.fill` again. Nothing happens while the index is off. */
  | { readonly op: 'search.restart' }
  /** Indexes the next events of a room that `status` named; 0 says that no room is left. Lane: the room. */
  | { readonly op: 'search.fill'; readonly room: number }
  /** Takes one room's rows out of an index that is off; the result is whether there was any. */
  | { readonly op: 'search.clear' }

export interface SearchStatus {
  readonly active: boolean
  /** Whether events of before the index was turned on are still missing. */
  readonly filling: boolean
  /** While filling, the row id of the room to go on with; 0 when none is left. */
  readonly next: number
}

export interface SearchQuery {
  /** Row ids of rooms. */
  readonly rooms: readonly number[]
  /** Terms (protocol/search/terms.ts) that an event must have; at least one. */
  readonly terms: readonly number[]
  /** Only events with row ids below it. */
  readonly before: number
  /** Most candidates. */
  readonly limit: number
}

export interface SearchCandidate {
  readonly event: number
  readonly room: number
}

export interface SearchFound {
  /** Events that probably have all terms, newest row id first; the text decides. */
  readonly candidates: readonly SearchCandidate[]
  /** Where to go on (`before`); absent when all of the index was looked at. */
  readonly next?: number
}

export interface SearchReader {
  status(): Promise<SearchStatus>
  /** Those of the rooms of which events are still missing in the index. */
  missing(rooms: readonly number[]): Promise<number[]>
  find(query: SearchQuery): Promise<SearchFound>
}
