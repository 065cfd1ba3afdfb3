/**
 * What a user's rules make of each kind of event, as short texts: one for all rooms, one for a room with rules of its
 * own. Kept over time, they say what became of events long ago without a row per event and member.
 * See docs/decisions/0008-counts.md.
 */
import { parseRoomId } from '../ids/room-id.ts'
import type { UserId } from '../ids/user-id.ts'
import { defaultPushRules, MASTER_RULE_ID } from './default-rules.ts'
import { KIND_OUTCOMES, KIND_OVERRIDES, KIND_RULES, levelOf } from './event-kind.ts'
import type { PushRule, PushRuleset } from './ruleset.ts'

/** One character per rule, `-` for one that is switched off, else the level: master first, then `KIND_RULES`. */
export type Profile = string

/** Two characters: an override rule on the room alone, and its room rule; `-` where there is none. */
export type RoomProfile = string

const OFF = '-'

/** The room profile of a room without rules. */
export const NO_ROOM_PROFILE: RoomProfile = OFF + OFF

/** The profile for all rooms. */
export function profileOf(rules: PushRuleset): Profile {
  const all = new Map<string, PushRule>()
  for (const rule of [...rules.override, ...rules.underride]) if (rule.default) all.set(rule.rule_id, rule)
  return [MASTER_RULE_ID, ...KIND_RULES]
    .map((id, at) => {
      const rule = all.get(id)
      if (!rule?.enabled) return OFF
      /* A highlight that is not everybody's is kept with each event, see isCustom. */
      const most = at > 0 && KIND_OUTCOMES[at - 1] === 2 ? 2 : 1
      return String(Math.min(levelOf(rule), most))
    })
    .join('')
}

/** The profile of somebody who never changed a rule. */
export const DEFAULT_PROFILE: Profile = profileOf(defaultPushRules('' as UserId))

/** The profiles of the rooms that have rules of their own. */
export function roomProfilesOf(rules: PushRuleset): Map<string, RoomProfile> {
  const found = new Map<string, RoomProfile>()
  for (const rule of rules.override) {
    const roomId = rule.enabled ? mutedRoom(rule) : undefined
    if (roomId !== undefined && !found.has(roomId)) found.set(roomId, level(rule) + OFF)
  }
  for (const rule of rules.room) {
    if (rule.enabled) found.set(rule.rule_id, (found.get(rule.rule_id)?.[0] ?? OFF) + level(rule))
  }
  return found
}

/**
 * Whether rules of this user look at more than the profiles tell, so that every event of the user's rooms must be
 * evaluated for them. A rule that mutes a room which is not here by exactly that id may mean another one: `event_match`
 * takes no notice of case, profiles do.
 */
export function isCustom(rules: PushRuleset, isHere: (roomId: string) => boolean = () => true): boolean {
  if (rules.content.some((rule) => rule.enabled) || rules.sender.some((rule) => rule.enabled)) return true
  const own = [...rules.override, ...rules.underride].filter((rule) => rule.enabled && !rule.default)
  const plain = (rule: PushRule): boolean => {
    const roomId = mutedRoom(rule)
    return roomId !== undefined && isHere(roomId) && !rules.underride.includes(rule)
  }
  if (!own.every(plain)) return true
  const louder = (rule: PushRule): boolean => {
    const bit = KIND_RULES.indexOf(rule.rule_id)
    return levelOf(rule) === 2 && (bit < 0 || KIND_OUTCOMES[bit] !== 2)
  }
  if (rules.room.some((rule) => rule.enabled && levelOf(rule) === 2)) return true
  if (own.some((rule) => levelOf(rule) === 2)) return true
  const shared = new Set([MASTER_RULE_ID, ...KIND_RULES])
  return [...rules.override, ...rules.underride].some(
    (rule) => rule.default && rule.enabled && shared.has(rule.rule_id) && louder(rule),
  )
}

/** What profiles make of a kind: 0 silent, 1 notify, 2 highlight. */
export function outcomeFor(kind: number, profile: Profile, room: RoomProfile): 0 | 1 | 2 {
  if (profile[0] !== OFF) return digit(profile[0])
  if (room[0] !== OFF) return digit(room[0])
  for (let i = 0; i < KIND_RULES.length; i++) {
    if (i === KIND_OVERRIDES && room[1] !== OFF) return digit(room[1])
    if (kind & (1 << i) && (profile[i + 1] ?? OFF) !== OFF) return digit(profile[i + 1])
  }
  return 0
}

function level(rule: PushRule): string {
  return String(Math.min(levelOf(rule), 1))
}

function digit(text: string | undefined): 0 | 1 | 2 {
  return text === '2' ? 2 : text === '1' ? 1 : 0
}

/** The room of an override rule that looks at nothing but the room, as clients write it to mute one. */
export function mutedRoom(rule: PushRule): string | undefined {
  const [condition, ...others] = rule.conditions ?? []
  if (rule.default || condition === undefined || others.length > 0) return undefined
  const { kind, key, pattern } = condition
  if (kind !== 'event_match' || key !== 'room_id' || typeof pattern !== 'string') return undefined
  if (pattern.includes('*') || pattern.includes('?')) return undefined
  return parseRoomId(pattern)
}
