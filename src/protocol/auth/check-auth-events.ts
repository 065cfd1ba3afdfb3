/**
 * The rules that look at an event and its own auth_events only. A failure means: reject.
 * https://spec.matrix.org/v1.16/server-server-api/#checks-performed-on-receipt-of-a-pdu
 */

import { ALLOW, type Ask, type Verdict } from '../errors.ts'
import type { Pdu } from '../event/pdu.ts'
import type { EventId } from '../ids/event-id.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import { stateMapKey } from '../state/state-map.ts'
import { checkAuthRules } from './check-auth-rules.ts'
import { checkCreate } from './check-create.ts'
import { reject, ruleNumbers } from './numbering.ts'
import { selectAuthKeys } from './select.ts'

/** What is stored about an event beside itself. Rejected is for ever. */
export type IsRejected = (id: EventId) => boolean

/**
 * Checks an event against its own auth_events: first that they are the right ones (rule 2, or 2 and 3 in v12), then
 * all other rules with them as the state.
 * @param known auth events loaded so far; for v12 also the create event that the room id names
 * @returns the verdict, or the ids still to load
 */
export function checkAuthEvents(
  event: Pdu,
  known: ReadonlyMap<EventId, Pdu>,
  isRejected: IsRejected,
): Ask<Verdict, EventId> {
  if (event.type === 'm.room.create') return { done: checkCreate(event) }
  const implied = event.rules.roomIdIsCreateHash ? [createEventIdOf(event.roomId)] : []
  const need = [...implied, ...event.authEvents].filter((id) => !known.has(id))
  if (need.length > 0) return { need: [...new Set(need)] }
  const state = new Map<string, Pdu>()
  for (const id of implied) {
    const verdict = checkImpliedCreate(event, known.get(id)!, isRejected)
    if (!verdict.ok) return { done: verdict }
    state.set(stateMapKey('m.room.create', ''), known.get(id)!)
  }
  const named = event.authEvents.map((id) => known.get(id)!)
  const verdict = checkNamed(event, named, isRejected)
  if (!verdict.ok) return { done: verdict }
  for (const auth of named) state.set(stateMapKey(auth.type, auth.stateKey!), auth)
  return { done: checkAuthRules(event, (type, stateKey) => state.get(stateMapKey(type, stateKey))) }
}

/** v12 rule 2: the room id names an accepted create event. */
function checkImpliedCreate(event: Pdu, create: Pdu, isRejected: IsRejected): Verdict {
  const at = ruleNumbers(event.rules).room
  if (create.type !== 'm.room.create' || create.stateKey !== '' || create.roomId !== event.roomId) {
    return reject(event.rules, at, 'the room id does not name a create event')
  }
  if (isRejected(create.eventId)) return reject(event.rules, at, "the room's create event was rejected")
  return ALLOW
}

/** Rule 2 (3 in v12), considering the event's auth_events. */
function checkNamed(event: Pdu, named: readonly Pdu[], isRejected: IsRejected): Verdict {
  const { rules } = event
  const at = ruleNumbers(rules).authEvents
  const seen = new Set<string>()
  for (const auth of named) {
    const pair = stateMapKey(auth.type, auth.stateKey ?? '')
    if (auth.stateKey !== undefined && seen.has(pair)) {
      return reject(rules, `${at}.1`, `two auth_events for ${auth.type}`)
    }
    seen.add(pair)
  }
  const wanted = new Set(
    selectAuthKeys(rules, event.type, event.sender, event.stateKey, event.content).map(([type, key]) =>
      stateMapKey(type, key),
    ),
  )
  for (const auth of named) {
    if (auth.stateKey === undefined || !wanted.has(stateMapKey(auth.type, auth.stateKey))) {
      return reject(rules, `${at}.2`, `auth_events holds an unexpected ${auth.type}`)
    }
  }
  const rejected = named.find((auth) => isRejected(auth.eventId))
  if (rejected !== undefined) return reject(rules, `${at}.3`, `auth event ${rejected.eventId} was rejected`)
  if (!rules.auth.privilegedCreators && !seen.has(stateMapKey('m.room.create', ''))) {
    return reject(rules, `${at}.4`, 'auth_events holds no create event')
  }
  if (named.some((auth) => auth.roomId !== event.roomId)) {
    return reject(rules, `${at}.5`, 'an auth event is of another room')
  }
  return ALLOW
}
