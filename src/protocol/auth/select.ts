import { objectOf, stringOf } from '../event/content.ts'
import type { StateKeyPair } from '../event/pdu.ts'
import { type JsonObject, member } from '../json/value.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'

/**
 * The state that an event may and should name in auth_events, without duplicates. Those present in the state before
 * the event are its auth events. https://spec.matrix.org/v1.16/server-server-api/#auth-events-selection
 */
export function selectAuthKeys(
  rules: RoomVersionRules,
  type: string,
  sender: string,
  stateKey: string | undefined,
  content: JsonObject,
): StateKeyPair[] {
  if (type === 'm.room.create') return []
  const keys: StateKeyPair[] = []
  if (!rules.auth.privilegedCreators) keys.push(['m.room.create', ''])
  keys.push(['m.room.power_levels', ''], ['m.room.member', sender])
  if (type !== 'm.room.member') return keys
  const membership = stringOf(content, 'membership')
  const members = new Set([sender])
  const addMember = (userId: string | undefined) => {
    if (userId === undefined || members.has(userId)) return
    members.add(userId)
    keys.push(['m.room.member', userId])
  }
  addMember(stateKey)
  if (membership === 'join' || membership === 'invite' || membership === 'knock') {
    keys.push(['m.room.join_rules', ''])
  }
  if (membership === 'invite') {
    const invite = objectOf(content, 'third_party_invite')
    const signed = invite && objectOf(invite, 'signed')
    const token = signed && stringOf(signed, 'token')
    if (token !== undefined) keys.push(['m.room.third_party_invite', token])
  }
  if (membership === 'join' && rules.auth.restricted) {
    const via = member(content, 'join_authorised_via_users_server')
    addMember(typeof via === 'string' ? via : undefined)
  }
  return keys
}
