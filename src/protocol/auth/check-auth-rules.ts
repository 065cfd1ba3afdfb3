/**
 * The authorisation rules against a state. https://spec.matrix.org/v1.16/server-server-api/#authorization-rules
 */

import { ALLOW, type Verdict } from '../errors.ts'
import { federates } from '../event/content.ts'
import type { Pdu, StateLookup } from '../event/pdu.ts'
import { domainOf } from '../ids/domain.ts'
import { serverOf } from '../ids/user-id.ts'
import { checkCreate } from './check-create.ts'
import { checkMember } from './check-member.ts'
import { checkPowerLevels } from './check-power-levels.ts'
import { atLeast } from './level.ts'
import { reject, ruleNumbers } from './numbering.ts'
import { type PowerLevels, powerLevelsOf } from './power-levels.ts'

/**
 * Checks an event against the state given by `state`: the one before it (failure: reject), the current one (failure:
 * soft-fail), or a partly resolved one. In v12 `state` must give the create event too.
 */
export function checkAuthRules(event: Pdu, state: StateLookup): Verdict {
  const { rules } = event
  // 1. If type is m.room.create.
  if (event.type === 'm.room.create') return checkCreate(event)
  const numbers = ruleNumbers(rules)
  const create = state('m.room.create', '')
  if (create === undefined) {
    return reject(rules, `${numbers.authEvents}.4`, 'there is no create event in the state')
  }
  if (create.roomId !== event.roomId) {
    return reject(rules, `${numbers.authEvents}.5`, 'the create event is of another room')
  }
  // If m.federate is false, and the sender's domain is not that of the create event's sender, reject.
  if (!federates(create) && serverOf(event.sender) !== serverOf(create.sender)) {
    return reject(rules, numbers.federate, 'the room does not federate')
  }
  if (event.type === 'm.room.aliases' && rules.auth.aliasesRule) return checkAliases(event)
  const levels = powerLevelsOf(create, state('m.room.power_levels', ''))
  if (event.type === 'm.room.member') return checkMember(event, create, levels, state)
  return checkOrdinary(event, create, levels, state)
}

/** v1-v5 rule 4. */
function checkAliases(event: Pdu): Verdict {
  const at = ruleNumbers(event.rules).aliases
  if (event.stateKey === undefined) return reject(event.rules, `${at}.1`, 'm.room.aliases without state_key')
  if (event.stateKey !== serverOf(event.sender)) {
    return reject(event.rules, `${at}.2`, "the state key is not the sender's server")
  }
  return ALLOW
}

/** The rules after the one on members. */
function checkOrdinary(event: Pdu, create: Pdu, levels: PowerLevels, state: StateLookup): Verdict {
  const { rules } = event
  const numbers = ruleNumbers(rules)
  const membership = state('m.room.member', event.sender)?.content['membership']
  if (membership !== 'join') return reject(rules, numbers.senderJoined, 'the sender is not joined')
  const power = levels.user(event.sender)
  if (event.type === 'm.room.third_party_invite') {
    if (atLeast(power, levels.named('invite'))) return ALLOW
    return reject(rules, `${numbers.thirdPartyInvite}.1`, 'the sender may not invite')
  }
  if (!atLeast(power, levels.send(event.type, event.stateKey !== undefined))) {
    return reject(rules, numbers.requiredLevel, `the sender may not send ${event.type}`)
  }
  if (event.stateKey?.startsWith('@') === true && event.stateKey !== event.sender) {
    return reject(rules, numbers.ownedStateKey, 'the state key is the id of another user')
  }
  if (event.type === 'm.room.power_levels') {
    return checkPowerLevels(event, create, power, state('m.room.power_levels', ''))
  }
  if (event.type === 'm.room.redaction' && rules.auth.redactionRule) {
    return checkRedaction(event, levels, numbers.redaction)
  }
  return ALLOW
}

/** v1-v2 rule 11. */
function checkRedaction(event: Pdu, levels: PowerLevels, at: string): Verdict {
  if (atLeast(levels.user(event.sender), levels.named('redact'))) return ALLOW
  const target = event.redacts === undefined ? undefined : domainOf(event.redacts)
  if (target !== undefined && target === domainOf(event.eventId)) return ALLOW
  return reject(event.rules, `${at}.3`, 'the sender may not redact an event of another server')
}
