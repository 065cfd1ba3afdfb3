/** Filters of events, for `/sync` and `/messages`. https://spec.matrix.org/v1.16/client-server-api/#filtering */
import type { RelatedBy } from '#/ports/store/relations.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { isArray, isObject, type JsonObject, member } from '#/protocol/json/value.ts'
import { FILTER_LIST_MAX, FILTER_RELATED_MAX, TIMELINE_LIMIT_DEFAULT, TIMELINE_LIMIT_MAX } from './limits.ts'

/** What of an event a filter looks at. */
export interface Filterable {
  readonly type: string
  readonly sender: string
  /** Federation or client JSON; only asked for `contains_url`. */
  readonly json: string
}

export interface EventFilter {
  readonly limit: number
  /** Lets every event pass. */
  readonly passesAll: boolean
  passes(event: Filterable): boolean
  passesRoom(roomId: string): boolean
  /** Nothing can pass, so nothing need be read. */
  readonly passesNone: boolean
}

export interface RoomEventFilter extends EventFilter {
  readonly lazyLoadMembers: boolean
  readonly includeRedundantMembers: boolean
  /** Relations that an event must have; undefined when none is asked for. */
  readonly relatedBy: RelatedBy | undefined
}

/** The refusal of a filter, with the place that is wrong. */
export function bad(what: string): MatrixError {
  return new MatrixError('M_INVALID_PARAM', `The filter is not valid: ${what}.`)
}

/** A member that is an object; absent counts as empty. */
export function objectAt(json: JsonObject, key: string): JsonObject {
  const value = member(json, key)
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw bad(`${key} is not an object`)
  return value
}

/** A member that is a list of strings. */
export function textsAt(json: JsonObject, key: string): readonly string[] | undefined {
  const value = member(json, key)
  if (value === undefined || value === null) return undefined
  if (!isArray(value) || value.length > FILTER_LIST_MAX || !value.every((item) => typeof item === 'string')) {
    throw bad(`${key} is not a list of at most ${FILTER_LIST_MAX} strings`)
  }
  return value as readonly string[]
}

/** A member that is true or false; absent is false. */
export function flagAt(json: JsonObject, key: string): boolean {
  const value = member(json, key)
  if (value === undefined || value === null) return false
  if (typeof value !== 'boolean') throw bad(`${key} is not true or false`)
  return value
}

/** A list that chooses by id. What is no id would choose nothing, and the client would wait for it in vain. */
export function idsAt(
  json: JsonObject,
  key: string,
  parse: (text: string) => unknown,
): readonly string[] | undefined {
  const texts = textsAt(json, key)
  const wrong = texts?.find((text) => parse(text) === undefined)
  if (wrong !== undefined) throw bad(`${key} holds something that is no id`)
  return texts
}

function limitAt(json: JsonObject): number {
  const value = member(json, 'limit')
  if (value === undefined || value === null) return TIMELINE_LIMIT_DEFAULT
  if (typeof value !== 'number' || value < 0 || !Number.isInteger(value))
    throw bad('limit is not a whole number')
  return Math.min(value, TIMELINE_LIMIT_MAX)
}

/** Whether one of `allowed` (absent: anything) and none of `denied` is `text`. */
export function setTest(
  allowed: readonly string[] | undefined,
  denied: readonly string[] | undefined,
): (text: string) => boolean {
  const yes = allowed && new Set(allowed)
  const no = new Set(denied)
  return (text) => !no.has(text) && (yes === undefined || yes.has(text))
}

/** The same where `*` stands for any characters. Types are case-sensitive, unlike globs elsewhere. */
function starTest(
  allowed: readonly string[] | undefined,
  denied: readonly string[] | undefined,
): (text: string) => boolean {
  const split = (texts: readonly string[]) => texts.map((text) => text.split('*'))
  const yes = allowed && split(allowed)
  const no = split(denied ?? [])
  const among = (patterns: readonly string[][], text: string) =>
    patterns.some((parts) => starMatches(parts, text))
  return (text) => !among(no, text) && (yes === undefined || among(yes, text))
}

/** Whether the texts between the stars follow each other in `text`; linear, since the leftmost place is always right. */
function starMatches(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  if (parts.length === 1) return text === first
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false
  const end = text.length - last.length
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}

export function parseEventFilter(json: JsonObject): EventFilter {
  const types = textsAt(json, 'types')
  const notTypes = textsAt(json, 'not_types')
  const senders = idsAt(json, 'senders', parseUserId)
  const notSenders = textsAt(json, 'not_senders')
  const type = starTest(types, notTypes)
  const sender = setTest(senders, notSenders)
  const room = setTest(idsAt(json, 'rooms', parseRoomId), idsAt(json, 'not_rooms', parseRoomId))
  const wantsUrl = member(json, 'contains_url') == null ? undefined : flagAt(json, 'contains_url')
  const url = (event: Filterable): boolean => wantsUrl === undefined || hasUrl(event.json) === wantsUrl
  return {
    limit: limitAt(json),
    passesAll: [types, notTypes, senders, notSenders, wantsUrl].every((part) => part === undefined),
    passes: (event) => type(event.type) && sender(event.sender) && url(event),
    passesRoom: room,
    passesNone: types?.length === 0 || senders?.length === 0 || notTypes?.includes('*') === true,
  }
}

/** `related_by_senders` and `related_by_rel_types`; undefined when neither is there. */
function relatedByOf(json: JsonObject): RelatedBy | undefined {
  const senders = textsAt(json, 'related_by_senders')
  const relTypes = textsAt(json, 'related_by_rel_types')
  if ((senders?.length ?? 0) > FILTER_RELATED_MAX || (relTypes?.length ?? 0) > FILTER_RELATED_MAX) {
    throw bad(`related_by lists have at most ${FILTER_RELATED_MAX} entries`)
  }
  return senders || relTypes ? { senders, relTypes } : undefined
}

/** Those of some events of a room that have the relations of a filter; all where it asks for none. */
export async function relatedOnly<E extends { readonly eventId: string }>(
  store: Store,
  room: number,
  events: readonly E[],
  relatedBy: RelatedBy | undefined,
): Promise<readonly E[]> {
  if (relatedBy === undefined || events.length === 0) return events
  const ids = events.map((event) => event.eventId)
  const related = new Set(await store.relations.relatedBy(room, ids, relatedBy))
  return events.filter((event) => related.has(event.eventId))
}

export function parseRoomEventFilter(json: JsonObject): RoomEventFilter {
  const plain = parseEventFilter(json)
  const relatedBy = relatedByOf(json)
  return {
    ...plain,
    passesAll: plain.passesAll && relatedBy === undefined,
    relatedBy,
    lazyLoadMembers: flagAt(json, 'lazy_load_members'),
    includeRedundantMembers: flagAt(json, 'include_redundant_members'),
  }
}

function hasUrl(json: string): boolean {
  const content = (JSON.parse(json) as { content?: { url?: unknown } }).content
  return typeof content?.url === 'string'
}
