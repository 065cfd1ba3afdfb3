/** Hashes and ids of events. https://spec.matrix.org/v1.16/server-server-api/#calculating-the-reference-hash-for-an-event */
import { hash } from 'node:crypto'
import { decodeBase64 } from '../crypto/base64.ts'
import { without } from '../crypto/sign-json.ts'
import { type EventId, parseEventId } from '../ids/event-id.ts'
import { canonicalJson } from '../json/canonical.ts'
import { isObject, type JsonObject, member } from '../json/value.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'
import { redact } from './redact.ts'

const NOT_CONTENT_HASHED: ReadonlySet<string> = new Set(['unsigned', 'signatures', 'hashes'])
const NOT_SIGNED: ReadonlySet<string> = new Set(['unsigned', 'signatures'])

/** SHA-256 of the unredacted event without `unsigned`, `signatures` and `hashes`; unpadded Base64. */
export function contentHash(event: JsonObject): string {
  return contentHashOfText(canonicalJson(without(event, NOT_CONTENT_HASHED)))
}

/** The same from the canonical JSON of what is hashed. */
export function contentHashOfText(text: string): string {
  return unpadded(hash('sha256', text, 'base64'))
}

/** What signatures and the reference hash of an event cover: the redacted event in canonical JSON. */
export function eventSignedText(rules: RoomVersionRules, event: JsonObject): string {
  return canonicalJson(without(redact(rules, event), NOT_SIGNED))
}

/** Reference hash of an event's signed text, in the alphabet that the version's event ids use. */
export function referenceHash(rules: RoomVersionRules, signedText: string): string {
  return rules.eventIds === 'hash-urlsafe'
    ? hash('sha256', signedText, 'base64url')
    : unpadded(hash('sha256', signedText, 'base64'))
}

/**
 * The id of an event: its member `event_id` in v1 and v2, its reference hash from v3.
 * @returns undefined for a v1 or v2 event without a well-formed `event_id`
 */
export function eventIdOf(
  rules: RoomVersionRules,
  event: JsonObject,
  signedText: string,
): EventId | undefined {
  if (rules.eventIds !== 'embedded') return `$${referenceHash(rules, signedText)}` as EventId
  const id = member(event, 'event_id')
  return typeof id === 'string' ? parseEventId(id) : undefined
}

/** Whether `hashes.sha256` is the hash of the event as it is. False means: go on with the redacted copy. */
export function hasValidContentHash(event: JsonObject): boolean {
  const hashes = member(event, 'hashes')
  const claimed = isObject(hashes) ? member(hashes, 'sha256') : undefined
  if (typeof claimed !== 'string') return false
  const computed = contentHash(event)
  return claimed === computed || decodeBase64(claimed)?.equals(Buffer.from(computed, 'base64')) === true
}

function unpadded(base64: string): string {
  return base64.endsWith('=') ? base64.slice(0, -1) : base64
}
