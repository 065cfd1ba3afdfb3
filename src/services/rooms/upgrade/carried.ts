/** What of an old room's state the new one gets, as its version can say it. */
import { parseLevel } from '#/protocol/auth/level.ts'
import { additionalCreatorsOf, joinRuleOf } from '#/protocol/event/content.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import { parseUserId, type UserId } from '#/protocol/ids/user-id.ts'
import { isObject, type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'

/**
 * State with the empty key that is carried over: https://spec.matrix.org/v1.19/client-server-api/#server-behaviour-20
 * with what else makes the room the same one. The levels come last, by `carriedLevels`.
 */
export const CARRIED_TYPES = [
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.encryption',
  'm.room.server_acl',
  'm.room.policy',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.related_groups',
] as const

/** Types without which the new room is still as safe as the old one, should its version refuse their content. */
export const ORNAMENTS: ReadonlySet<string> = new Set([
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.related_groups',
  'm.room.canonical_alias',
  'm.space.child',
  'm.room.member',
])

/** Content of the new create event, but for the predecessor. */
export function carriedCreate(
  rules: RoomVersionRules,
  old: Pdu,
  sender: UserId,
  additional: readonly UserId[],
): Record<string, JsonValue> {
  const content: Record<string, JsonValue> = { room_version: rules.version }
  for (const key of ['type', 'm.federate']) {
    const value = member(old.content, key)
    if (value !== undefined) content[key] = value
  }
  if (rules.auth.creatorInContent) content['creator'] = sender
  if (rules.auth.privilegedCreators && additional.length > 0) content['additional_creators'] = [...additional]
  return content
}

/** Join rules; one that the version does not know becomes the nearest that lets in no more people. */
export function carriedJoinRules(rules: RoomVersionRules, old: Pdu): JsonObject {
  const rule = joinRuleOf(old)
  const { knock, restricted, knockRestricted } = rules.auth
  if (rule === 'knock' && !knock) return { join_rule: 'invite' }
  if (rule === 'restricted' && !restricted) return { join_rule: 'invite' }
  if (rule !== 'knock_restricted' || knockRestricted) return old.content
  return restricted ? { ...old.content, join_rule: 'restricted' } : { join_rule: 'invite' }
}

const NUMBERS = [
  'users_default',
  'events_default',
  'state_default',
  'ban',
  'redact',
  'kick',
  'invite',
  'historical',
]
const MAPS = ['users', 'events', 'notifications']

/** Level of a creator of version 12 in a version where creators have none by themselves. */
const CREATOR_LEVEL = 100

/**
 * Power levels: whatever is no whole number is read as the old version reads it; creators of a version that gives
 * them power by itself are left out, and put in where the new version does not.
 */
export function carriedLevels(
  rules: RoomVersionRules,
  old: { readonly create: Pdu; readonly levels: Pdu },
  creators: readonly string[],
): JsonObject {
  const { content } = old.levels
  const out: Record<string, JsonValue> = { ...content }
  const level = (value: JsonValue): number | undefined => {
    const parsed = Number(parseLevel(old.levels.rules, value))
    return Number.isSafeInteger(parsed) ? parsed : undefined
  }
  for (const key of NUMBERS) {
    const value = member(content, key)
    if (value === undefined) continue
    const number = level(value)
    if (number === undefined) delete out[key]
    else out[key] = number
  }
  for (const key of MAPS) {
    const map = member(content, key)
    if (map === undefined) continue
    const entries = isObject(map) ? Object.entries(map) : []
    const kept = entries
      .map(([name, value]) => [name, level(value as JsonValue)] as const)
      .filter(([name, value]) => value !== undefined && (key !== 'users' || parseUserId(name) !== undefined))
    out[key] = Object.fromEntries(kept) as JsonObject
  }
  out['users'] = carriedUsers(rules, old.create, (out['users'] ?? {}) as JsonObject, creators)
  return out
}

function carriedUsers(
  rules: RoomVersionRules,
  oldCreate: Pdu,
  users: JsonObject,
  creators: readonly string[],
): JsonObject {
  const kept: Record<string, JsonValue> = { ...users }
  if (rules.auth.privilegedCreators) for (const creator of creators) delete kept[creator]
  else if (oldCreate.rules.auth.privilegedCreators) {
    for (const creator of [oldCreate.sender, ...additionalCreatorsOf(oldCreate)])
      kept[creator] = CREATOR_LEVEL
  }
  return kept
}

/** The levels of a room that is to be used no more, or undefined when they say so already. */
export function closedLevels(levels: Pdu): JsonObject | undefined {
  const at = (key: string): number => {
    const value = member(levels.content, key)
    const parsed = value === undefined ? 0 : Number(parseLevel(levels.rules, value))
    return Number.isSafeInteger(parsed) ? parsed : 0
  }
  const closed = Math.max(50, at('users_default') + 1)
  if (at('events_default') >= closed && at('invite') >= closed) return undefined
  return {
    ...levels.content,
    events_default: Math.max(closed, at('events_default')),
    invite: Math.max(closed, at('invite')),
  }
}
