import type { Pdu, StateLookup } from '../event/pdu.ts'
import { serverOf } from '../ids/user-id.ts'
import { atLeast } from './level.ts'
import { powerLevelsOf } from './power-levels.ts'

/**
 * From v3: whether a redaction that was accepted is to be applied to its target, both known and valid: the sender has
 * the redact level, or both are of one server. In v1 and v2 the authorisation rules have said so already. A create
 * event is never redacted: its content decides the version of the room.
 * https://spec.matrix.org/v1.16/rooms/v3/#handling-redactions
 * @param state the state before the redaction
 */
export function redactionApplies(redaction: Pdu, target: Pdu, state: StateLookup): boolean {
  if (redaction.redacts !== target.eventId || redaction.roomId !== target.roomId) return false
  if (target.type === 'm.room.create') return false
  if (redaction.rules.auth.redactionRule) return true
  if (serverOf(redaction.sender) === serverOf(target.sender)) return true
  const create = state('m.room.create', '')
  if (create === undefined) return false
  const levels = powerLevelsOf(create, state('m.room.power_levels', ''))
  return atLeast(levels.user(redaction.sender), levels.named('redact'))
}
