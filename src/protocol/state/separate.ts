/** What the states to be resolved agree on, and what not. */

import type { EventId } from '../ids/event-id.ts'
import type { StateMap, StateMapKey } from './state-map.ts'

/** State sets, separated. */
export interface Separated {
  readonly unconflicted: ReadonlyMap<StateMapKey, EventId>
  /** Per state set, in the order given, its entries that are in conflict. */
  readonly conflicted: readonly StateMap[]
}

/**
 * Version 2 and 2.1: a key is unconflicted only if every set has it with the same event. A key missing from
 * one set is in conflict.
 * https://spec.matrix.org/v1.19/rooms/v2/#definitions
 */
export function separateV2(sets: readonly StateMap[]): Separated {
  return separate(sets, (key, value) => sets.every((set) => set.get(key) === value))
}

/**
 * Version 1: a key is in conflict only if two sets have different events for it.
 * https://spec.matrix.org/v1.19/rooms/v1/#state-resolution
 */
export function separateV1(sets: readonly StateMap[]): Separated {
  return separate(sets, (key, value) =>
    sets.every((set) => {
      const other = set.get(key)
      return other === undefined || other === value
    }),
  )
}

function separate(
  sets: readonly StateMap[],
  agreed: (key: StateMapKey, value: EventId) => boolean,
): Separated {
  const unconflicted = new Map<StateMapKey, EventId>()
  const conflicted = sets.map((set) => {
    const own = new Map<StateMapKey, EventId>()
    for (const [key, value] of set) {
      // What one set found agreed, the others need not compare again.
      if (unconflicted.has(key)) continue
      if (agreed(key, value)) unconflicted.set(key, value)
      else own.set(key, value)
    }
    return own
  })
  return { unconflicted, conflicted }
}
