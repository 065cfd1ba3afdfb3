/** The mainline ordering. https://spec.matrix.org/v1.19/rooms/v2/#definitions */

import type { Pdu } from '../event/pdu.ts'
import type { EventId } from '../ids/event-id.ts'
import type { Asker } from './facts.ts'
import { compareByTime } from './power-order.ts'

/** Position of an event that no mainline event stands behind: greater than any other. */
const OFF_MAINLINE = Number.POSITIVE_INFINITY

/**
 * Sorts events by the mainline of a power levels event: those based on an earlier part of the mainline first.
 * @param powerLevels the m.room.power_levels event of the partially resolved state, if it has one
 */
export function sortByMainline(
  events: Iterable<Pdu>,
  powerLevels: Pdu | undefined,
  asker: Asker,
): readonly Pdu[] {
  const positions = mainlinePositions(powerLevels, asker)
  return [...events]
    .map((event) => ({ event, position: positionOf(event, positions, asker) }))
    .sort((a, b) => {
      if (a.position !== b.position) return a.position > b.position ? -1 : 1
      return compareByTime(a.event, b.event)
    })
    .map(({ event }) => event)
}

/** 0 for the power levels event itself, 1 for the one in its auth events, and so on. */
function mainlinePositions(powerLevels: Pdu | undefined, asker: Asker): Map<EventId, number> {
  const positions = new Map<EventId, number>()
  let current = powerLevels
  // A cycle ends at the first event met twice.
  while (current !== undefined && !positions.has(current.eventId)) {
    positions.set(current.eventId, positions.size)
    current = powerLevelsBehind(current, asker)
  }
  return positions
}

/** Finds the nearest mainline event behind an event, and notes the answer for all events on the way there. */
function positionOf(event: Pdu, positions: Map<EventId, number>, asker: Asker): number {
  const passed: EventId[] = []
  let position: number | undefined
  for (let behind = powerLevelsBehind(event, asker); position === undefined; ) {
    if (behind === undefined) {
      position = OFF_MAINLINE
      break
    }
    position = positions.get(behind.eventId)
    if (position !== undefined) break
    // Until the walk ends it counts as a dead end, which stops a cycle.
    positions.set(behind.eventId, OFF_MAINLINE)
    passed.push(behind.eventId)
    behind = powerLevelsBehind(behind, asker)
  }
  for (const id of passed) positions.set(id, position)
  return position
}

/** The m.room.power_levels event in an event's auth events. */
function powerLevelsBehind(event: Pdu, asker: Asker): Pdu | undefined {
  for (const id of event.authEvents) {
    const auth = asker.event(id)
    if (auth?.type === 'm.room.power_levels' && auth.stateKey === '') return auth
  }
  return undefined
}
