/**
 * Which push rule an event meets for one user, and what follows from its actions.
 * https://spec.matrix.org/v1.19/client-server-api/#push-rules
 */

import { type JsonValue, member } from '../json/value.ts'
import {
  type Condition,
  compileCondition,
  compileContentPattern,
  never,
  type PushContext,
  type PushEvent,
} from './conditions.ts'
import {
  PUSH_RULE_KINDS,
  type PushAction,
  type PushRule,
  type PushRuleKind,
  type PushRuleset,
} from './ruleset.ts'

/** A user's enabled rules in the order in which they are tried. */
export type CompiledPushRules = readonly CompiledStep[]

/** One rule, or all rules of a kind whose id names what they are about; gives the rule that the event meets. */
export type CompiledStep = (event: PushEvent, context: PushContext) => PushRule | undefined

/** What the first matching rule asks for. */
export interface PushOutcome {
  /** The rule that matched; undefined if none did or the user sent the event. */
  readonly rule: PushRule | undefined
  readonly notify: boolean
  /** Never true without `notify`. */
  readonly highlight: boolean
  /** Tweaks for the push gateway; a highlight without a value is `true`. */
  readonly tweaks: Readonly<Record<string, JsonValue>>
}

const NO_OUTCOME: PushOutcome = { rule: undefined, notify: false, highlight: false, tweaks: {} }

/** Prepares a user's rules; do it once per change of the rules, not once per event. */
export function compilePushRules(ruleset: PushRuleset): CompiledPushRules {
  return PUSH_RULE_KINDS.flatMap((kind) => {
    const enabled = ruleset[kind].filter((rule) => rule.enabled)
    if (kind === 'room') return [byName(enabled, 'room_id')]
    if (kind === 'sender') return [byName(enabled, 'sender')]
    return enabled.map((rule) => single(kind, rule))
  })
}

/** Finds the rule of the highest priority that the event meets. Nobody is notified of their own events. */
export function evaluatePushRules(
  rules: CompiledPushRules,
  event: PushEvent,
  context: PushContext,
): PushOutcome {
  if (member(event.json, 'sender') === context.userId) return NO_OUTCOME
  for (const step of rules) {
    const rule = step(event, context)
    if (rule !== undefined) return outcomeOf(rule)
  }
  return NO_OUTCOME
}

/** What the actions of a rule ask for; historical actions such as `dont_notify` count for nothing. */
export function outcomeOf(rule: PushRule): PushOutcome {
  const notify = rule.actions.includes('notify')
  const tweaks: Record<string, JsonValue> = {}
  for (const action of rule.actions) {
    if (!isTweak(action)) continue
    if (action.value !== undefined) tweaks[action.set_tweak] = action.value
    else if (action.set_tweak === 'highlight') tweaks['highlight'] = true
  }
  return { rule, notify, highlight: notify && tweaks['highlight'] === true, tweaks: notify ? tweaks : {} }
}

function single(kind: PushRuleKind, rule: PushRule): CompiledStep {
  const conditions = conditionsOf(kind, rule)
  return (event, context) => (conditions.every((condition) => condition(event, context)) ? rule : undefined)
}

/** However many rooms and senders have rules, one look finds theirs. */
function byName(rules: readonly PushRule[], key: 'room_id' | 'sender'): CompiledStep {
  const named = new Map(rules.map((rule) => [rule.rule_id, rule]))
  return ({ json }) => {
    const name = member(json, key)
    return typeof name === 'string' ? named.get(name) : undefined
  }
}

function conditionsOf(kind: PushRuleKind, rule: PushRule): readonly Condition[] {
  if (kind === 'content') {
    return [typeof rule.pattern === 'string' ? compileContentPattern(rule.pattern) : never]
  }
  return (rule.conditions ?? []).map(compileCondition)
}

function isTweak(action: PushAction): action is Exclude<PushAction, string> {
  return typeof action === 'object' && action !== null && typeof action.set_tweak === 'string'
}
