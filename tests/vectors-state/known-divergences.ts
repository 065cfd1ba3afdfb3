/**
 * The only ways in which Synapse's library may resolve a room of the vectors otherwise than we do. A room must show
 * the fact that a divergence is about, and Synapse's answer must be exactly the one that the divergence predicts.
 */

import { type StateMap, type StateMapKey, splitStateMapKey, stateMapKey } from '#/protocol/state/state-map.ts'
import { type Reading, resolveByTheBook } from '#/protocol/state/testing/reference.ts'
import type { VectorRoom } from './read-rooms.ts'

export interface Divergence {
  readonly name: string
  /** The reading of the algorithm that Synapse follows. */
  readonly reading: Reading
  /** Keys whose value may differ. */
  readonly ignores: (key: StateMapKey) => boolean
  readonly concerns: (room: VectorRoom) => boolean
}

const nothing = (): boolean => false

/** Other power levels than those in force. No rule of any version reads them. */
function isOddLevels(key: StateMapKey): boolean {
  const { type, stateKey } = splitStateMapKey(key)
  return type === 'm.room.power_levels' && stateKey !== ''
}

const hasOddLevels = (room: VectorRoom): boolean =>
  [...room.events.values()].some((event) => isOddLevels(stateMapKey(event.type, event.stateKey as string)))

const hasRejected = (room: VectorRoom): boolean =>
  room.rules.stateResolution !== 'v1' && room.rejections.size > 0

/** A closed list: a room that differs and is not recognised here fails the test. */
export const KNOWN_DIVERGENCES: readonly Divergence[] = [
  {
    // The authorisation rules compare new power levels with those in force. Synapse compares an event with another
    // state key with the former event of that key, and so lets it in. It decides nothing but its own key.
    name: 'm.room.power_levels with another state key is compared with the levels in force',
    reading: 'deployed',
    ignores: isOddLevels,
    concerns: hasOddLevels,
  },
  {
    // Rooms of version 12, "Rejected events": events rejected by the state before them are handled as usual. Synapse
    // passes over all events that it had rejected (element-hq/synapse#13797).
    name: 'Synapse leaves out events that it had rejected',
    reading: 'synapse',
    ignores: nothing,
    concerns: hasRejected,
  },
]

/** The entry that explains Synapse's answer, or undefined. */
export function explain(room: VectorRoom): Divergence | undefined {
  return KNOWN_DIVERGENCES.find(({ reading, ignores, concerns }) => {
    if (!concerns(room)) return false
    const answer = resolveByTheBook(room.rules.stateResolution, room, room.sets, reading)
    return isEqual(answer, room.resolved, ignores)
  })
}

function isEqual(a: StateMap, b: StateMap, ignores: (key: StateMapKey) => boolean): boolean {
  return [...new Set([...a.keys(), ...b.keys()])].every((key) => ignores(key) || a.get(key) === b.get(key))
}
