/** The iterative auth checks. https://spec.matrix.org/v1.19/rooms/v2/#definitions */

import { checkAuthRules } from '../auth/check-auth-rules.ts'
import type { Pdu, StateLookup } from '../event/pdu.ts'
import type { EventId } from '../ids/event-id.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import type { Asker } from './facts.ts'
import { CREATE_KEY, type StateMapKey, stateMapKey } from './state-map.ts'

/**
 * Goes through sorted events and puts each into the state if the authorisation rules allow it there. A key that
 * the state lacks is taken from the event's own auth events, unless the auth event is rejected. In v12 the
 * create event, which stands in no auth events, is supplied from the room id.
 * @param state is added to
 * @param base read where `state` has no entry
 */
export function applyInOrder(
  events: readonly Pdu[],
  state: Map<StateMapKey, EventId>,
  base: ReadonlyMap<StateMapKey, EventId>,
  asker: Asker,
): void {
  for (const event of events) {
    if (checkAuthRules(event, stateFor(event, state, base, asker)).ok) {
      state.set(stateMapKey(event.type, event.stateKey as string), event.eventId)
    }
  }
}

function stateFor(
  event: Pdu,
  state: ReadonlyMap<StateMapKey, EventId>,
  base: ReadonlyMap<StateMapKey, EventId>,
  asker: Asker,
): StateLookup {
  let own: Map<StateMapKey, Pdu> | undefined
  return (type, stateKey) => {
    const key = stateMapKey(type, stateKey)
    const id = state.get(key) ?? base.get(key)
    if (id !== undefined) return asker.event(id)
    if (key === CREATE_KEY && event.rules.roomIdIsCreateHash)
      return asker.event(createEventIdOf(event.roomId))
    own ??= ownAuthEvents(event, asker)
    return own.get(key)
  }
}

function ownAuthEvents(event: Pdu, asker: Asker): Map<StateMapKey, Pdu> {
  const own = new Map<StateMapKey, Pdu>()
  for (const id of event.authEvents) {
    const auth = asker.authorising(id)
    if (auth?.stateKey !== undefined) own.set(stateMapKey(auth.type, auth.stateKey), auth)
  }
  return own
}
