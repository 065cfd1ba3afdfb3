/**
 * State resolution v1, v2 and v2.1 written down sentence by sentence from the specification, for tests alone:
 * slow, over complete data, sharing nothing with the resolution in use but the authorisation rules.
 *
 * `reading` decides three points where the text and all deployed servers part: `text` takes it by its letter;
 * `deployed` counts a state's own events into its auth chain, follows auth events only inside the full
 * conflicted set when it enlarges and sorts the power events, and takes only events with an empty state key for
 * power levels and join rules. `synapse` is `deployed` with what Synapse alone does: it counts m.room.create as a
 * power event, and leaves events it had rejected out of the iterative auth checks.
 */

import { createHash } from 'node:crypto'
import { checkAuthRules } from '../../auth/check-auth-rules.ts'
import { powerLevelsOf } from '../../auth/power-levels.ts'
import type { Pdu } from '../../event/pdu.ts'
import type { EventId } from '../../ids/event-id.ts'
import type { Rejection } from '../facts.ts'
import type { StateMap, StateMapKey } from '../state-map.ts'
import { stateMapKey } from '../state-map.ts'

export type Reading = 'text' | 'deployed' | 'synapse'

export interface ReferenceRoom {
  readonly events: ReadonlyMap<EventId, Pdu>
  readonly rejections: ReadonlyMap<EventId, Rejection>
  readonly roomId: string
}

const CREATE = stateMapKey('m.room.create', '')
const POWER = stateMapKey('m.room.power_levels', '')

const keyOf = (e: Pdu): StateMapKey => stateMapKey(e.type, e.stateKey as string)
const less = (x: string, y: string): boolean => Buffer.compare(Buffer.from(x), Buffer.from(y)) < 0

/** The room state after merging the given states. */
export function resolveByTheBook(
  version: 'v1' | 'v2' | 'v2.1',
  room: ReferenceRoom,
  sets: readonly StateMap[],
  reading: Reading = 'deployed',
): StateMap {
  return version === 'v1' ? version1(room, sets) : new Version2(version, room, reading).resolve(sets)
}

class Version2 {
  readonly version: 'v2' | 'v2.1'
  readonly room: ReferenceRoom
  readonly reading: Reading
  readonly chains = new Map<EventId, Set<EventId>>()

  constructor(version: 'v2' | 'v2.1', room: ReferenceRoom, reading: Reading) {
    this.version = version
    this.room = room
    this.reading = reading
  }

  resolve(sets: readonly StateMap[]): StateMap {
    const { unconflictedMap, conflictedSet } = this.conflicts(sets)
    const full = this.fullConflictedSet(sets, conflictedSet)

    // 1. Select the set X of all power events that appear in the full conflicted set. For each such power event
    // P, enlarge X by adding the events in the auth chain of P which also belong to the full conflicted set.
    const x = new Set<EventId>()
    for (const p of full) {
      if (!this.isPowerEvent(this.event(p))) continue
      x.add(p)
      for (const id of this.reading === 'text' ? this.chain(p) : this.chainWithin(p, full)) {
        if (full.has(id)) x.add(id)
      }
    }
    const list = this.reverseTopologicalPowerOrdering(x)

    // 2. Apply the iterative auth checks algorithm, starting from the unconflicted state map (v12: empty).
    const start = this.version === 'v2' ? unconflictedMap : new Map<StateMapKey, EventId>()
    const partial = this.iterativeAuthChecks(start, list)

    // 3. Take all remaining events that weren't picked in step 1 and order them by the mainline ordering.
    const picked = new Set(list)
    const rest = this.mainlineOrdering(
      partial.get(POWER),
      [...full].filter((id) => !picked.has(id)),
    )

    // 4. Apply the iterative auth checks algorithm on the partial resolved state and the list of events.
    const result = new Map(this.iterativeAuthChecks(partial, rest))

    // 5. Replace any event with the event with the same key from the unconflicted state map.
    for (const [key, id] of unconflictedMap) result.set(key, id)
    return result
  }

  conflicts(sets: readonly StateMap[]): {
    unconflictedMap: Map<StateMapKey, EventId>
    conflictedSet: Set<EventId>
  } {
    const unconflictedMap = new Map<StateMapKey, EventId>()
    const conflictedSet = new Set<EventId>()
    for (const set of sets) {
      for (const [k, v] of set) {
        // If a given key K is present in every S_i with the same value V, the pair is unconflicted.
        if (sets.every((s) => s.has(k) && s.get(k) === v)) unconflictedMap.set(k, v)
        else conflictedSet.add(v)
      }
    }
    return { unconflictedMap, conflictedSet }
  }

  fullConflictedSet(sets: readonly StateMap[], conflictedSet: ReadonlySet<EventId>): Set<EventId> {
    const chainsOfStates = sets.map((set) => {
      const whole = new Set<EventId>()
      for (const id of set.values()) {
        if (this.reading !== 'text') whole.add(id)
        for (const other of this.chain(id)) whole.add(other)
      }
      return whole
    })
    const full = new Set<EventId>(conflictedSet)
    for (const whole of chainsOfStates) {
      for (const id of whole) if (!chainsOfStates.every((other) => other.has(id))) full.add(id)
    }
    if (this.version === 'v2.1') {
      for (const from of conflictedSet) {
        for (const id of this.chain(from)) {
          const leads = [...this.chain(id)].some((end) => conflictedSet.has(end))
          if (leads || conflictedSet.has(id)) full.add(id)
        }
      }
    }
    // Events rejected by their auth events, and events of other rooms, never appear in the process.
    for (const id of full) {
      const e = this.room.events.get(id)
      const usable = e !== undefined && e.stateKey !== undefined && e.roomId === this.room.roomId
      if (!usable || this.room.rejections.get(id) === 'by-auth-events') full.delete(id)
    }
    return full
  }

  isPowerEvent(e: Pdu): boolean {
    if (e.type === 'm.room.power_levels' || e.type === 'm.room.join_rules') {
      return this.reading === 'text' || e.stateKey === ''
    }
    if (this.reading === 'synapse' && e.type === 'm.room.create' && e.stateKey === '') return true
    const membership = e.content['membership']
    return (
      e.type === 'm.room.member' &&
      (membership === 'leave' || membership === 'ban') &&
      e.sender !== e.stateKey
    )
  }

  reverseTopologicalPowerOrdering(x: ReadonlySet<EventId>): EventId[] {
    const left = new Set(x)
    const list: EventId[] = []
    const blockers = (id: EventId): EventId[] =>
      this.reading === 'text' ? [...this.chain(id)] : [...this.event(id).authEvents]
    for (;;) {
      const candidates = [...left].filter((id) => !blockers(id).some((other) => left.has(other)))
      if (candidates.length === 0) return list
      const smallest = candidates.reduce((a, b) => (this.comesFirst(b, a) ? b : a))
      left.delete(smallest)
      list.push(smallest)
    }
  }

  comesFirst(x: EventId, y: EventId): boolean {
    const [px, py] = [this.senderPower(x), this.senderPower(y)]
    if (px !== py) return px > py
    const [tx, ty] = [this.event(x).originServerTs, this.event(y).originServerTs]
    return tx !== ty ? tx < ty : less(x, y)
  }

  senderPower(id: EventId): number | bigint {
    const e = this.event(id)
    const auth = this.authState(e, () => true)
    const create = auth.get(CREATE)
    return create === undefined ? 0 : powerLevelsOf(create, auth.get(POWER)).user(e.sender)
  }

  mainlineOrdering(p: EventId | undefined, ids: readonly EventId[]): EventId[] {
    const mainline: EventId[] = []
    for (let pi = p; pi !== undefined && !mainline.includes(pi); pi = this.powerLevelsIn(pi))
      mainline.push(pi)
    const position = (id: EventId): number => {
      const seen = new Set<EventId>()
      for (let ej = this.powerLevelsIn(id); ej !== undefined && !seen.has(ej); ej = this.powerLevelsIn(ej)) {
        if (mainline.includes(ej)) return mainline.indexOf(ej)
        seen.add(ej)
      }
      return Number.POSITIVE_INFINITY
    }
    return [...ids].sort((x, y) => {
      const [ix, iy] = [position(x), position(y)]
      if (ix !== iy) return ix > iy ? -1 : 1
      const [tx, ty] = [this.event(x).originServerTs, this.event(y).originServerTs]
      if (tx !== ty) return tx - ty
      return less(x, y) ? -1 : 1
    })
  }

  iterativeAuthChecks(start: StateMap, list: readonly EventId[]): StateMap {
    const state = new Map(start)
    const leftOut = this.reading === 'synapse'
    for (const id of list) {
      const e = this.event(id)
      const own = this.authState(e, (auth) => !this.room.rejections.has(auth))
      const verdict = checkAuthRules(e, (type, stateKey) => {
        const present = state.get(stateMapKey(type, stateKey))
        const passedOver = present === undefined || (leftOut && this.room.rejections.has(present))
        return passedOver ? own.get(stateMapKey(type, stateKey)) : this.event(present)
      })
      if (verdict.ok && !(leftOut && this.room.rejections.has(id))) state.set(keyOf(e), id)
    }
    return state
  }

  /** The auth events of an event by key, the create event included in v12. */
  authState(e: Pdu, usable: (id: EventId) => boolean): Map<StateMapKey, Pdu> {
    const state = new Map<StateMapKey, Pdu>()
    for (const id of e.authEvents) {
      const auth = this.room.events.get(id)
      if (auth?.stateKey !== undefined && auth.roomId === this.room.roomId && usable(id)) {
        state.set(keyOf(auth), auth)
      }
    }
    const create = this.room.events.get(`$${this.room.roomId.slice(1)}` as EventId)
    if (e.rules.roomIdIsCreateHash && create !== undefined) state.set(CREATE, create)
    return state
  }

  powerLevelsIn(id: EventId): EventId | undefined {
    return this.event(id).authEvents.find((auth) => {
      const e = this.room.events.get(auth)
      return e?.type === 'm.room.power_levels' && e.stateKey === ''
    })
  }

  /** All events reachable by auth_events links. */
  chain(id: EventId): Set<EventId> {
    const known = this.chains.get(id)
    if (known !== undefined) return known
    const chain = this.chainWithin(id, new Set(this.room.events.keys()))
    this.chains.set(id, chain)
    return chain
  }

  chainWithin(id: EventId, allowed: ReadonlySet<EventId>): Set<EventId> {
    const chain = new Set<EventId>()
    const add = (ids: readonly EventId[]): void => {
      for (const other of ids) {
        if (chain.has(other) || !allowed.has(other)) continue
        chain.add(other)
        add(this.event(other).authEvents)
      }
    }
    add(this.event(id).authEvents)
    return chain
  }

  event(id: EventId): Pdu {
    const e = this.room.events.get(id)
    if (e === undefined) throw new Error(`no event ${id}`)
    return e
  }
}

function version1(room: ReferenceRoom, sets: readonly StateMap[]): StateMap {
  // Start by setting R to the union of the states to be resolved, excluding any conflicting events.
  const r = new Map<StateMapKey, EventId>()
  const conflicting = new Map<StateMapKey, Set<EventId>>()
  for (const key of new Set(sets.flatMap((set) => [...set.keys()]))) {
    const ids = new Set(sets.map((set) => set.get(key)).filter((id) => id !== undefined))
    if (ids.size === 1) for (const id of ids) r.set(key, id)
    else conflicting.set(key, ids)
  }
  const event = (id: EventId): Pdu => room.events.get(id) as Pdu
  const sha1 = (id: EventId): string => createHash('sha1').update(id).digest('hex')
  const allowed = (e: Pdu, state: StateMap): boolean =>
    checkAuthRules(e, (type, stateKey) => {
      const id = state.get(stateMapKey(type, stateKey))
      return id === undefined ? undefined : event(id)
    }).ok
  // Ascending depth, then descending sha1(event_id).
  const listOf = (ids: Iterable<EventId>): EventId[] =>
    [...ids].sort((x, y) => event(x).depth - event(y).depth || (sha1(x) > sha1(y) ? -1 : 1))
  const resolveType = (type: string): void => {
    const chosen: [StateMapKey, EventId][] = []
    for (const [key, ids] of conflicting) {
      const list = listOf(ids)
      const first = list[0] as EventId
      if (event(first).type !== type) continue
      if (type === 'm.room.power_levels' && event(first).stateKey !== '') continue
      // Each key by itself: members that were resolved before must not decide over those that follow.
      const own = new Map(r).set(key, first)
      for (const id of list.slice(1)) {
        if (!allowed(event(id), own)) break
        own.set(key, id)
      }
      chosen.push([key, own.get(key) as EventId])
    }
    for (const [key, id] of chosen) {
      r.set(key, id)
      conflicting.delete(key)
    }
  }
  for (const type of ['m.room.power_levels', 'm.room.join_rules', 'm.room.member']) resolveType(type)
  const rest: [StateMapKey, EventId][] = []
  for (const [key, ids] of conflicting) {
    const list = listOf(ids)
    // Pick the event with the highest depth and lowest sha1 that passes; if none does, the lowest of the list.
    const winner = [...list].reverse().find((id) => allowed(event(id), r)) ?? (list[0] as EventId)
    rest.push([key, winner])
  }
  for (const [key, id] of rest) r.set(key, id)
  return r
}
