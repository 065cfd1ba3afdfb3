/** Filters of `/sync`. https://spec.matrix.org/v1.16/client-server-api/#filtering */
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { isObject, type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'
import {
  bad,
  type EventFilter,
  flagAt,
  idsAt,
  objectAt,
  parseEventFilter,
  parseRoomEventFilter,
  type RoomEventFilter,
  setTest,
  textsAt,
} from '../rooms/read/event-filter.ts'

export interface SyncFilter {
  readonly timeline: RoomEventFilter
  readonly state: RoomEventFilter
  readonly roomAccountData: EventFilter
  readonly ephemeral: EventFilter
  readonly presence: EventFilter
  readonly accountData: EventFilter
  /** Counts of threads apart from those of the main timeline. */
  readonly unreadThreads: boolean
  readonly includeLeave: boolean
  passesRoom(roomId: string): boolean
  /** Fields of events that the client wants, as split paths; undefined for all. */
  readonly eventFields: readonly (readonly string[])[] | undefined
  readonly eventFormat: 'client' | 'federation'
}

/** Reads a filter; throws M_INVALID_PARAM with the place that is wrong. */
export function parseSyncFilter(json: JsonObject): SyncFilter {
  const room = objectAt(json, 'room')
  const fields = textsAt(json, 'event_fields')
  const format = member(json, 'event_format')
  if (format !== undefined && format !== 'client' && format !== 'federation') {
    throw bad('event_format is neither client nor federation')
  }
  return {
    timeline: parseRoomEventFilter(objectAt(room, 'timeline')),
    state: parseRoomEventFilter(objectAt(room, 'state')),
    roomAccountData: parseEventFilter(objectAt(room, 'account_data')),
    ephemeral: parseEventFilter(objectAt(room, 'ephemeral')),
    presence: parseEventFilter(objectAt(json, 'presence')),
    accountData: parseEventFilter(objectAt(json, 'account_data')),
    unreadThreads: flagAt(objectAt(room, 'timeline'), 'unread_thread_notifications'),
    includeLeave: flagAt(room, 'include_leave'),
    passesRoom: setTest(idsAt(room, 'rooms', parseRoomId), idsAt(room, 'not_rooms', parseRoomId)),
    /* An empty list would leave nothing of any event: it is taken for none, as Synapse does. */
    eventFields: fields?.length ? fields.map(splitField) : undefined,
    eventFormat: format ?? 'client',
  }
}

/** `content.m\.relates_to.rel_type` as its parts; a backslash keeps the next character. */
function splitField(field: string): string[] {
  const parts: string[] = []
  let part = ''
  for (let i = 0; i < field.length; i++) {
    const character = field[i]!
    if (character === '.') {
      parts.push(part)
      part = ''
    } else part += character === '\\' && i + 1 < field.length ? field[++i] : character
  }
  return [...parts, part]
}

/** The event with only the wanted fields. */
export function pickFields(event: JsonObject, fields: readonly (readonly string[])[]): JsonObject {
  const out: Record<string, JsonValue> = {}
  for (const path of fields) copyPath(event, out, path)
  return out
}

function copyPath(from: JsonObject, to: Record<string, JsonValue>, path: readonly string[]): void {
  const [head, ...rest] = path
  const value = head === undefined ? undefined : member(from, head)
  if (head === undefined || value === undefined || head === '__proto__') return
  if (rest.length === 0) to[head] = value
  else if (isObject(value)) {
    const inner = (Object.hasOwn(to, head) ? to[head] : {}) as Record<string, JsonValue>
    copyPath(value, inner, rest)
    to[head] = inner
  }
}

/** Lets everything pass, with the default limit. */
export const DEFAULT_FILTER: SyncFilter = parseSyncFilter({})
