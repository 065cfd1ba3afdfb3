/** Events for tests: the fields that matter, without hashes and signatures. */

import type { Pdu } from '../../event/pdu.ts'
import type { EventId } from '../../ids/event-id.ts'
import type { RoomId } from '../../ids/room-id.ts'
import type { UserId } from '../../ids/user-id.ts'
import { canonicalJson } from '../../json/canonical.ts'
import type { JsonObject } from '../../json/value.ts'
import { ROOM_VERSIONS, type RoomVersionRules } from '../../room-version/rules.ts'

export interface EventFields {
  readonly id?: string
  readonly type: string
  readonly sender: string
  readonly stateKey?: string
  readonly content?: JsonObject
  readonly ts?: number
  readonly depth?: number
  readonly prev?: readonly string[]
  readonly auth?: readonly string[]
  readonly redacts?: string
  readonly roomId?: string
  readonly rules?: RoomVersionRules
}

/** Makes an event as if it had been parsed. Ids are taken as given. */
export function makeEvent(fields: EventFields): Pdu {
  const content = fields.content ?? {}
  const eventId = (fields.id ?? '$event') as EventId
  const roomId = (fields.roomId ?? '!room:x') as RoomId
  const sender = fields.sender as UserId
  const originServerTs = fields.ts ?? 0
  const depth = fields.depth ?? 1
  const prevEvents = (fields.prev ?? []) as readonly EventId[]
  const authEvents = (fields.auth ?? []) as readonly EventId[]
  const rules = fields.rules ?? ROOM_VERSIONS['11']
  const json: JsonObject = {
    type: fields.type,
    ...(rules.roomIdIsCreateHash && fields.type === 'm.room.create' ? {} : { room_id: roomId }),
    sender,
    ...(fields.stateKey === undefined ? {} : { state_key: fields.stateKey }),
    content,
    origin_server_ts: originServerTs,
    depth,
    prev_events: prevEvents,
    auth_events: authEvents,
  }
  return {
    eventId,
    roomId,
    type: fields.type,
    sender,
    stateKey: fields.stateKey,
    originServerTs,
    depth,
    prevEvents,
    authEvents,
    redacts: fields.redacts as EventId | undefined,
    content,
    rules,
    json,
    text: canonicalJson(json),
  }
}
