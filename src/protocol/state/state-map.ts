/** Room state as a map from (type, state_key) to an event id. */

import type { EventId } from '../ids/event-id.ts'

/** A pair of type and state key as one string; made and split only here. */
export type StateMapKey = string & { readonly __stateMapKey: true }

/** The state of a room at one point. */
export type StateMap = ReadonlyMap<StateMapKey, EventId>

/**
 * One string for a type and a state key. The length in front keeps the border unambiguous whatever characters
 * a sender put into either.
 */
export function stateMapKey(type: string, stateKey: string): StateMapKey {
  return `${type.length}:${type}${stateKey}` as StateMapKey
}

/** The type and state key of a `stateMapKey`. */
export function splitStateMapKey(key: StateMapKey): { readonly type: string; readonly stateKey: string } {
  const colon = key.indexOf(':')
  const border = colon + 1 + Number(key.slice(0, colon))
  return { type: key.slice(colon + 1, border), stateKey: key.slice(border) }
}

export const CREATE_KEY = stateMapKey('m.room.create', '')
export const POWER_LEVELS_KEY = stateMapKey('m.room.power_levels', '')
