import { refuse } from '../errors.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'

/**
 * Where a version's text has each authorisation rule. Versions insert and drop rules, so the numbers move; the text of
 * a refusal must still name the one that a reader finds in the specification.
 */
export interface RuleNumbers {
  readonly create: string
  /** v12: the room id names an accepted create event. */
  readonly room: string
  readonly authEvents: string
  readonly federate: string
  readonly aliases: string
  readonly member: string
  readonly memberAuthorised: string
  readonly join: string
  readonly invite: string
  readonly leave: string
  readonly ban: string
  readonly knock: string
  readonly memberUnknown: string
  readonly senderJoined: string
  readonly thirdPartyInvite: string
  readonly requiredLevel: string
  readonly ownedStateKey: string
  readonly powerLevels: string
  /** The sub-rule of `powerLevels` that asks for a previous event; the four that follow count on from it. */
  readonly powerLevelsPrevious: number
  readonly redaction: string
}

const cache = new WeakMap<RoomVersionRules, RuleNumbers>()

/** The numbers of a version's rules, from its flags. */
export function ruleNumbers(rules: RoomVersionRules): RuleNumbers {
  const hit = cache.get(rules)
  if (hit !== undefined) return hit
  const numbers = count(rules)
  cache.set(rules, numbers)
  return numbers
}

function count(rules: RoomVersionRules): RuleNumbers {
  const { auth } = rules
  let top = 0
  const next = (present = true): string => (present ? String(++top) : '-')
  const create = next()
  const room = next(auth.privilegedCreators)
  const authEvents = next()
  const federate = next()
  const aliases = next(auth.aliasesRule)
  const member = next()
  let sub = 1
  const nextSub = (present = true): string => (present ? `${member}.${++sub}` : '-')
  return {
    create,
    room,
    authEvents,
    federate,
    aliases,
    member,
    memberAuthorised: nextSub(auth.restricted),
    join: nextSub(),
    invite: nextSub(),
    leave: nextSub(),
    ban: nextSub(),
    knock: nextSub(auth.knock),
    memberUnknown: nextSub(),
    senderJoined: next(),
    thirdPartyInvite: next(),
    requiredLevel: next(),
    ownedStateKey: next(),
    powerLevels: next(),
    powerLevelsPrevious: auth.privilegedCreators ? 5 : auth.integerPowerLevels ? 4 : 2,
    redaction: next(auth.redactionRule),
  }
}

/** A refusal by an authorisation rule, for example `auth.v11.4.3.3`. */
export function reject(
  rules: RoomVersionRules,
  number: string,
  why: string,
): { readonly ok: false; readonly rule: string; readonly why: string } {
  return refuse(`auth.v${rules.version}.${number}`, why)
}
