/** What events of room versions 1 and 2 have beside those of later ones: an id of their own, and hashes with references. */
import { hash } from 'node:crypto'
import type { EventFields } from '#/protocol/event/build.ts'
import { eventSignedText, referenceHash } from '#/protocol/event/hash.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import { mintEventId } from '#/protocol/ids/event-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import type { JsonValue } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'

/** Hex digits of a minted event id. */
const EVENT_ID_DIGITS = 32

/**
 * Adds what the room's version wants: nothing from version 3 on. `referenced` are the previous and auth events. The
 * id is made from what the event says, so that only the same event at the same place could get it twice.
 */
export function inRoomFormat(
  rules: RoomVersionRules,
  serverName: ServerName,
  fields: EventFields,
  referenced: Iterable<Pdu>,
): EventFields {
  if (rules.eventIds !== 'embedded') return fields
  const { type, sender, stateKey = null, content, roomId, originServerTs, prevEvents } = fields
  const said = [type, sender, stateKey, content, roomId, originServerTs, prevEvents] as JsonValue
  const opaque = hash('sha256', canonicalJson(said), 'hex').slice(0, EVENT_ID_DIGITS)
  const byId = new Map([...referenced].map((pdu) => [pdu.eventId, pdu]))
  return {
    ...fields,
    eventId: mintEventId(opaque, serverName),
    referenceHashOf(id) {
      const pdu = byId.get(id)
      return pdu && referenceHash(rules, eventSignedText(rules, pdu.json))
    },
  }
}
