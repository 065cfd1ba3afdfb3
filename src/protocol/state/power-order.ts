/** Power events and the reverse topological power ordering. */

import type { Level } from '../auth/level.ts'
import { powerLevelsOf } from '../auth/power-levels.ts'
import { membershipOf } from '../event/content.ts'
import type { Pdu } from '../event/pdu.ts'
import type { EventId } from '../ids/event-id.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import { compareCodePoints } from '../json/canonical.ts'
import type { Asker } from './facts.ts'
import { Heap } from './heap.ts'

/** An event with what decides its place. */
interface Placed {
  readonly event: Pdu
  readonly power: Level
  /** Auth events in the graph that have not been put out yet. */
  waiting: number
  readonly citedBy: Placed[]
}

/**
 * Tells whether an event might remove somebody's ability to do something. As all servers do, only the power
 * levels and join rules with an empty state key count, since no others have any effect.
 * https://spec.matrix.org/v1.19/rooms/v2/#definitions
 */
export function isPowerEvent(event: Pdu): boolean {
  if (event.type === 'm.room.power_levels' || event.type === 'm.room.join_rules') return event.stateKey === ''
  if (event.type !== 'm.room.member' || event.sender === event.stateKey) return false
  const membership = membershipOf(event)
  return membership === 'leave' || membership === 'ban'
}

/**
 * The power events of the full conflicted set and the auth events that lead to them within the set, sorted from
 * earliest to latest: at each step the smallest event all of whose auth events in the graph are out already.
 * Events on a cycle are never free and are left out.
 */
export function sortPowerEvents(full: ReadonlyMap<EventId, Pdu>, asker: Asker): readonly Pdu[] {
  const graph = placeAll(full, asker)
  const free = new Heap<Placed>(comesBefore)
  for (const placed of graph.values()) if (placed.waiting === 0) free.push(placed)
  const sorted: Pdu[] = []
  for (let next = free.pop(); next !== undefined; next = free.pop()) {
    sorted.push(next.event)
    for (const citing of next.citedBy) {
      citing.waiting -= 1
      if (citing.waiting === 0) free.push(citing)
    }
  }
  return sorted
}

/** The power level of an event's sender by the event's own auth events. */
export function senderPower(event: Pdu, asker: Asker): Level {
  let create: Pdu | undefined
  let powerLevels: Pdu | undefined
  const ids = event.rules.roomIdIsCreateHash
    ? [...event.authEvents, createEventIdOf(event.roomId)]
    : event.authEvents
  for (const id of ids) {
    const auth = asker.event(id)
    if (auth?.stateKey !== '') continue
    if (auth.type === 'm.room.create') create = auth
    else if (auth.type === 'm.room.power_levels') powerLevels = auth
  }
  if (create === undefined) return 0
  const level = powerLevelsOf(create, powerLevels).user(event.sender)
  // What cannot be read grants nothing; the order has to be total.
  return Number.isNaN(level) ? Number.NEGATIVE_INFINITY : level
}

function placeAll(full: ReadonlyMap<EventId, Pdu>, asker: Asker): ReadonlyMap<EventId, Placed> {
  const graph = new Map<EventId, Placed>()
  const open: Placed[] = []
  const place = (event: Pdu): Placed => {
    const known = graph.get(event.eventId)
    if (known !== undefined) return known
    const placed: Placed = { event, power: senderPower(event, asker), waiting: 0, citedBy: [] }
    graph.set(event.eventId, placed)
    open.push(placed)
    return placed
  }
  for (const event of full.values()) if (isPowerEvent(event)) place(event)
  for (let placed = open.pop(); placed !== undefined; placed = open.pop()) {
    for (const id of new Set(placed.event.authEvents)) {
      const auth = full.get(id)
      if (auth === undefined) continue
      placed.waiting += 1
      place(auth).citedBy.push(placed)
    }
  }
  return graph
}

/** Greater power first, then the earlier timestamp, then the smaller id. */
function comesBefore(a: Placed, b: Placed): boolean {
  if (a.power !== b.power) return a.power > b.power
  return compareByTime(a.event, b.event) < 0
}

/** By origin_server_ts, then by event_id. */
export function compareByTime(a: Pdu, b: Pdu): number {
  return a.originServerTs - b.originServerTs || compareCodePoints(a.eventId, b.eventId)
}
