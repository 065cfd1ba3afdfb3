/** One page of results, the newest first or the best first. */
import type { SearchCandidate } from '#/ports/store/search.ts'
import type { Store } from '#/ports/store/store.ts'
import { CANDIDATES_MAX, INDEX_LOOKS_MAX, RANK_WINDOW } from './limits.ts'
import { batches, type Looker, type SearchResult } from './looker.ts'
import type { SearchRoom } from './rooms.ts'
import type { SearchToken } from './token.ts'

export interface PageQuery {
  readonly rooms: ReadonlyMap<number, SearchRoom>
  readonly terms: readonly number[]
  readonly from: SearchToken
  readonly limit: number
}

export interface SearchPage {
  readonly results: readonly SearchResult[]
  /** All results as far as they are known, those of earlier pages included. */
  readonly count: number
  /** Where the next page begins; absent when there is none. */
  readonly next?: SearchToken
}

const find = (store: Store, { rooms, terms }: PageQuery, before: number, limit: number) =>
  store.search.find({ rooms: [...rooms.keys()], terms, before, limit })

export async function newestFirst(store: Store, looker: Looker, query: PageQuery): Promise<SearchPage> {
  const { limit, from } = query
  const results: SearchResult[] = []
  let { before } = from
  for (let looks = 0; ; looks++) {
    const found = await find(store, query, before, CANDIDATES_MAX)
    let seen = 0
    for (const batch of batches(found.candidates)) {
      const hits = await looker.look(batch)
      const room = limit - results.length
      results.push(...hits.slice(0, room))
      seen += batch.length
      const given = from.given + results.length
      const rest = found.candidates.slice(seen)
      const more = rest.length > 0 || found.next !== undefined
      const count = given + Math.max(0, hits.length - room) + surelyVisible(query, rest)
      if (hits.length > room || (hits.length === room && more)) {
        return { results, count, next: { ...from, before: results.at(-1)!.row.nid, given } }
      }
      if (hits.length === room || (looker.tired && more)) {
        const next = { ...from, before: batch.at(-1)!.event, given }
        return more ? { results, count, next } : { results, count }
      }
    }
    const given = from.given + results.length
    if (found.next === undefined) return { results, count: given }
    before = found.next
    if (looks + 1 >= INDEX_LOOKS_MAX || looker.tired) {
      return { results, count: given, next: { ...from, before, given } }
    }
  }
}

/**
 * Candidates of the time since the reader joined, which they may see for certain. Others are not counted: a number
 * must not tell what was said before.
 */
function surelyVisible({ rooms }: PageQuery, candidates: readonly SearchCandidate[]): number {
  return candidates.filter(({ event, room }) => {
    const own = rooms.get(room)
    return own?.membership === 'join' && event > own.position
  }).length
}

/** The best of the newest RANK_WINDOW candidates first; behind them follow the best of the next ones, and so on. */
export async function bestFirst(store: Store, looker: Looker, query: PageQuery): Promise<SearchPage> {
  const { limit, from } = query
  let { before, offset } = from
  for (let looks = 1; ; looks++) {
    const found = await find(store, query, before, RANK_WINDOW)
    const all: SearchResult[] = []
    for (const batch of batches(found.candidates)) all.push(...(await looker.look(batch)))
    all.sort((a, b) => b.rank - a.rank || b.row.nid - a.row.nid)
    const rest = all.slice(offset)
    const group = from.group
    const mine = group ? rest.filter(({ row }) => groupValue(query, row, group.key) === group.value) : rest
    const results = mine.slice(0, limit)
    const given = from.given + results.length
    const count = from.given + mine.length
    if (mine.length > limit) {
      const next = { ...from, before, offset: offset + rest.indexOf(results.at(-1)!) + 1, given }
      return { results, count, next }
    }
    if (found.next === undefined) return { results, count }
    if (results.length > 0 || looks >= INDEX_LOOKS_MAX || looker.tired) {
      return { results, count, next: { ...from, before: found.next, offset: 0, given } }
    }
    before = found.next
    offset = 0
  }
}

/** What an event has under the key of a group. */
export function groupValue(
  { rooms }: Pick<PageQuery, 'rooms'>,
  row: { readonly room: number; readonly sender: string },
  key: 'room_id' | 'sender',
): string {
  return key === 'sender' ? row.sender : (rooms.get(row.room)?.roomId ?? '')
}
