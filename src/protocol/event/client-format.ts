/** Events as clients see them. https://spec.matrix.org/v1.16/client-server-api/#room-event-format */
import { type JsonObject, type JsonValue, member } from '../json/value.ts'
import type { Pdu } from './pdu.ts'

/** What the server adds. All members are optional. */
export interface ClientFormat {
  /** Members of `unsigned`: age, transaction_id, prev_content, membership, redacted_because, m.relations. */
  readonly unsigned?: JsonObject
  /** `/sync` names the room outside of the event. */
  readonly withoutRoomId?: boolean
}

/**
 * An event in the client format. `redacts` of a redaction stands in both places, whatever the version: at the top for
 * old clients, in the content for new ones.
 */
export function clientEvent(pdu: Pdu, format: ClientFormat = {}): JsonObject {
  const event: Record<string, JsonValue> = {
    content: pdu.content,
    event_id: pdu.eventId,
    origin_server_ts: pdu.originServerTs,
    sender: pdu.sender,
    type: pdu.type,
  }
  if (format.withoutRoomId !== true) event['room_id'] = pdu.roomId
  if (pdu.stateKey !== undefined) event['state_key'] = pdu.stateKey
  if (pdu.redacts !== undefined) {
    event['redacts'] = pdu.redacts
    if (member(pdu.content, 'redacts') === undefined)
      event['content'] = { ...pdu.content, redacts: pdu.redacts }
  }
  if (format.unsigned !== undefined && Object.keys(format.unsigned).length > 0) {
    event['unsigned'] = format.unsigned
  }
  return event
}
