/**
 * Stored events in the client format as text, their content cut out of the stored text and not made anew: the same as
 * `clientEvent` gives, for a fraction of its cost.
 */

import type { EventId } from '../ids/event-id.ts'
import { roomIdOfCreate } from '../ids/room-id.ts'
import { isObject, type JsonObject } from '../json/value.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'

/** An object of the client format, open at its end: `head`, then perhaps `room`, then `tail`. */
export interface ClientText {
  readonly head: string
  /** `room_id`, with a comma before it. */
  readonly room: string
  /** `state_key`, with a comma before it; empty for a message. */
  readonly tail: string
  readonly contentText: string
  readonly content: JsonObject
  readonly sender: string
}

/**
 * The text of an event that passed `parsePdu` before it was stored. Undefined where that takes a closer look: for
 * redactions, numbers beyond 2^53, and what is not as it was stored. Without rules `room` may be empty.
 */
export function clientText(
  { json, eventId }: { readonly json: string; readonly eventId: string },
  rules?: RoomVersionRules,
): ClientText | undefined {
  let event: { readonly [name: string]: unknown }
  try {
    event = JSON.parse(json) as { readonly [name: string]: unknown }
  } catch {
    return undefined
  }
  if (typeof event !== 'object' || event === null) return undefined
  const { type, sender, origin_server_ts: ts, content, state_key: stateKey } = event
  if (typeof type !== 'string' || type === 'm.room.redaction') return undefined
  if (typeof sender !== 'string' || !Number.isSafeInteger(ts)) return undefined
  if (!isObject(content as JsonObject) || !(stateKey === undefined || typeof stateKey === 'string')) {
    return undefined
  }
  const roomId = event['room_id'] ?? (rules ? roomOfCreate(rules, type, eventId) : '')
  if (typeof roomId !== 'string') return undefined
  const contentText = memberText(json, 'content')
  if (contentText === undefined) return undefined
  const about = `"event_id":${quoted(eventId)},"origin_server_ts":${String(ts)},"sender":${quoted(sender)}`
  return {
    head: `{"content":${contentText},${about},"type":${quoted(type)}`,
    room: roomId === '' ? '' : `,"room_id":${quoted(roomId)}`,
    tail: stateKey === undefined ? '' : `,"state_key":${quoted(stateKey)}`,
    contentText,
    content: content as JsonObject,
    sender,
  }
}

const quoted = (text: string): string => JSON.stringify(text)

function roomOfCreate(rules: RoomVersionRules, type: string, eventId: string): string | undefined {
  return rules.roomIdIsCreateHash && type === 'm.room.create' ? roomIdOfCreate(eventId as EventId) : undefined
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN = 0x7b
const OPEN_LIST = 0x5b
const CLOSE = 0x7d
const CLOSE_LIST = 0x5d

/** The text of an object's member. `json` must be well-formed and without white space; undefined when it has none such. */
export function memberText(json: string, name: string): string | undefined {
  const wanted = `"${name}":`
  let at = 1
  while (at < json.length - 1) {
    const found = json.startsWith(wanted, at)
    const value = found ? at + wanted.length : endOfText(json, at) + 1
    const end = endOfValue(json, value)
    if (found) return json.slice(value, end)
    at = end + 1
  }
  return undefined
}

/** Behind the closing quote of the text that begins at `at`. */
function endOfText(json: string, at: number): number {
  for (let i = json.indexOf('"', at + 1); i >= 0; i = json.indexOf('"', i + 1)) {
    let before = i - 1
    while (json.charCodeAt(before) === BACKSLASH) before--
    /* After an even number of them the quote is not escaped. */
    if ((i - before) % 2 === 1) return i + 1
  }
  return json.length
}

function endOfValue(json: string, start: number): number {
  let depth = 0
  for (let i = start; i < json.length; i++) {
    const c = json.charCodeAt(i)
    if (c === QUOTE) {
      i = endOfText(json, i) - 1
      if (depth === 0) return i + 1
    } else if (c === OPEN || c === OPEN_LIST) depth++
    else if (c === CLOSE || c === CLOSE_LIST) {
      if (depth === 0) return i
      if (--depth === 0) return i + 1
    } else if (c === COMMA && depth === 0) return i
  }
  return json.length
}
