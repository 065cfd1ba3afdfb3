/**
 * Format checks on an event of the federation format. A failure means: drop the event.
 * https://spec.matrix.org/v1.16/server-server-api/#checks-performed-on-receipt-of-a-pdu
 */
import { type Result, refuse } from '../errors.ts'
import { type EventId, parseEventId } from '../ids/event-id.ts'
import { parseRoomId, type RoomId, roomIdOfCreate } from '../ids/room-id.ts'
import { parseUserId } from '../ids/user-id.ts'
import { canonicalJson, findLooseNumber, NotCanonical } from '../json/canonical.ts'
import { isArray, isObject, type JsonObject, type JsonValue, member, NumberToken } from '../json/value.ts'
import { ID_BYTES_MAX, PDU_BYTES_MAX } from '../limits.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'
import { eventIdOf, eventSignedText } from './hash.ts'
import type { Pdu } from './pdu.ts'

const INT64_MAX = 2n ** 63n - 1n

type Refused = { readonly ok: false; readonly rule: string; readonly why: string }

/**
 * Checks the form and size of an event, computes its id and gives it as a `Pdu`. `unsigned` is dropped: it is covered
 * by nothing, and what a peer says there is not to be believed.
 * @returns rules `format.<member>`, `format.size`, `format.canonical_json` or `json.*` for a number
 */
export function parsePdu(rules: RoomVersionRules, received: JsonObject): Result<Pdu> {
  const loose = rules.strictJson ? findLooseNumber(received) : undefined
  if (loose !== undefined) return refuse(loose, 'a number that canonical JSON does not have')
  const json = Object.hasOwn(received, 'unsigned') ? withoutUnsigned(received) : received
  try {
    return parseSigned(rules, json, eventSignedText(rules, json))
  } catch (error) {
    if (error instanceof NotCanonical) return refuse('format.canonical_json', error.message)
    throw error
  }
}

/**
 * The rest of `parsePdu`, for those who have signed the event and so know what was signed.
 * @throws NotCanonical when the event has no canonical JSON
 */
export function parseSigned(
  rules: RoomVersionRules,
  json: JsonObject,
  signedText: string,
  text: string = canonicalJson(json),
): Result<Pdu> {
  const tooLarge = checkSize(text)
  if (tooLarge !== undefined) return tooLarge
  const eventId = eventIdOf(rules, json, signedText)
  if (eventId === undefined) return refuse('format.event_id', 'event_id is not an event id')
  if (rules.eventIds !== 'embedded' && member(json, 'event_id') !== undefined) {
    return refuse('format.event_id', 'events of this version do not carry their id')
  }
  return fieldsOf(rules, json, eventId, text)
}

/**
 * An event that passed `parsePdu` before it was stored: its size and id are not computed again. `text` is its canonical
 * JSON, as it was stored. A refusal means that the store is damaged.
 */
export function parseStored(
  rules: RoomVersionRules,
  json: JsonObject,
  eventId: EventId,
  text: string,
): Result<Pdu> {
  return fieldsOf(rules, json, eventId, text)
}

/** The limit on the whole event, or undefined when it holds. */
export function checkSize(canonicalText: string): Refused | undefined {
  // A UTF-16 unit takes at most three bytes, so the length settles most cases without counting.
  if (canonicalText.length * 3 <= PDU_BYTES_MAX) return undefined
  const bytes = Buffer.byteLength(canonicalText)
  return bytes > PDU_BYTES_MAX
    ? refuse('format.size', `${bytes} bytes, more than ${PDU_BYTES_MAX}`)
    : undefined
}

function fieldsOf(rules: RoomVersionRules, json: JsonObject, eventId: EventId, text: string): Result<Pdu> {
  const type = shortString(member(json, 'type'))
  if (type === undefined) return refuse('format.type', 'type is not a string of at most 255 bytes')
  const senderText = member(json, 'sender')
  const sender = typeof senderText === 'string' ? parseUserId(senderText) : undefined
  if (sender === undefined) return refuse('format.sender', 'sender is not a user id')
  const stateKeyValue = member(json, 'state_key')
  const stateKey = shortString(stateKeyValue)
  if (stateKeyValue !== undefined && stateKey === undefined) {
    return refuse('format.state_key', 'state_key is not a string of at most 255 bytes')
  }
  const roomId = roomIdFor(rules, json, type, eventId)
  if (typeof roomId !== 'string') return roomId
  const content = member(json, 'content')
  if (!isObject(content)) return refuse('format.content', 'content is not an object')
  const hashes = member(json, 'hashes')
  if (!isObject(hashes) || typeof member(hashes, 'sha256') !== 'string') {
    return refuse('format.hashes', 'hashes has no sha256')
  }
  if (!areSignatures(member(json, 'signatures'))) {
    return refuse('format.signatures', 'signatures is not an object of objects of strings')
  }
  const depth = integerWithin(member(json, 'depth'), 0n, rules.depthMax)
  if (depth === undefined) {
    return refuse('format.depth', `depth is not an integer from 0 to ${rules.depthMax}`)
  }
  const originServerTs = integerWithin(member(json, 'origin_server_ts'), -INT64_MAX, INT64_MAX)
  if (originServerTs === undefined) {
    return refuse('format.origin_server_ts', 'origin_server_ts is not an integer of 64 bits')
  }
  const prevEvents = references(rules, member(json, 'prev_events'))
  if (prevEvents === undefined) return refuse('format.prev_events', 'not a list of event references')
  const authEvents = references(rules, member(json, 'auth_events'))
  if (authEvents === undefined) return refuse('format.auth_events', 'not a list of event references')
  const pdu: Pdu = {
    eventId,
    roomId,
    type,
    sender,
    stateKey,
    originServerTs,
    depth,
    prevEvents,
    authEvents,
    redacts: redactsOf(rules, type, json, content),
    content,
    rules,
    json,
    text,
  }
  return { ok: true, value: pdu }
}

/** Room id of an event. In v12 the create event has none, and its own id makes it. */
function roomIdFor(
  rules: RoomVersionRules,
  json: JsonObject,
  type: string,
  eventId: EventId,
): RoomId | Refused {
  const value = member(json, 'room_id')
  if (rules.roomIdIsCreateHash && type === 'm.room.create' && member(json, 'state_key') === '') {
    if (value !== undefined) return refuse('format.room_id', 'a create event of this version has no room_id')
    return roomIdOfCreate(eventId)
  }
  const roomId = typeof value === 'string' ? parseRoomId(value) : undefined
  return roomId ?? refuse('format.room_id', 'room_id is not a room id')
}

/** The target of a redaction; junk is no target, which is no reason to drop the event. */
function redactsOf(
  rules: RoomVersionRules,
  type: string,
  json: JsonObject,
  content: JsonObject,
): EventId | undefined {
  if (type !== 'm.room.redaction') return undefined
  const value = member(rules.redactsInContent ? content : json, 'redacts')
  return typeof value === 'string' ? parseEventId(value) : undefined
}

function references(rules: RoomVersionRules, list: JsonValue | undefined): EventId[] | undefined {
  if (!isArray(list)) return undefined
  const ids: EventId[] = []
  for (const item of list) {
    const text = rules.eventReferences === 'pairs' ? pairId(item) : item
    const id = typeof text === 'string' ? parseEventId(text) : undefined
    if (id === undefined) return undefined
    ids.push(id)
  }
  return ids
}

/** The id of `[id, {hashes}]`. */
function pairId(item: JsonValue): JsonValue | undefined {
  return isArray(item) && item.length === 2 && isObject(item[1]) ? item[0] : undefined
}

/** An integer between two bounds, written as one and clamped to +-(2^53-1); undefined for anything else. */
function integerWithin(value: JsonValue | undefined, least: bigint, most: bigint): number | undefined {
  // Comparing a number with a bigint is exact, and costs less than making a bigint of it.
  if (typeof value === 'number') return value >= least && value <= most ? value : undefined
  if (!(value instanceof NumberToken) || !value.isInteger()) return undefined
  const integer = BigInt(value.token)
  if (integer < least || integer > most) return undefined
  const max = BigInt(Number.MAX_SAFE_INTEGER)
  return Number(integer > max ? max : integer < -max ? -max : integer)
}

/** Absent counts as none: whether one is needed is a question for `checkSignatures`. */
function areSignatures(value: JsonValue | undefined): boolean {
  if (value === undefined) return true
  if (!isObject(value)) return false
  return Object.values(value).every(
    (of) => isObject(of) && Object.values(of).every((signature) => typeof signature === 'string'),
  )
}

/** A string whose UTF-8 fits the limit on ids, types and state keys. */
function shortString(value: JsonValue | undefined): string | undefined {
  if (typeof value !== 'string' || value.length > ID_BYTES_MAX) return undefined
  return value.length * 3 <= ID_BYTES_MAX || Buffer.byteLength(value) <= ID_BYTES_MAX ? value : undefined
}

function withoutUnsigned(json: JsonObject): JsonObject {
  const { unsigned: _, ...rest } = json
  return rest
}
