/** Making our own events: fields, content hash, id, signature. */

import { type SigningKey, signText } from '../crypto/ed25519.ts'
import { addSignature } from '../crypto/sign-json.ts'
import { type Result, refuse } from '../errors.ts'
import type { EventId } from '../ids/event-id.ts'
import type { RoomId } from '../ids/room-id.ts'
import type { ServerName } from '../ids/server-name.ts'
import type { UserId } from '../ids/user-id.ts'
import { canonicalJson, findLooseNumber, NotCanonical } from '../json/canonical.ts'
import { type JsonObject, type JsonValue, NumberToken } from '../json/value.ts'
import { JSON_DEPTH_MAX } from '../limits.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'
import { checkReferenceCounts } from './counts.ts'
import { contentHashOfText, eventSignedText } from './hash.ts'
import { parsePdu, parseSigned } from './parse.ts'
import type { Pdu } from './pdu.ts'
import { redactContent } from './redact.ts'

/** What the maker of an event decides. */
export interface EventFields {
  readonly type: string
  readonly sender: UserId
  /** Absent for a message event. */
  readonly stateKey?: string | undefined
  readonly content: JsonObject
  /** Absent exactly for the create event of a version whose room ids are its hash. */
  readonly roomId?: RoomId | undefined
  /** Milliseconds. */
  readonly originServerTs: number
  readonly prevEvents: readonly EventId[]
  readonly authEvents: readonly EventId[]
  /** From `nextDepth`; 1 for the create event. */
  readonly depth: number | NumberToken
  /** Target of a redaction; put where the version wants it. */
  readonly redacts?: EventId | undefined
  /** v1 and v2 only: a fresh id of ours (`mintEventId`). */
  readonly eventId?: EventId | undefined
  /** v1 and v2 only: reference hash of a referenced event, unpadded Base64. */
  readonly referenceHashOf?: ((id: EventId) => string | undefined) | undefined
}

/**
 * Builds and signs an event of ours. Strict in every version: numbers must be plain integers.
 * @returns the event as any other server will see it, or the rule of `parsePdu` or `checkReferenceCounts`
 */
export function buildEvent(
  rules: RoomVersionRules,
  fields: EventFields,
  server: ServerName,
  key: SigningKey,
): Result<Pdu> {
  const loose = findLooseNumber(fields.content)
  if (loose !== undefined) return refuse(loose, 'a number that canonical JSON does not have')
  if (isDeeper(fields.content, JSON_DEPTH_MAX - 1))
    return refuse('json.depth', 'the content is nested too deeply')
  const parsed = sealed(rules, fields, server, key)
  if (!parsed.ok) return parsed
  const counts = checkReferenceCounts(parsed.value)
  return counts.ok ? parsed : counts
}

/** One member of the event with its canonical text; `redacted` is the text that a redaction leaves. */
interface Part {
  readonly key: string
  readonly value: JsonValue
  readonly text: string
  readonly redacted: string | undefined
}

/**
 * Hashes and signs. Each member is encoded once, and the three texts that are needed (for the content hash, for the
 * signature, and the whole event) are put together from these.
 */
function sealed(
  rules: RoomVersionRules,
  fields: EventFields,
  server: ServerName,
  key: SigningKey,
): Result<Pdu> {
  try {
    const parts = partsOf(rules, unhashedJson(rules, fields))
    const hashes = partOf(rules, 'hashes', { sha256: contentHashOfText(textOf(parts, 'text')) })
    const hashed = withPart(parts, hashes)
    const signedText = textOf(hashed, 'redacted')
    const signatures = { [server]: { [key.keyId]: signText(signedText, key) } }
    const whole = withPart(hashed, partOf(rules, 'signatures', signatures))
    const json: Record<string, JsonValue> = {}
    for (const part of whole) json[part.key] = part.value
    return parseSigned(rules, json, signedText, textOf(whole, 'text'))
  } catch (error) {
    if (error instanceof NotCanonical) return refuse('format.canonical_json', error.message)
    throw error
  }
}

function partsOf(rules: RoomVersionRules, json: JsonObject): Part[] {
  return Object.entries(json).map(([key, value]) =>
    key === 'content'
      ? contentPart(rules, value as JsonObject, redactContent(rules, json['type'], value as JsonObject))
      : partOf(rules, key, value),
  )
}

function partOf(rules: RoomVersionRules, key: string, value: JsonValue): Part {
  const text = Number.isSafeInteger(value) ? String(value) : canonicalJson(value)
  return { key, value, text, redacted: rules.redaction.topLevel.includes(key) ? text : undefined }
}

function contentPart(rules: RoomVersionRules, content: JsonObject, kept: JsonObject): Part {
  const text = canonicalJson(content)
  const redacted = kept === content ? text : canonicalJson(kept)
  return {
    key: 'content',
    value: content,
    text,
    redacted: rules.redaction.topLevel.includes('content') ? redacted : undefined,
  }
}

/** The parts with one more at its place in the canonical order. */
function withPart(parts: readonly Part[], part: Part): Part[] {
  const at = parts.findIndex(({ key }) => key > part.key)
  return at < 0 ? [...parts, part] : parts.toSpliced(at, 0, part)
}

/** The object of the parts that have such a text. Member names of events are plain ASCII. */
function textOf(parts: readonly Part[], which: 'text' | 'redacted'): string {
  let text = ''
  for (const part of parts) {
    const value = part[which]
    if (value !== undefined) text += `${text === '' ? '{' : ','}"${part.key}":${value}`
  }
  return `${text}}`
}

/**
 * The event with one more signature, for a resident server that vouches for a join. The id does not change.
 * @returns rule `format.size` when the signature makes the event too large
 */
export function countersign(pdu: Pdu, server: ServerName, key: SigningKey): Result<Pdu> {
  const signature = signText(eventSignedText(pdu.rules, pdu.json), key)
  return parsePdu(pdu.rules, addSignature(pdu.json, server, key.keyId, signature))
}

/** Whether arrays and objects are nested deeper than `max`. Recursion ends at `max`. */
function isDeeper(value: JsonValue, max: number): boolean {
  if (typeof value !== 'object' || value === null || value instanceof NumberToken) return false
  if (max === 0) return true
  return Object.values(value).some((child: JsonValue) => isDeeper(child, max - 1))
}

/** Members in canonical order, so that encoding needs no sorting. */
function unhashedJson(rules: RoomVersionRules, fields: EventFields): JsonObject {
  const redacts = fields.redacts === undefined ? {} : { redacts: fields.redacts }
  const content = rules.redactsInContent ? { ...fields.content, ...redacts } : fields.content
  const reference = (id: EventId): JsonValue => {
    if (rules.eventReferences === 'ids') return id
    const sha256 = fields.referenceHashOf?.(id)
    return [id, sha256 === undefined ? {} : { sha256 }]
  }
  return {
    auth_events: fields.authEvents.map(reference),
    content,
    depth: fields.depth,
    ...(rules.eventIds === 'embedded' && fields.eventId !== undefined ? { event_id: fields.eventId } : {}),
    origin_server_ts: fields.originServerTs,
    prev_events: fields.prevEvents.map(reference),
    ...(rules.redactsInContent ? {} : redacts),
    ...(fields.roomId === undefined ? {} : { room_id: fields.roomId }),
    sender: fields.sender,
    ...(fields.stateKey === undefined ? {} : { state_key: fields.stateKey }),
    type: fields.type,
  }
}

/**
 * Depth of an event after these: the greatest plus one, and at the version's limit the limit itself.
 * https://spec.matrix.org/v1.16/rooms/v6/#event-format
 */
export function nextDepth(rules: RoomVersionRules, prev: readonly Pick<Pdu, 'json'>[]): number | NumberToken {
  let max = 0n
  for (const { json } of prev) {
    const value = json['depth']
    const depth = value instanceof NumberToken ? BigInt(value.token) : BigInt((value as number) ?? 0)
    if (depth > max) max = depth
  }
  const next = max + 1n < rules.depthMax ? max + 1n : rules.depthMax
  return next <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(next) : new NumberToken(String(next))
}
