/** What of an event can be searched. https://spec.matrix.org/v1.16/client-server-api/#search */
import { isObject, type JsonObject, type JsonValue, member } from '../json/value.ts'

export const SEARCH_KEYS = ['content.body', 'content.name', 'content.topic'] as const
export type SearchKey = (typeof SEARCH_KEYS)[number]

const KEYS: Readonly<Record<string, SearchKey>> = {
  'm.room.message': 'content.body',
  'm.room.name': 'content.name',
  'm.room.topic': 'content.topic',
}

/** The key under which an event is searched; undefined for events that are not. */
export function searchKeyOf(type: string, stateKey: string | null): SearchKey | undefined {
  const key = Object.hasOwn(KEYS, type) ? KEYS[type] : undefined
  return (key === 'content.body') === (stateKey === null) && (stateKey ?? '') === '' ? key : undefined
}

/** The searched text of an event's content. Of an edit it is the new text, without the star of the fallback. */
export function searchTextOf(key: SearchKey, content: JsonObject): string | undefined {
  if (key === 'content.name') return textOf(member(content, 'name'))
  if (key === 'content.topic') return textOf(member(content, 'topic'))
  const relation = member(content, 'm.relates_to')
  const edited = member(content, 'm.new_content')
  if (isObject(edited) && isObject(relation) && member(relation, 'rel_type') === 'm.replace') {
    return textOf(member(edited, 'body'))
  }
  return textOf(member(content, 'body'))
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
