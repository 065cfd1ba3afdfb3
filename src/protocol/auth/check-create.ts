import { ALLOW, type Verdict } from '../errors.ts'
import type { Pdu } from '../event/pdu.ts'
import { domainOf } from '../ids/domain.ts'
import { parseUserId, serverOf } from '../ids/user-id.ts'
import { isArray, member } from '../json/value.ts'
import { rulesOf } from '../room-version/rules.ts'
import { reject, ruleNumbers } from './numbering.ts'

/** Rule 1: m.room.create. It depends on nothing but the event. */
export function checkCreate(event: Pdu): Verdict {
  const { rules, content } = event
  const at = ruleNumbers(rules).create
  if (event.prevEvents.length > 0) return reject(rules, `${at}.1`, 'a create event has no prev_events')
  if (rules.roomIdIsCreateHash) {
    if (member(event.json, 'room_id') !== undefined) {
      return reject(rules, `${at}.2`, 'a create event of this version has no room_id')
    }
  } else if (domainOf(event.roomId) !== serverOf(event.sender)) {
    return reject(rules, `${at}.2`, "the room id is not of the sender's server")
  }
  const version = member(content, 'room_version')
  if (version !== undefined && (typeof version !== 'string' || rulesOf(version) === undefined)) {
    return reject(rules, `${at}.3`, 'room_version is not a version that we know')
  }
  if (rules.auth.creatorInContent && member(content, 'creator') === undefined) {
    return reject(rules, `${at}.4`, 'content has no creator')
  }
  const additional = member(content, 'additional_creators')
  if (rules.auth.privilegedCreators && additional !== undefined) {
    const valid =
      isArray(additional) &&
      additional.every((item) => typeof item === 'string' && parseUserId(item) !== undefined)
    if (!valid) return reject(rules, `${at}.4`, 'additional_creators is not a list of user ids')
  }
  return ALLOW
}
