/**
 * State resolution of room versions 2 to 11 (v2) and 12 (v2.1).
 * https://spec.matrix.org/v1.19/rooms/v2/#state-resolution
 * https://spec.matrix.org/v1.19/rooms/v12/#state-resolution
 */

import type { Ask } from '../errors.ts'
import type { Pdu } from '../event/pdu.ts'
import type { EventId } from '../ids/event-id.ts'
import { AuthGraph, authDifference, conflictedSubgraph } from './auth-graph.ts'
import type { Asker } from './facts.ts'
import { applyInOrder } from './iterative-auth.ts'
import { sortByMainline } from './mainline.ts'
import { sortPowerEvents } from './power-order.ts'
import type { Separated } from './separate.ts'
import { POWER_LEVELS_KEY, type StateMapKey } from './state-map.ts'

/** What the conflicted keys resolve to; keys of the unconflicted state are not in it. */
export type Resolved = ReadonlyMap<StateMapKey, EventId>

/** Resolves separated state sets. `version` decides between the two algorithms. */
export function resolveV2(
  separated: Separated,
  version: 'v2' | 'v2.1',
  asker: Asker,
): Ask<Resolved, EventId> {
  const { unconflicted } = separated
  const full = fullConflictedSet(separated, version, asker)
  if (asker.need.length > 0) return { need: asker.need }

  // 1. Select the power events and the auth events they need, and sort them.
  const powerEvents = sortPowerEvents(full, asker)
  if (asker.need.length > 0) return { need: asker.need }

  // 2. Apply them, starting from the unconflicted state map (v2) or from an empty one (v2.1).
  const base = version === 'v2' ? unconflicted : new Map<StateMapKey, EventId>()
  const state = new Map<StateMapKey, EventId>()
  applyInOrder(powerEvents, state, base, asker)
  if (asker.need.length > 0) return { need: asker.need }

  // 3. Sort the others by the mainline of the power levels resolved so far.
  const powerLevelsId = state.get(POWER_LEVELS_KEY) ?? base.get(POWER_LEVELS_KEY)
  const powerLevels = powerLevelsId === undefined ? undefined : asker.event(powerLevelsId)
  const others = sortByMainline(remaining(full, powerEvents), powerLevels, asker)
  if (asker.need.length > 0) return { need: asker.need }

  // 4. Apply them too.
  applyInOrder(others, state, base, asker)
  if (asker.need.length > 0) return { need: asker.need }

  // 5. Unconflicted state stands above what was resolved.
  for (const key of unconflicted.keys()) state.delete(key)
  return { done: state }
}

/** The events in conflict, the auth difference and in v2.1 the conflicted state subgraph. */
function fullConflictedSet(
  { conflicted, unconflicted }: Separated,
  version: 'v2' | 'v2.1',
  asker: Asker,
): ReadonlyMap<EventId, Pdu> {
  const graph = new AuthGraph(asker)
  const sets = conflicted.map((set) => [...set.values()])
  const nodes = authDifference(graph, sets, () => unconflicted.values())
  const inConflict = new Set(sets.flat().map((id) => graph.node(id)))
  for (const node of inConflict) nodes.add(node)
  if (version === 'v2.1') for (const node of conflictedSubgraph(graph, inConflict)) nodes.add(node)
  const full = new Map<EventId, Pdu>()
  for (const node of nodes) {
    const id = graph.ids[node] as EventId
    const event = asker.participant(id)
    if (event !== undefined) full.set(id, event)
  }
  return full
}

/** Events that were not sorted in step 1, among them those on a cycle of auth events. */
function remaining(full: ReadonlyMap<EventId, Pdu>, picked: readonly Pdu[]): readonly Pdu[] {
  const ids = new Set(picked.map((event) => event.eventId))
  return [...full.values()].filter((event) => !ids.has(event.eventId))
}
