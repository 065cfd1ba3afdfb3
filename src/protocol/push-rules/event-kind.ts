/**
 * The kind of an event for counting: which of the server-default rules it meets, whoever asks. Two events of one kind
 * have the same outcome for a user who has no rules of their own that look at more, so they are counted together.
 * See docs/decisions/0008-counts.md.
 */
import type { UserId } from '../ids/user-id.ts'
import { type Condition, compileCondition, type PushContext, type PushEvent } from './conditions.ts'
import { defaultPushRules, MASTER_RULE_ID } from './default-rules.ts'
import { outcomeOf } from './evaluate.ts'
import type { PushRule } from './ruleset.ts'

/** Default rules that name their user; whoever an event names is evaluated one by one. */
export const PERSONAL_RULES: ReadonlySet<string> = new Set([
  '.m.rule.invite_for_me',
  '.m.rule.is_user_mention',
])

/** Nobody's id: personal rules never match it. */
const NOBODY = '' as UserId

const ROOM_CONDITIONS: ReadonlySet<string> = new Set(['room_member_count', 'sender_notification_permission'])

const DEFAULTS = defaultPushRules(NOBODY)

const isShared = (rule: PushRule): boolean =>
  rule.rule_id !== MASTER_RULE_ID && !PERSONAL_RULES.has(rule.rule_id)

/**
 * The default override rules that do not name their user, in order: bit i of a kind is rule i. The order is stored
 * with the counts, so new rules only ever join at the end, and none leaves.
 */
const OVERRIDES = DEFAULTS.override.filter(isShared)
const UNDERRIDES = DEFAULTS.underride.filter(isShared)

/** Ids of the rules behind the bits of a kind. */
export const KIND_RULES: readonly string[] = [...OVERRIDES, ...UNDERRIDES].map((rule) => rule.rule_id)

/** How many of them stand above room rules. */
export const KIND_OVERRIDES = OVERRIDES.length

const CONDITIONS: readonly (readonly Condition[])[] = [...OVERRIDES, ...UNDERRIDES].map((rule) =>
  (rule.conditions ?? []).map(compileCondition),
)

/** Default outcomes of the rules behind the bits: 0 silent, 1 notify, 2 highlight. */
export const KIND_OUTCOMES: readonly number[] = [...OVERRIDES, ...UNDERRIDES].map(levelOf)

/** 0 silent, 1 notify, 2 highlight. */
export function levelOf(rule: PushRule): 0 | 1 | 2 {
  const { notify, highlight } = outcomeOf(rule)
  return highlight ? 2 : notify ? 1 : 0
}

/** The kind of an event: bit i is set when it meets the rule `KIND_RULES[i]`. `context.userId` is not looked at. */
export function eventKind(event: PushEvent, context: PushContext): number {
  let kind = 0
  for (let i = 0; i < CONDITIONS.length; i++) {
    if (CONDITIONS[i]!.every((condition) => condition(event, context))) kind |= 1 << i
  }
  return kind
}

/** The bits that follow from the event alone, without the room of its time. */
export const KIND_OF_EVENT_ALONE: number = CONDITIONS.reduce((bits, _, i) => {
  const rule = [...OVERRIDES, ...UNDERRIDES][i]!
  const asksRoom = rule.conditions?.some(({ kind }) => ROOM_CONDITIONS.has(kind))
  return asksRoom ? bits : bits | (1 << i)
}, 0)

/** Whether the default rules highlight this kind for everybody. */
export function isLoud(kind: number): boolean {
  for (let i = 0; i < KIND_OUTCOMES.length; i++) if (kind & (1 << i)) return KIND_OUTCOMES[i] === 2
  return false
}
