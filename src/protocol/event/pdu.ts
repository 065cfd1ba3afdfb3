import type { EventId } from '../ids/event-id.ts'
import type { RoomId } from '../ids/room-id.ts'
import type { UserId } from '../ids/user-id.ts'
import type { JsonObject } from '../json/value.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'

/**
 * An event in the federation format whose form has been checked (`parsePdu`). Nothing is said about its hash,
 * signatures or authority. Immutable. `json` is exactly what was hashed and signed, without `event_id` from v3 on;
 * in v12 the create event's `json` has no `room_id` while `roomId` is there.
 */
export interface Pdu {
  readonly eventId: EventId
  readonly roomId: RoomId
  readonly type: string
  readonly sender: UserId
  /** Undefined for a message event. The empty string is a state key. */
  readonly stateKey: string | undefined
  /** Milliseconds; sender-chosen. Clamped to +-(2^53-1) in v1-v5. */
  readonly originServerTs: number
  /** Sender-chosen, only a hint. Clamped to 2^53-1 in v1-v5; `json.depth` has the exact value. */
  readonly depth: number
  readonly prevEvents: readonly EventId[]
  readonly authEvents: readonly EventId[]
  /** Target of an m.room.redaction, from the place that the version uses; undefined for other types. */
  readonly redacts: EventId | undefined
  readonly content: JsonObject
  readonly rules: RoomVersionRules
  readonly json: JsonObject
  /** Canonical JSON of `json`, as it is stored and sent. */
  readonly text: string
}

/** State is a map from (type, state_key); absent is undefined. */
export type StateLookup = (type: string, stateKey: string) => Pdu | undefined

/** One key of room state. */
export type StateKeyPair = readonly [type: string, stateKey: string]
