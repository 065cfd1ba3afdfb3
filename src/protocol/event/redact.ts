/** The redaction algorithm. https://spec.matrix.org/v1.16/client-server-api/#redactions */
import { isObject, type JsonObject, type JsonValue, member } from '../json/value.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'

/**
 * A copy of the event reduced to what its version protects. The same algorithm makes event ids and signatures, so
 * one wrong key is another identity. `unsigned` is never kept.
 */
export function redact(rules: RoomVersionRules, event: JsonObject): JsonObject {
  const copy: Record<string, JsonValue> = {}
  for (const key of rules.redaction.topLevel) {
    const value = member(event, key)
    if (value !== undefined) copy[key] = value
  }
  const content = member(event, 'content')
  copy['content'] = redactContent(rules, member(event, 'type'), isObject(content) ? content : {})
  return copy
}

/** The protected part of a content. */
export function redactContent(
  rules: RoomVersionRules,
  type: JsonValue | undefined,
  content: JsonObject,
): JsonObject {
  const table = rules.redaction.content
  const kept = typeof type === 'string' && Object.hasOwn(table, type) ? table[type]! : []
  if (kept === 'all') return content
  const copy: Record<string, JsonValue> = {}
  for (const key of kept) {
    const value = member(content, key)
    if (value !== undefined) copy[key] = value
  }
  if (rules.redaction.keepsThirdPartySigned && type === 'm.room.member') {
    const invite = member(content, 'third_party_invite')
    const signed = isObject(invite) ? member(invite, 'signed') : undefined
    if (signed !== undefined) copy['third_party_invite'] = { signed }
  }
  return copy
}
