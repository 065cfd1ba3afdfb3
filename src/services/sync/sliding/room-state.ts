/** State events of a room for an answer. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StateDifference } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import type { FactsCache } from './facts-cache.ts'
import { STATE_READ_MAX } from './limits.ts'
import type { RequiredState } from './required-state.ts'

export type StateKey = readonly [type: string, stateKey: string]

export const nameOf = ([type, stateKey]: StateKey): string => `${type}\0${stateKey}`

/** Events that hold the given keys at a position, by `nameOf`. */
export async function stateAt(
  store: Store,
  room: number,
  pos: number,
  keys: Iterable<StateKey>,
): Promise<Map<string, EventRow>> {
  const distinct = [...new Map([...keys].map((key) => [nameOf(key), key])).values()]
  const found = new Map<string, EventRow>()
  for (let i = 0; i < distinct.length; i += STATE_READ_MAX) {
    const rows = await store.state.at(room, { branch: 0, pos }, distinct.slice(i, i + STATE_READ_MAX))
    for (const row of rows) found.set(nameOf([row.type, row.stateKey ?? '']), row)
  }
  return found
}

/** Keys that the wanted state has in a room, as far as they are not named in full. */
export async function wildKeys(
  store: Store,
  facts: FactsCache,
  room: number,
  pos: number,
  required: RequiredState,
): Promise<StateKey[]> {
  if (!required.wild) return []
  const known = required.allMembers ? undefined : await facts.stateKeys(room)
  const keys: StateKey[] =
    known ??
    (await store.state.fullAt(room, { branch: 0, pos })).map(
      ({ type, stateKey }) => [type, stateKey] as const,
    )
  return keys.filter(([type, stateKey]) => required.matches(type, stateKey))
}

/** Keys whose event is not the same at two positions. */
export function changedBetween(
  store: Store,
  room: number,
  from: number,
  to: number,
): Promise<StateDifference[]> {
  return store.state.difference(room, { branch: 0, pos: from }, { branch: 0, pos: to })
}
