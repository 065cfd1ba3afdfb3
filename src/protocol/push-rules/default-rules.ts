/**
 * The server-default push rules, and how a user's own rules are laid among them.
 * https://spec.matrix.org/v1.19/client-server-api/#predefined-rules
 */

import type { UserId } from '../ids/user-id.ts'
import {
  PUSH_RULE_KINDS,
  type PushAction,
  type PushCondition,
  type PushRule,
  type PushRuleChange,
  type PushRuleset,
} from './ruleset.ts'

/** The one default rule that stands above the user's own. */
export const MASTER_RULE_ID = '.m.rule.master'

const SOUND: PushAction = { set_tweak: 'sound', value: 'default' }
const RING: PushAction = { set_tweak: 'sound', value: 'ring' }
const HIGHLIGHT: PushAction = { set_tweak: 'highlight' }
/* Means what leaving it out means. Clients take a rule without it for one that was switched off, as Cinny does. */
const PLAIN: PushAction = { set_tweak: 'highlight', value: false }

/** The default rules of one user, in the order of the specification. */
export function defaultPushRules(userId: UserId): PushRuleset {
  return { override: overrideRules(userId), content: [], room: [], sender: [], underride: underrideRules() }
}

/**
 * All rules of a user: `.m.rule.master`, then the user's own rules before the server's of each kind.
 * `own` holds the user's rules alone; `changes` what the user switched or re-actioned among the defaults.
 * Changes of rules that are no default are ignored.
 */
export function pushRulesOf(
  userId: UserId,
  own: PushRuleset,
  changes: readonly PushRuleChange[] = [],
): PushRuleset {
  const defaults = defaultPushRules(userId)
  const merged = PUSH_RULE_KINDS.map((kind) => {
    const changed = defaults[kind].map((rule) => {
      const change = changes.find((item) => item.kind === kind && item.rule_id === rule.rule_id)
      if (change === undefined) return rule
      return { ...rule, enabled: change.enabled ?? rule.enabled, actions: change.actions ?? rule.actions }
    })
    const first = changed.filter((rule) => rule.rule_id === MASTER_RULE_ID)
    const rest = changed.filter((rule) => rule.rule_id !== MASTER_RULE_ID)
    return [kind, [...first, ...own[kind], ...rest]] as const
  })
  return Object.fromEntries(merged) as unknown as PushRuleset
}

function overrideRules(userId: UserId): readonly PushRule[] {
  return [
    { ...rule(MASTER_RULE_ID, [], []), enabled: false },
    rule('.m.rule.suppress_notices', [match('content.msgtype', 'm.notice')], []),
    rule(
      '.m.rule.invite_for_me',
      [match('type', 'm.room.member'), match('content.membership', 'invite'), match('state_key', userId)],
      ['notify', SOUND, PLAIN],
    ),
    rule('.m.rule.member_event', [match('type', 'm.room.member')], []),
    rule(
      '.m.rule.is_user_mention',
      [{ kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: userId }],
      ['notify', SOUND, HIGHLIGHT],
    ),
    rule(
      '.m.rule.is_room_mention',
      [
        { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true },
        { kind: 'sender_notification_permission', key: 'room' },
      ],
      ['notify', HIGHLIGHT],
    ),
    rule(
      '.m.rule.tombstone',
      [match('type', 'm.room.tombstone'), match('state_key', '')],
      ['notify', HIGHLIGHT],
    ),
    rule('.m.rule.reaction', [match('type', 'm.reaction')], []),
    rule('.m.rule.room.server_acl', [match('type', 'm.room.server_acl'), match('state_key', '')], []),
    rule(
      '.m.rule.suppress_edits',
      [{ kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' }],
      [],
    ),
  ]
}

function underrideRules(): readonly PushRule[] {
  const two: PushCondition = { kind: 'room_member_count', is: '2' }
  return [
    rule('.m.rule.call', [match('type', 'm.call.invite')], ['notify', RING, PLAIN]),
    rule(
      '.m.rule.encrypted_room_one_to_one',
      [two, match('type', 'm.room.encrypted')],
      ['notify', SOUND, PLAIN],
    ),
    rule('.m.rule.room_one_to_one', [two, match('type', 'm.room.message')], ['notify', SOUND, PLAIN]),
    rule('.m.rule.message', [match('type', 'm.room.message')], ['notify', PLAIN]),
    rule('.m.rule.encrypted', [match('type', 'm.room.encrypted')], ['notify', PLAIN]),
  ]
}

function rule(
  ruleId: string,
  conditions: readonly PushCondition[],
  actions: readonly PushAction[],
): PushRule {
  return { rule_id: ruleId, default: true, enabled: true, conditions, actions }
}

function match(key: string, pattern: string): PushCondition {
  return { kind: 'event_match', key, pattern }
}
