/**
 * State resolution of room version 1. Known to reset state; no other version uses it.
 * https://spec.matrix.org/v1.19/rooms/v1/#state-resolution
 */

import { hash } from 'node:crypto'
import { checkAuthRules } from '../auth/check-auth-rules.ts'
import type { Ask } from '../errors.ts'
import type { Pdu, StateLookup } from '../event/pdu.ts'
import type { EventId } from '../ids/event-id.ts'
import { member, NumberToken } from '../json/value.ts'
import type { Asker } from './facts.ts'
import type { Resolved } from './resolve-v2.ts'
import type { Separated } from './separate.ts'
import { POWER_LEVELS_KEY, type StateMapKey, splitStateMapKey, stateMapKey } from './state-map.ts'

/** The events in conflict for one key, from the greatest depth and the smallest hash downwards. */
type Conflicts = ReadonlyMap<StateMapKey, readonly Pdu[]>

/** Resolves separated state sets. Keys of the unconflicted state are not in the answer. */
export function resolveV1(separated: Separated, asker: Asker): Ask<Resolved, EventId> {
  const conflicts = collect(separated, asker)
  if (asker.need.length > 0) return { need: asker.need }
  const resolved = new Map<StateMapKey, EventId>()
  const lookup: StateLookup = (type, stateKey) => {
    const key = stateMapKey(type, stateKey)
    const id = resolved.get(key) ?? separated.unconflicted.get(key)
    return id === undefined ? undefined : asker.event(id)
  }
  const pass = (picks: (key: StateMapKey) => boolean, pick: typeof walkUp): void => {
    // The keys of one pass are resolved against the same state, so that their order does not matter.
    const winners = [...conflicts]
      .filter(([key]) => !resolved.has(key) && picks(key))
      .map(([key, events]) => [key, pick(events, lookup).eventId] as const)
    for (const [key, id] of winners) resolved.set(key, id)
  }
  pass((key) => key === POWER_LEVELS_KEY, walkUp)
  pass((key) => splitStateMapKey(key).type === 'm.room.join_rules', walkUp)
  pass((key) => splitStateMapKey(key).type === 'm.room.member', walkUp)
  pass(() => true, firstAllowed)
  return asker.need.length > 0 ? { need: asker.need } : { done: resolved }
}

/** From the least depth upwards: the last event before the first that is not allowed. */
function walkUp(events: readonly Pdu[], lookup: StateLookup): Pdu {
  let winner = events.at(-1) as Pdu
  for (const event of events.slice(0, -1).reverse()) {
    const before = winner
    const state: StateLookup = (type, stateKey) =>
      type === before.type && stateKey === before.stateKey ? before : lookup(type, stateKey)
    if (!checkAuthRules(event, state).ok) return winner
    winner = event
  }
  return winner
}

/** The first event that is allowed; the last one if none is, as all servers do. */
function firstAllowed(events: readonly Pdu[], lookup: StateLookup): Pdu {
  return events.find((event) => checkAuthRules(event, lookup).ok) ?? (events.at(-1) as Pdu)
}

function collect(separated: Separated, asker: Asker): Conflicts {
  const conflicts = new Map<StateMapKey, Map<EventId, Pdu>>()
  for (const set of separated.conflicted) {
    for (const [key, id] of set) {
      const event = asker.participant(id)
      if (event === undefined) continue
      const events = conflicts.get(key) ?? new Map<EventId, Pdu>()
      conflicts.set(key, events.set(id, event))
    }
  }
  return new Map([...conflicts].map(([key, events]) => [key, sortDown([...events.values()])]))
}

function sortDown(events: readonly Pdu[]): readonly Pdu[] {
  return events
    .map((event) => ({ event, depth: exactDepth(event), sha1: hash('sha1', event.eventId) }))
    .sort((a, b) => {
      if (a.depth !== b.depth) return a.depth > b.depth ? -1 : 1
      return a.sha1 < b.sha1 ? -1 : 1
    })
    .map(({ event }) => event)
}

/** The depth as it was sent: up to 2^63-1 in version 1. */
function exactDepth(event: Pdu): bigint {
  const depth = member(event.json, 'depth')
  return depth instanceof NumberToken && depth.isInteger() ? BigInt(depth.token) : BigInt(event.depth)
}
