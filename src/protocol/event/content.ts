/**
 * Lazy views of event contents: each reads one field when asked, so that junk in another field of the same event
 * cannot matter. Absent and wrongly typed fields are both undefined unless said otherwise.
 */
import { isObject, type JsonObject, type JsonValue, member } from '../json/value.ts'
import type { Pdu } from './pdu.ts'

export type Membership = 'join' | 'invite' | 'leave' | 'ban' | 'knock'

/** A string member, or undefined. */
export function stringOf(object: JsonObject, key: string): string | undefined {
  const value = member(object, key)
  return typeof value === 'string' ? value : undefined
}

/** An object member, or undefined. */
export function objectOf(object: JsonObject, key: string): JsonObject | undefined {
  const value = member(object, key)
  return isObject(value) ? value : undefined
}

/** `content.membership` of a member event as it stands, known or not. */
export function membershipOf(event: Pdu | undefined): string | undefined {
  return event === undefined ? undefined : stringOf(event.content, 'membership')
}

/**
 * `content.join_rule`: `invite` without an event or without the member, as the default of the specification; the
 * empty string, which is no rule, for a wrong type.
 */
export function joinRuleOf(event: Pdu | undefined): string {
  const value = event && member(event.content, 'join_rule')
  return value === undefined ? 'invite' : typeof value === 'string' ? value : ''
}

/** `content.room_version` of a create event: `1` when absent, undefined when it is not a string. */
export function roomVersionOf(content: JsonObject): string | undefined {
  const value = member(content, 'room_version')
  return value === undefined ? '1' : typeof value === 'string' ? value : undefined
}

/** `content.m.federate` of a create event: false only when it is the boolean false. */
export function federates(create: Pdu): boolean {
  return member(create.content, 'm.federate') !== false
}

/** `content.join_authorised_via_users_server`: any value, because its mere presence has meaning. */
export function authorisedViaOf(event: Pdu): JsonValue | undefined {
  return member(event.content, 'join_authorised_via_users_server')
}

/** `content.third_party_invite` with `signed`, or undefined. */
export function thirdPartySignedOf(event: Pdu): JsonObject | undefined {
  const invite = objectOf(event.content, 'third_party_invite')
  return invite && objectOf(invite, 'signed')
}

/** `content.history_visibility`; undefined when absent or of another type. */
export function historyVisibilityOf(event: Pdu | undefined): string | undefined {
  return event && stringOf(event.content, 'history_visibility')
}

/** `content.additional_creators` of a v12 create event: its strings; empty when absent or not an array. */
export function additionalCreatorsOf(create: Pdu): readonly string[] {
  const value = member(create.content, 'additional_creators')
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** `content.predecessor.room_id` and `event_id`, as far as they are strings. */
export function predecessorOf(create: Pdu): { roomId: string; eventId: string | undefined } | undefined {
  const predecessor = objectOf(create.content, 'predecessor')
  const roomId = predecessor && stringOf(predecessor, 'room_id')
  if (predecessor === undefined || roomId === undefined) return undefined
  return { roomId, eventId: stringOf(predecessor, 'event_id') }
}
