/** The rules on m.room.power_levels. */

import { ALLOW, type Verdict } from '../errors.ts'
import type { Pdu } from '../event/pdu.ts'
import { parseUserId } from '../ids/user-id.ts'
import { type JsonObject, type JsonValue, member } from '../json/value.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'
import { above, atLeast, isJunk, type Level, parseLevel } from './level.ts'
import { reject, ruleNumbers } from './numbering.ts'
import { isCreator, LEVEL_DEFAULTS, levelMapOf } from './power-levels.ts'

const SCALARS = Object.keys(LEVEL_DEFAULTS)

/**
 * Checks new power levels.
 * @param power level of the sender
 * @param current the m.room.power_levels event in force, if any
 */
export function checkPowerLevels(event: Pdu, create: Pdu, power: Level, current: Pdu | undefined): Verdict {
  const { rules, content } = event
  const form = checkForm(rules, content, create)
  if (!form.ok) return form
  // If there is no previous m.room.power_levels event in the room, allow.
  if (current === undefined) return ALLOW
  return checkChanges(event, current.content, power)
}

/** The rules on types, which need no previous event. */
function checkForm(rules: RoomVersionRules, content: JsonObject, create: Pdu): Verdict {
  const at = ruleNumbers(rules).powerLevels
  const strict = rules.auth.integerPowerLevels
  if (strict) {
    for (const name of SCALARS) {
      const value = member(content, name)
      if (value !== undefined && isJunk(parseLevel(rules, value))) {
        return reject(rules, `${at}.1`, `${name} is not an integer`)
      }
    }
    for (const name of ['events', 'notifications']) {
      const map = levelMapOf(content, name)
      if (map === undefined || !allLevels(rules, map)) {
        return reject(rules, `${at}.2`, `${name} is not an object of integers`)
      }
    }
  }
  const users = levelMapOf(content, 'users')
  const valid =
    users !== undefined &&
    allLevels(rules, users) &&
    Object.keys(users).every((userId) => parseUserId(userId) !== undefined)
  if (!valid) return reject(rules, `${at}.${strict ? 3 : 1}`, 'users is not an object of users and levels')
  if (rules.auth.privilegedCreators && Object.keys(users).some((userId) => isCreator(create, userId))) {
    return reject(rules, `${at}.4`, 'users names a creator')
  }
  return ALLOW
}

function allLevels(rules: RoomVersionRules, map: JsonObject): boolean {
  return Object.values(map).every((value) => !isJunk(parseLevel(rules, value)))
}

/** The rules on what was added, changed or removed. */
function checkChanges(event: Pdu, old: JsonObject, power: Level): Verdict {
  const { rules, content } = event
  const { powerLevels: at, powerLevelsPrevious: first } = ruleNumbers(rules)
  for (const name of SCALARS) {
    const change = changeOf(rules, member(old, name), member(content, name))
    if (change === undefined) continue
    if (!mayHave(power, change.old))
      return reject(rules, `${at}.${first + 1}.1`, `${name} is above the sender`)
    if (!mayHave(power, change.new)) return reject(rules, `${at}.${first + 1}.2`, `${name} becomes too high`)
  }
  for (const name of rules.auth.checksNotifications ? ['events', 'notifications'] : ['events']) {
    const changes = mapChanges(rules, levelMapOf(old, name), levelMapOf(content, name))
    if (changes === undefined)
      return reject(rules, `${at}.${first + 2}`, `${name} is not an object of levels`)
    for (const [key, change] of changes) {
      const what = `${name} ${JSON.stringify(key)}`
      if (!mayHave(power, change.old))
        return reject(rules, `${at}.${first + 2}.1`, `${what} is above the sender`)
      if (!mayHave(power, change.new))
        return reject(rules, `${at}.${first + 3}.1`, `${what} becomes too high`)
    }
  }
  const changes = mapChanges(rules, levelMapOf(old, 'users'), levelMapOf(content, 'users'))
  if (changes === undefined) return reject(rules, `${at}.${first + 4}`, 'the users in force are no object')
  for (const [userId, change] of changes) {
    // Another user's current level greater than or equal to mine: reject. My own may be lowered.
    if (userId !== event.sender && change.old !== undefined && !above(power, change.old)) {
      return reject(rules, `${at}.${first + 4}.1`, `${userId} is not below the sender`)
    }
    if (!mayHave(power, change.new))
      return reject(rules, `${at}.${first + 5}.1`, `${userId} becomes too high`)
  }
  return ALLOW
}

interface Change {
  readonly old: Level | undefined
  readonly new: Level | undefined
}

/** Added, changed or removed, or undefined. A value that is no level counts as a change, and none may have it. */
function changeOf(
  rules: RoomVersionRules,
  old: JsonValue | undefined,
  fresh: JsonValue | undefined,
): Change | undefined {
  const before = old === undefined ? undefined : parseLevel(rules, old)
  const after = fresh === undefined ? undefined : parseLevel(rules, fresh)
  // NaN differs from itself, as wanted.
  return before === after ? undefined : { old: before, new: after }
}

function mapChanges(
  rules: RoomVersionRules,
  old: JsonObject | undefined,
  fresh: JsonObject | undefined,
): [string, Change][] | undefined {
  if (old === undefined || fresh === undefined) return undefined
  const changes: [string, Change][] = []
  for (const key of new Set([...Object.keys(old), ...Object.keys(fresh)])) {
    const change = changeOf(rules, member(old, key), member(fresh, key))
    if (change !== undefined) changes.push([key, change])
  }
  return changes
}

/** Absent, or not above the sender. */
function mayHave(power: Level, level: Level | undefined): boolean {
  return level === undefined || atLeast(power, level)
}
