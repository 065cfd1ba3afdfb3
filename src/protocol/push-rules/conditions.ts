/**
 * Conditions of push rules. Each is compiled once for a user and then asked for many events.
 * https://spec.matrix.org/v1.19/client-server-api/#conditions-1
 */

import { foldText } from '../glob/fold.ts'
import { compileGlob, compileLiteral, type Glob, globMatches, globMatchesWords } from '../glob/glob.ts'
import { isArray, type JsonObject, type JsonScalar, type JsonValue, member } from '../json/value.ts'
import { parsePropertyPath, propertyAt } from './property-path.ts'
import type { PushCondition } from './ruleset.ts'

/** The level that `sender_notification_permission` asks for when the power levels do not say. */
export const NOTIFICATION_LEVEL_DEFAULT = 50

/** What a condition may need besides the event. */
export interface PushContext {
  /** The user whose rules are asked. */
  readonly userId: string
  /** The user's display name in the room. */
  readonly displayName: string | undefined
  /** Joined members of the room. */
  readonly memberCount: number
  /** Power level of the event's sender; Infinity for a creator of a v12 room. */
  readonly senderPowerLevel: number
  /** `content.notifications` of the room's power levels. */
  readonly notificationLevels: JsonObject | undefined
}

/** An event in client format, with what was computed of it for the rules of earlier users. */
export interface PushEvent {
  readonly json: JsonObject
  readonly folded: Map<string, Int32Array | undefined>
}

/** A condition made ready by `compileCondition`. */
export type Condition = (event: PushEvent, context: PushContext) => boolean

const BODY = 'content.body'

/** Prepares an event; use one for all users of a room, since it remembers folded texts. */
export function preparePushEvent(json: JsonObject): PushEvent {
  return { json, folded: new Map() }
}

/** Prepares a condition. Unrecognised conditions, and those with bad parameters, never match. */
export function compileCondition(condition: PushCondition): Condition {
  const { kind, key, pattern, value, is } = condition
  if (kind === 'event_match' && typeof key === 'string' && typeof pattern === 'string') {
    return eventMatch(key, pattern)
  }
  if (kind === 'event_property_is' && typeof key === 'string' && isScalar(value)) {
    const names = parsePropertyPath(key)
    return ({ json }) => propertyAt(json, names) === value
  }
  if (kind === 'event_property_contains' && typeof key === 'string' && isScalar(value)) {
    const names = parsePropertyPath(key)
    return ({ json }) => {
      const found = propertyAt(json, names)
      return isArray(found) && found.includes(value)
    }
  }
  if (kind === 'contains_display_name') return containsDisplayName
  if (kind === 'room_member_count' && typeof is === 'string') return memberCount(is)
  if (kind === 'sender_notification_permission' && typeof key === 'string') {
    return (_event, context) => context.senderPowerLevel >= notificationLevel(context, key)
  }
  return never
}

/** The condition of a content rule: `event_match` on `content.body`. */
export function compileContentPattern(pattern: string): Condition {
  return eventMatch(BODY, pattern)
}

/** The condition that nothing fulfils. */
export function never(): boolean {
  return false
}

function eventMatch(key: string, pattern: string): Condition {
  const glob = compileGlob(pattern)
  const names = parsePropertyPath(key)
  const matches = key === BODY ? globMatchesWords : globMatches
  return (event) => textMatches(matches, glob, event, key, names)
}

function textMatches(
  matches: typeof globMatches,
  glob: Glob,
  event: PushEvent,
  key: string,
  names: readonly string[],
): boolean {
  const text = foldedProperty(event, key, names)
  return text !== undefined && matches(glob, text)
}

function foldedProperty(event: PushEvent, key: string, names: readonly string[]): Int32Array | undefined {
  if (event.folded.has(key)) return event.folded.get(key)
  const value = propertyAt(event.json, names)
  const folded = typeof value === 'string' ? foldText(value) : undefined
  event.folded.set(key, folded)
  return folded
}

function containsDisplayName(event: PushEvent, context: PushContext): boolean {
  const { displayName } = context
  if (displayName === undefined || displayName === '') return false
  return textMatches(globMatchesWords, compileLiteral(displayName), event, BODY, ['content', 'body'])
}

/** `is`: a decimal integer with an optional `==`, `<`, `>`, `>=` or `<=` before it. */
function memberCount(is: string): Condition {
  const operator = ['==', '<=', '>=', '<', '>'].find((prefix) => is.startsWith(prefix)) ?? ''
  const wanted = decimal(is.slice(operator.length))
  if (wanted === undefined) return never
  return (_event, { memberCount: count }) => {
    if (operator === '<') return count < wanted
    if (operator === '>') return count > wanted
    if (operator === '<=') return count <= wanted
    if (operator === '>=') return count >= wanted
    return count === wanted
  }
}

function decimal(text: string): number | undefined {
  if (text === '') return undefined
  for (const character of text) if (character < '0' || character > '9') return undefined
  return Number(text)
}

/** Integers, and in old rooms decimal strings; anything else counts as absent. */
function notificationLevel(context: PushContext, key: string): number {
  const level = context.notificationLevels && member(context.notificationLevels, key)
  if (typeof level === 'number') return level
  const fromText = typeof level === 'string' ? decimal(level) : undefined
  return fromText ?? NOTIFICATION_LEVEL_DEFAULT
}

function isScalar(value: JsonValue | undefined): value is JsonScalar {
  return value !== undefined && (value === null || typeof value !== 'object')
}
