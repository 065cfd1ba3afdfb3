/** The actions of events that are kept only by their kind. */
import { KIND_OVERRIDES, KIND_RULES } from '#/protocol/push-rules/event-kind.ts'
import type { PushRule, PushRuleset } from '#/protocol/push-rules/ruleset.ts'

/** Actions of the first enabled rule that an event of this kind meets, as JSON; an empty list when there is none. */
export function kindActions(kind: number, rules: PushRuleset): string {
  for (let i = 0; i < KIND_RULES.length; i++) {
    if (!(kind & (1 << i))) continue
    const list: readonly PushRule[] = i < KIND_OVERRIDES ? rules.override : rules.underride
    const rule = list.find((item) => item.rule_id === KIND_RULES[i])
    if (rule?.enabled) return JSON.stringify(rule.actions)
  }
  return '["notify"]'
}
