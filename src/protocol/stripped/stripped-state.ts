/**
 * Stripped state: what somebody outside a room is shown with an invite or a knock.
 * https://spec.matrix.org/v1.19/client-server-api/#stripped-state
 */

import type { Pdu, StateKeyPair, StateLookup } from '../event/pdu.ts'
import { isObject, type JsonObject, type JsonValue, member } from '../json/value.ts'
import { STRIPPED_EVENTS_MAX } from './limits.ts'

/** An event with these four members alone. */
export interface StrippedEvent {
  readonly type: string
  readonly state_key: string
  readonly sender: string
  readonly content: JsonObject
}

/** Types with an empty state key that belong to stripped state; the create event is required. */
export const STRIPPED_TYPES = [
  'm.room.create',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.encryption',
] as const

/** The keys to load for `strippedStateOf`: the usual types, and the member event of the sender if given. */
export function strippedStateKeys(sender?: string): readonly StateKeyPair[] {
  const keys: StateKeyPair[] = STRIPPED_TYPES.map((type) => [type, ''])
  return sender === undefined ? keys : [...keys, ['m.room.member', sender]]
}

/** The full events of a room's state that an invite or knock carries to another server, create event first. */
export function strippedStateOf(state: StateLookup, sender?: string): readonly Pdu[] {
  return strippedStateKeys(sender)
    .map(([type, stateKey]) => state(type, stateKey))
    .filter((event) => event !== undefined)
}

/** Cuts a state event down to the four members. Throws on a message event, which is our mistake. */
export function stripEvent(event: Pdu): StrippedEvent {
  if (event.stateKey === undefined) throw new TypeError('only a state event can be stripped')
  return { type: event.type, state_key: event.stateKey, sender: event.sender, content: event.content }
}

/** The invite or knock itself, as it goes with stripped state: with its id and time, in milliseconds. */
export interface StrippedMembership extends StrippedEvent {
  readonly event_id: string
  readonly origin_server_ts: number
}

/**
 * Cuts an invite or a knock down for the one whom it is about. It keeps its id and time, by which clients order
 * invites; Synapse sends it so, and MSC4319 asks for it.
 */
export function stripMembership(event: Pdu): StrippedMembership {
  return { ...stripEvent(event), event_id: event.eventId, origin_server_ts: event.originServerTs }
}

/**
 * Cuts down what another server sent as `invite_room_state` or `knock_room_state`. Entries that are no state
 * events are left out, as is all beyond STRIPPED_EVENTS_MAX; clients never see the rest of an event.
 */
export function pruneStrippedState(received: JsonValue | undefined): readonly StrippedEvent[] {
  if (!Array.isArray(received)) return []
  return received
    .slice(0, STRIPPED_EVENTS_MAX)
    .map(pruneOne)
    .filter((event) => event !== undefined)
}

/** Tells whether stripped state holds the create event, which v1.16 requires. */
export function hasCreateEvent(events: readonly StrippedEvent[]): boolean {
  return events.some(({ type, state_key: stateKey }) => type === 'm.room.create' && stateKey === '')
}

function pruneOne(value: JsonValue): StrippedEvent | undefined {
  if (!isObject(value)) return undefined
  const type = member(value, 'type')
  const stateKey = member(value, 'state_key')
  const sender = member(value, 'sender')
  const content = member(value, 'content')
  if (typeof type !== 'string' || typeof stateKey !== 'string' || typeof sender !== 'string') return undefined
  return isObject(content) ? { type, state_key: stateKey, sender, content } : undefined
}
