/** Keys and events for tests. */
import { decodeBase64 } from '../../crypto/base64.ts'
import { signingKeyFromSeed } from '../../crypto/ed25519.ts'
import type { EventId } from '../../ids/event-id.ts'
import type { RoomId } from '../../ids/room-id.ts'
import type { ServerName } from '../../ids/server-name.ts'
import type { UserId } from '../../ids/user-id.ts'
import type { JsonObject, JsonValue } from '../../json/value.ts'
import { ROOM_VERSIONS, type RoomVersionRules } from '../../room-version/rules.ts'
import { parsePdu } from '../parse.ts'
import type { Pdu } from '../pdu.ts'

/** The seed of the specification's test vectors. */
export const SPEC_KEY = signingKeyFromSeed('1', decodeBase64('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1')!)
export const OTHER_KEY = signingKeyFromSeed('other', Buffer.alloc(32, 7))

export const server = (name: string) => name as ServerName
export const user = (id: string) => id as UserId
export const roomId = (id: string) => id as RoomId
export const eventId = (id: string) => id as EventId

/** Every version's rules for which `keep` holds. */
export function versions(keep: (rules: RoomVersionRules) => boolean): RoomVersionRules[] {
  return Object.values(ROOM_VERSIONS).filter(keep)
}

/** A reference as the version writes it. */
export function reference(rules: RoomVersionRules, id: string): JsonValue {
  return rules.eventReferences === 'pairs' ? [id, { sha256: 'aGFzaA' }] : id
}

/** A well-formed event in JSON; members of `over` replace or, when undefined, remove. */
export function eventJson(
  rules: RoomVersionRules,
  over: Record<string, JsonValue | undefined> = {},
): JsonObject {
  const all: Record<string, JsonValue | undefined> = {
    auth_events: [],
    content: {},
    depth: 1,
    event_id: rules.eventIds === 'embedded' ? '$event:a.example' : undefined,
    hashes: { sha256: 'aGFzaA' },
    origin_server_ts: 1000,
    prev_events: [reference(rules, '$prev:a.example')],
    room_id: '!room:a.example',
    sender: '@alice:a.example',
    signatures: {},
    type: 'm.room.message',
    ...over,
  }
  const json: Record<string, JsonValue> = {}
  for (const [key, value] of Object.entries(all)) if (value !== undefined) json[key] = value
  return json
}

/** A parsed event. */
export function pdu(rules: RoomVersionRules, over: Record<string, JsonValue | undefined> = {}): Pdu {
  const parsed = parsePdu(rules, eventJson(rules, over))
  if (!parsed.ok) throw new Error(`${parsed.rule}: ${parsed.why}`)
  return parsed.value
}
