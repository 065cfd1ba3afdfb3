/** Changing a user's list of rules: pure functions from one ruleset to the next. */

import type { UserId } from '../ids/user-id.ts'
import { defaultPushRules, pushRulesOf } from './default-rules.ts'
import {
  PUSH_RULE_KINDS,
  type PushAction,
  type PushCondition,
  type PushRule,
  type PushRuleChange,
  type PushRuleKind,
  type PushRuleset,
} from './ruleset.ts'

/** Actions of old that mean nothing any more: a client gets back what it set, and nothing comes of it. */
const HISTORICAL: ReadonlySet<PushAction> = new Set(['dont_notify', 'coalesce'])

/** The actions without the historical ones. https://spec.matrix.org/v1.19/client-server-api/#historical-actions */
export function liveActions(actions: readonly PushAction[]): readonly PushAction[] {
  return actions.filter((action) => !HISTORICAL.has(action))
}

/** The rule of an id, or undefined. */
export function findRule(rules: PushRuleset, kind: PushRuleKind, ruleId: string): PushRule | undefined {
  return rules[kind].find((rule) => rule.rule_id === ruleId)
}

/** Where a rule goes: next to another of the user's own, named by its id. `before` wins over `after`. */
export interface RulePlace {
  readonly before?: string | undefined
  readonly after?: string | undefined
}

/**
 * The ruleset with a rule of the user's own put in. A rule of the same id is replaced; it keeps its place unless
 * another is named, and whether it is enabled. A new one comes first among the user's own.
 * Undefined when the rule that `place` names is not one of the user's own.
 */
export function withRule(
  rules: PushRuleset,
  kind: PushRuleKind,
  rule: PushRule,
  place: RulePlace,
): PushRuleset | undefined {
  const list = rules[kind]
  const present = list.findIndex((item) => item.rule_id === rule.rule_id)
  const put = present < 0 ? rule : { ...rule, enabled: list[present]!.enabled }
  const rest = list.filter((item) => item.rule_id !== rule.rule_id)
  const beside = place.before ?? place.after
  if (beside === undefined) {
    if (present >= 0) return { ...rules, [kind]: list.map((item, at) => (at === present ? put : item)) }
    return { ...rules, [kind]: inserted(rest, firstOwn(rest), put) }
  }
  /* A rule next to itself stays where it is. */
  if (beside === rule.rule_id && present >= 0) return { ...rules, [kind]: inserted(rest, present, put) }
  const at = rest.findIndex((item) => item.rule_id === beside && !item.default)
  if (at < 0) return undefined
  return { ...rules, [kind]: inserted(rest, place.before === undefined ? at + 1 : at, put) }
}

/** The ruleset without a rule of the user's own. */
export function withoutRule(rules: PushRuleset, kind: PushRuleKind, ruleId: string): PushRuleset {
  return { ...rules, [kind]: rules[kind].filter((rule) => rule.default || rule.rule_id !== ruleId) }
}

/** The ruleset with some members of one rule changed, a default rule's too. */
export function withChange(
  rules: PushRuleset,
  kind: PushRuleKind,
  ruleId: string,
  change: { readonly enabled?: boolean; readonly actions?: readonly PushAction[] },
): PushRuleset {
  return {
    ...rules,
    [kind]: rules[kind].map((rule) => (rule.rule_id === ruleId ? { ...rule, ...change } : rule)),
  }
}

/**
 * The ruleset with the user's own rules about one room made for another room too: its room rule, and rules with a
 * condition on its id, each named by the new room. The same object when there are none, or the new room has its own.
 */
export function withRoomCopied(rules: PushRuleset, from: string, to: string): PushRuleset {
  let copied = rules
  for (const kind of ['override', 'room', 'underride'] as const) {
    const about = rules[kind].find((rule) => !rule.default && isAbout(kind, rule, from))
    if (!about || findRule(rules, kind, to)) continue
    const conditions = about.conditions?.map((condition) =>
      isRoomCondition(condition, from) ? { ...condition, pattern: to } : condition,
    )
    const copy = { ...about, rule_id: to, ...(conditions ? { conditions } : {}) }
    copied = withRule(copied, kind, copy, {}) ?? copied
  }
  return copied
}

function isAbout(kind: PushRuleKind, rule: PushRule, roomId: string): boolean {
  if (kind === 'room') return rule.rule_id === roomId
  return rule.conditions?.some((condition) => isRoomCondition(condition, roomId)) ?? false
}

function isRoomCondition({ kind, key, pattern }: PushCondition, roomId: string): boolean {
  return kind === 'event_match' && key === 'room_id' && pattern === roomId
}

/** A stored ruleset on the defaults of this release: what the user made and changed stays, all else is as it is now. */
export function onPresentDefaults(userId: UserId, stored: PushRuleset): PushRuleset {
  const own = Object.fromEntries(
    PUSH_RULE_KINDS.map((kind) => [kind, stored[kind].filter((rule) => !rule.default)]),
  ) as unknown as PushRuleset
  const defaults = defaultPushRules(userId)
  const changes: PushRuleChange[] = []
  for (const kind of PUSH_RULE_KINDS) {
    for (const rule of stored[kind]) {
      const before = rule.default ? findRule(defaults, kind, rule.rule_id) : undefined
      if (before === undefined) continue
      const { rule_id, enabled, actions } = rule
      changes.push({ kind, rule_id, enabled, actions })
    }
  }
  return pushRulesOf(userId, own, changes)
}

/** Place of the first rule below `.m.rule.master`. */
function firstOwn(rules: readonly PushRule[]): number {
  const at = rules.findIndex((rule) => !rule.default || rule.rule_id !== '.m.rule.master')
  return at < 0 ? rules.length : at
}

function inserted(rules: readonly PushRule[], at: number, rule: PushRule): PushRule[] {
  return [...rules.slice(0, at), rule, ...rules.slice(at)]
}
