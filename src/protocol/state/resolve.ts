/** State resolution, whatever the room version. */

import type { Ask } from '../errors.ts'
import type { EventId } from '../ids/event-id.ts'
import type { RoomId } from '../ids/room-id.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'
import { Asker, type ResolutionFacts } from './facts.ts'
import { resolveV1 } from './resolve-v1.ts'
import { type Resolved, resolveV2 } from './resolve-v2.ts'
import { type Separated, separateV1, separateV2 } from './separate.ts'
import type { StateMap } from './state-map.ts'

/** A room, as far as resolution is concerned. */
export interface ResolutionRoom {
  readonly rules: RoomVersionRules
  readonly roomId: RoomId
}

/**
 * The resolution of several states of a room, which does not depend on their order.
 * https://spec.matrix.org/v1.19/server-server-api/#room-state-resolution
 *
 * @param sets at least one; the state after each event that is merged
 * @returns the resolved state, or ids of events (at most RESOLUTION_NEED_MAX) to load before calling again with
 *   the same arguments. Load their whole auth chains with them: every answer begins anew.
 */
export function resolveState(
  room: ResolutionRoom,
  sets: readonly StateMap[],
  facts: ResolutionFacts,
): Ask<StateMap, EventId> {
  const [first] = sets
  if (first === undefined) throw new RangeError('there must be a state to resolve')
  if (sets.every((set) => set === first)) return { done: first }
  const separated = separateStates(room.rules, sets)
  const answer = resolveConflicts(room, separated, facts)
  if ('need' in answer) return answer
  return { done: new Map([...separated.unconflicted, ...answer.done]) }
}

/** Finds what the sets agree on; a caller that knows how its states differ can say so itself. */
export function separateStates(rules: RoomVersionRules, sets: readonly StateMap[]): Separated {
  return rules.stateResolution === 'v1' ? separateV1(sets) : separateV2(sets)
}

/**
 * Resolves what is in conflict. The resolved state is the unconflicted state with the answer added to it; the
 * answer may hold keys that no set has, and lack keys that some set has.
 */
export function resolveConflicts(
  room: ResolutionRoom,
  separated: Separated,
  facts: ResolutionFacts,
): Ask<Resolved, EventId> {
  if (separated.conflicted.every((set) => set.size === 0)) return { done: new Map() }
  const asker = new Asker(facts, room.roomId)
  const version = room.rules.stateResolution
  return version === 'v1' ? resolveV1(separated, asker) : resolveV2(separated, version, asker)
}
