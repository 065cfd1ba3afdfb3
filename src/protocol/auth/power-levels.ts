/**
 * Power levels in force in a state. Fields are read when asked, so junk in one never matters to a question about
 * another. https://spec.matrix.org/v1.16/client-server-api/#mroompower_levels
 */
import { additionalCreatorsOf, stringOf } from '../event/content.ts'
import type { Pdu } from '../event/pdu.ts'
import { isObject, type JsonObject, type JsonValue, member } from '../json/value.ts'
import { JUNK, type Level, parseLevel } from './level.ts'

/** Levels named in the content and their value when absent, with or without an event. */
export const LEVEL_DEFAULTS = {
  users_default: 0,
  events_default: 0,
  state_default: 50,
  ban: 50,
  redact: 50,
  kick: 50,
  invite: 0,
} as const

export type LevelName = keyof typeof LEVEL_DEFAULTS

/** Level of the creator before there is an m.room.power_levels event, up to v11. */
const CREATOR_LEVEL = 100

/** The levels of one state. */
export interface PowerLevels {
  /** A user's level. Creators of v12 have `Infinity`. */
  user(userId: string): Level
  named(name: LevelName): Level
  /** The level needed to send an event of a type, as state or as message. */
  send(type: string, isState: boolean): Level
}

/** @param powerLevels the m.room.power_levels event with the empty state key, if there is one */
export function powerLevelsOf(create: Pdu, powerLevels: Pdu | undefined): PowerLevels {
  const rules = (powerLevels ?? create).rules
  const content = powerLevels?.content ?? {}
  const named = (name: LevelName): Level => {
    const value = member(content, name)
    return value === undefined || value === null ? LEVEL_DEFAULTS[name] : parseLevel(rules, value)
  }
  const inMap = (map: JsonValue | undefined, key: string): Level | undefined => {
    if (map === undefined) return undefined
    if (!isObject(map)) return JUNK
    const value = member(map, key)
    return value === undefined || value === null ? undefined : parseLevel(rules, value)
  }
  return {
    named,
    user(userId) {
      if (create.rules.auth.privilegedCreators && isCreator(create, userId)) return Number.POSITIVE_INFINITY
      if (powerLevels === undefined) return isCreator(create, userId) ? CREATOR_LEVEL : 0
      return inMap(member(content, 'users'), userId) ?? named('users_default')
    },
    send(type, isState) {
      return inMap(member(content, 'events'), type) ?? named(isState ? 'state_default' : 'events_default')
    },
  }
}

/** The user that may join first: `content.creator` up to v10, the sender from v11. */
export function firstCreatorOf(create: Pdu): string | undefined {
  return create.rules.auth.creatorInContent ? stringOf(create.content, 'creator') : create.sender
}

/** Whether a user is a creator: the first one, and in v12 any of `additional_creators`. */
export function isCreator(create: Pdu, userId: string): boolean {
  if (firstCreatorOf(create) === userId) return true
  return create.rules.auth.privilegedCreators && additionalCreatorsOf(create).includes(userId)
}

/** All creators: the first one, and in v12 the additional ones. */
export function creatorsOf(create: Pdu): readonly string[] {
  const first = firstCreatorOf(create)
  const others = create.rules.auth.privilegedCreators ? additionalCreatorsOf(create) : []
  return first === undefined ? others : [first, ...others]
}

/** The members of a map of levels, empty when absent; undefined when it is no object. */
export function levelMapOf(content: JsonObject, key: string): JsonObject | undefined {
  const value = member(content, key)
  if (value === undefined) return {}
  return isObject(value) ? value : undefined
}
