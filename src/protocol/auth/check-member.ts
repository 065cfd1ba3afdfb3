/** The rules on m.room.member. */

import { ALLOW, type Verdict } from '../errors.ts'
import { authorisedViaOf, joinRuleOf, membershipOf, stringOf, thirdPartySignedOf } from '../event/content.ts'
import type { Pdu, StateLookup } from '../event/pdu.ts'
import { member } from '../json/value.ts'
import { above, atLeast } from './level.ts'
import { type RuleNumbers, reject, ruleNumbers } from './numbering.ts'
import { firstCreatorOf, type PowerLevels } from './power-levels.ts'
import { isSignedByInvite } from './third-party.ts'

/** What every branch asks for. */
interface Case {
  readonly event: Pdu
  readonly create: Pdu
  readonly levels: PowerLevels
  readonly state: StateLookup
  readonly numbers: RuleNumbers
  readonly target: string
  /** Current membership of the sender and of the target. */
  readonly senderIs: string | undefined
  readonly targetIs: string | undefined
}

/** Checks a member event. That it carries the signature of rule "authorised" is `checkSignatures`' to tell. */
export function checkMember(event: Pdu, create: Pdu, levels: PowerLevels, state: StateLookup): Verdict {
  const { rules } = event
  const numbers = ruleNumbers(rules)
  const membership = membershipOf(event)
  const target = event.stateKey
  // A state key that is no user id names nobody whose membership could change.
  if (target === undefined || !target.startsWith('@') || !target.includes(':')) {
    return reject(rules, `${numbers.member}.1`, 'the state key is not a user id')
  }
  if (membership === undefined) return reject(rules, `${numbers.member}.1`, 'there is no membership')
  const senderIs = membershipOf(state('m.room.member', event.sender))
  const targetIs = target === event.sender ? senderIs : membershipOf(state('m.room.member', target))
  const at: Case = { event, create, levels, state, numbers, target, senderIs, targetIs }
  if (membership === 'join') return checkJoin(at)
  if (membership === 'invite') return checkInvite(at)
  if (membership === 'leave') return checkLeave(at)
  if (membership === 'ban') return checkBan(at)
  if (membership === 'knock' && rules.auth.knock) return checkKnock(at)
  return reject(rules, numbers.memberUnknown, 'unknown membership')
}

function checkJoin(at: Case): Verdict {
  const { event, create, target, senderIs } = at
  const { rules } = event
  const number = at.numbers.join
  // If the only previous event is an m.room.create and the state_key is the creator, allow.
  const isFirst = event.prevEvents.length === 1 && event.prevEvents[0] === create.eventId
  if (isFirst && target === firstCreatorOf(create)) return ALLOW
  if (event.sender !== target) return reject(rules, `${number}.2`, 'nobody can join for another')
  if (senderIs === 'ban') return reject(rules, `${number}.3`, 'the sender is banned')
  const isInside = senderIs === 'invite' || senderIs === 'join'
  const joinRule = joinRuleOf(at.state('m.room.join_rules', ''))
  if (joinRule === 'public') return ALLOW
  if (joinRule === 'invite' || (joinRule === 'knock' && rules.auth.knock)) {
    return isInside ? ALLOW : reject(rules, `${number}.${rules.auth.restricted ? 7 : 6}`, 'not invited')
  }
  const isRestricted = joinRule === 'restricted' && rules.auth.restricted
  const isKnockRestricted = joinRule === 'knock_restricted' && rules.auth.knockRestricted
  if (isRestricted || isKnockRestricted) return isInside ? ALLOW : checkRestricted(at, `${number}.5.2`)
  return reject(rules, `${number}.${rules.auth.restricted ? 7 : 6}`, 'the join rule lets nobody in')
}

/** The user named in the event must be joined and able to invite. */
function checkRestricted(at: Case, number: string): Verdict {
  const via = authorisedViaOf(at.event)
  if (typeof via !== 'string' || membershipOf(at.state('m.room.member', via)) !== 'join') {
    return reject(at.event.rules, number, 'no joined user has authorised the join')
  }
  if (!atLeast(at.levels.user(via), at.levels.named('invite'))) {
    return reject(at.event.rules, number, 'the authorising user may not invite')
  }
  return ALLOW
}

function checkInvite(at: Case): Verdict {
  const { rules } = at.event
  const number = at.numbers.invite
  if (member(at.event.content, 'third_party_invite') !== undefined) return checkThirdParty(at, `${number}.1`)
  if (at.senderIs !== 'join') return reject(rules, `${number}.2`, 'the sender is not joined')
  if (at.targetIs === 'join' || at.targetIs === 'ban') {
    return reject(rules, `${number}.3`, 'the invited user is joined or banned')
  }
  if (atLeast(at.levels.user(at.event.sender), at.levels.named('invite'))) return ALLOW
  return reject(rules, `${number}.5`, 'the sender may not invite')
}

/** Judged before "the sender must be joined": the invite was given when the token was made. */
function checkThirdParty(at: Case, number: string): Verdict {
  const { event } = at
  const { rules } = event
  if (at.targetIs === 'ban') return reject(rules, `${number}.1`, 'the invited user is banned')
  const signed = thirdPartySignedOf(event)
  if (signed === undefined) return reject(rules, `${number}.2`, 'third_party_invite has no signed')
  const mxid = stringOf(signed, 'mxid')
  const token = stringOf(signed, 'token')
  if (mxid === undefined || token === undefined) {
    return reject(rules, `${number}.3`, 'signed has no mxid or no token')
  }
  if (mxid !== at.target) return reject(rules, `${number}.4`, 'signed is for another user')
  const invite = at.state('m.room.third_party_invite', token)
  if (invite === undefined) return reject(rules, `${number}.5`, 'there is no invite for the token')
  if (invite.sender !== event.sender) return reject(rules, `${number}.6`, 'the invite is of another sender')
  if (isSignedByInvite(signed, invite)) return ALLOW
  return reject(rules, `${number}.8`, 'no signature matches a key of the invite')
}

function checkLeave(at: Case): Verdict {
  const { event, levels, target, senderIs, targetIs } = at
  const { rules } = event
  const number = at.numbers.leave
  if (event.sender === target) {
    const mayLeave =
      senderIs === 'invite' || senderIs === 'join' || (senderIs === 'knock' && rules.auth.knock)
    return mayLeave ? ALLOW : reject(rules, `${number}.1`, 'the sender has nothing to leave')
  }
  if (senderIs !== 'join') return reject(rules, `${number}.2`, 'the sender is not joined')
  const power = levels.user(event.sender)
  if (targetIs === 'ban' && !atLeast(power, levels.named('ban'))) {
    return reject(rules, `${number}.3`, 'the sender may not unban')
  }
  if (atLeast(power, levels.named('kick')) && above(power, levels.user(target))) return ALLOW
  return reject(rules, `${number}.5`, 'the sender may not kick this user')
}

function checkBan(at: Case): Verdict {
  const { event, levels } = at
  const number = at.numbers.ban
  if (at.senderIs !== 'join') return reject(event.rules, `${number}.1`, 'the sender is not joined')
  const power = levels.user(event.sender)
  if (atLeast(power, levels.named('ban')) && above(power, levels.user(at.target))) return ALLOW
  return reject(event.rules, `${number}.3`, 'the sender may not ban this user')
}

function checkKnock(at: Case): Verdict {
  const { event, senderIs } = at
  const { rules } = event
  const number = at.numbers.knock
  const joinRule = joinRuleOf(at.state('m.room.join_rules', ''))
  if (joinRule !== 'knock' && !(joinRule === 'knock_restricted' && rules.auth.knockRestricted)) {
    return reject(rules, `${number}.1`, 'the join rule is not knock')
  }
  if (event.sender !== at.target) return reject(rules, `${number}.2`, 'nobody can knock for another')
  if (senderIs === 'ban' || senderIs === 'invite' || senderIs === 'join') {
    return reject(rules, `${number}.4`, 'the sender is banned, invited or joined')
  }
  return ALLOW
}
