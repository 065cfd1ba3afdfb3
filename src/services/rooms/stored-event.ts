/** Events between the store's rows and the protocol's form. */
import type { EventRow } from '#/ports/store/events.ts'
import { parseStored } from '#/protocol/event/parse.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { readJson } from '#/protocol/json/reader.ts'
import { isObject } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'

/** An event that the disk no longer holds as it was written. `myelin verify` finds all of them. */
export class DamagedEvent extends Error {}

/** The event of a row. Throws DamagedEvent when the row is damaged. */
export function pduOfRow(row: Pick<EventRow, 'json' | 'eventId'>, rules: RoomVersionRules): Pdu {
  const json = readJson(row.json, 'lenient')
  if (!json.ok || !isObject(json.value)) {
    throw new DamagedEvent(`stored event ${row.eventId} is not a JSON object`)
  }
  const parsed = parseStored(rules, json.value, row.eventId as EventId, row.json)
  if (!parsed.ok) throw new DamagedEvent(`stored event ${row.eventId}: ${parsed.rule}: ${parsed.why}`)
  return parsed.value
}
