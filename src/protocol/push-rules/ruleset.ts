/**
 * Push rules as the client-server API shows them: plain JSON data.
 * https://spec.matrix.org/v1.19/client-server-api/#push-rules
 */

import type { JsonScalar, JsonValue } from '../json/value.ts'

/** The kinds in the order in which they are checked. */
export const PUSH_RULE_KINDS = ['override', 'content', 'room', 'sender', 'underride'] as const

export type PushRuleKind = (typeof PUSH_RULE_KINDS)[number]

/** A condition; unknown kinds and missing parameters are kept and never match. */
export interface PushCondition {
  readonly kind: string
  /** Dot-separated path of a property, or for sender_notification_permission a notification type. */
  readonly key?: string
  readonly pattern?: string
  readonly value?: JsonScalar
  readonly is?: string
}

/** `notify`, a tweak, or something historical that is ignored. */
export type PushAction = string | { readonly set_tweak: string; readonly value?: JsonValue }

export interface PushRule {
  readonly rule_id: string
  /** True for server-default rules, whose `rule_id` starts with a dot. */
  readonly default: boolean
  readonly enabled: boolean
  readonly actions: readonly PushAction[]
  /** For override and underride. */
  readonly conditions?: readonly PushCondition[]
  /** For content. */
  readonly pattern?: string
}

/** All rules of a user; each list from the highest priority to the lowest. */
export type PushRuleset = { readonly [kind in PushRuleKind]: readonly PushRule[] }

/** What a user changed on a server-default rule; the rest of the rule stays as the server defines it. */
export interface PushRuleChange {
  readonly kind: PushRuleKind
  readonly rule_id: string
  readonly enabled?: boolean
  readonly actions?: readonly PushAction[]
}
