/** What an event says about another. https://spec.matrix.org/v1.19/client-server-api/#forming-relationships-between-events */
import { type EventId, parseEventId } from '../ids/event-id.ts'
import type { JsonObject } from '../json/value.ts'
import { REL_TYPE_BYTES_MAX, RELATION_KEY_CHARS_MAX } from '../limits.ts'
import { objectOf, stringOf } from './content.ts'

export const ANNOTATION = 'm.annotation'
export const REFERENCE = 'm.reference'
export const REPLACE = 'm.replace'
export const THREAD = 'm.thread'

export interface Relation {
  readonly relType: string
  /** The event that is related to. */
  readonly target: EventId
  /** `key` of an annotation; undefined where it is absent, too long or no string. */
  readonly key: string | undefined
}

/** The relation of an event by its content; undefined without one, and for one that is not as the schema says. */
export function relationOf(content: JsonObject): Relation | undefined {
  const relates = objectOf(content, 'm.relates_to')
  const relType = relates && stringOf(relates, 'rel_type')
  const target = relates && parseEventId(stringOf(relates, 'event_id') ?? '')
  if (relates === undefined || relType === undefined || target === undefined) return undefined
  if (!isPlainText(relType) || Buffer.byteLength(relType) > REL_TYPE_BYTES_MAX) return undefined
  const key = stringOf(relates, 'key')
  return { relType, target, key: key !== undefined && isRelationKey(key) ? key : undefined }
}

/** Whether a text can be the key of an annotation. */
export function isRelationKey(key: string): boolean {
  return (
    isPlainText(key) && [...key.slice(0, 2 * RELATION_KEY_CHARS_MAX + 1)].length <= RELATION_KEY_CHARS_MAX
  )
}

/**
 * Whether a relation can count in an aggregation, as far as the event itself tells: a replacement is no state event
 * and, unless it is encrypted, says what it puts in place.
 * https://spec.matrix.org/v1.19/client-server-api/#validity-of-replacement-events
 */
export function countsInAggregation(
  relation: Relation,
  event: { readonly type: string; readonly stateKey: string | undefined; readonly content: JsonObject },
): boolean {
  if (relation.relType !== REPLACE) return true
  if (event.stateKey !== undefined) return false
  return event.type === 'm.room.encrypted' || objectOf(event.content, 'm.new_content') !== undefined
}

/** What a database can hold and compare in all engines. */
function isPlainText(text: string): boolean {
  return text !== '' && !text.includes('\0') && text.isWellFormed()
}
