/** What an event relates to. https://spec.matrix.org/v1.19/client-server-api/#forming-relationships-between-events */
import { readJson } from '#/protocol/json/reader.ts'
import { isObject, type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'

/** The relation of an event's JSON; undefined where there is none that can be read. */
export function relationOf(json: string): { readonly type: string; readonly eventId: string } | undefined {
  const event = readJson(json, 'lenient')
  if (!event.ok || !isObject(event.value)) return undefined
  const relates = inside(inside(event.value, 'content'), 'm.relates_to')
  const type = relates && member(relates, 'rel_type')
  const eventId = relates && member(relates, 'event_id')
  if (typeof type !== 'string' || typeof eventId !== 'string') return undefined
  return { type, eventId }
}

function inside(object: JsonObject | undefined, key: string): JsonObject | undefined {
  const value: JsonValue | undefined = object && member(object, key)
  return isObject(value) ? value : undefined
}
