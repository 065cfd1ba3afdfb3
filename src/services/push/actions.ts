/** The actions of events that are kept only by their kind. */
import { KIND_OVERRIDES, KIND_RULES } from '#/protocol/push-rules/event-kind.ts'
import { mutedRoom } from '#/protocol/push-rules/profile.ts'
import { liveActions } from '#/protocol/push-rules/rule-edit.ts'
import type { PushRule, PushRuleset } from '#/protocol/push-rules/ruleset.ts'

/** Actions of the first enabled rule that an event of this kind in this room meets, as JSON. */
export function kindActions(kind: number, rules: PushRuleset, roomId: string): string {
  const rule =
    rules.override.find((item) => item.enabled && mutedRoom(item) === roomId) ??
    kindRule(kind, rules.override, 0, KIND_OVERRIDES) ??
    rules.room.find((item) => item.enabled && item.rule_id === roomId) ??
    kindRule(kind, rules.underride, KIND_OVERRIDES, KIND_RULES.length)
  return rule ? JSON.stringify(liveActions(rule.actions)) : '["notify"]'
}

function kindRule(kind: number, rules: readonly PushRule[], from: number, to: number): PushRule | undefined {
  for (let i = from; i < to; i++) {
    if (!(kind & (1 << i))) continue
    const rule = rules.find((item) => item.rule_id === KIND_RULES[i])
    if (rule?.enabled) return rule
  }
  return undefined
}
