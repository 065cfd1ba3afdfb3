/** Push rules. https://spec.matrix.org/v1.19/client-server-api/#push-rules-api */
import { jsonText } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { type Static, t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import {
  PUSH_RULE_KINDS,
  type PushAction,
  type PushCondition,
  type PushRule,
  type PushRuleKind,
} from '#/protocol/push-rules/ruleset.ts'
import { ACTIONS_MAX, CONDITIONS_MAX, PATTERN_CHARS_MAX, RULE_ID_CHARS_MAX } from '#/services/push/limits.ts'
import type { PushRules } from '#/services/push/rules.ts'

export interface PushRuleDeps {
  readonly rules: PushRules
}

const COMMON = { auth: 'user', limit: 'none', servlet: 'PushRuleRestServlet' } as const

const PARAMS = { kind: kindOf, ruleId: (text: string) => (text === '' ? undefined : text) } as const

const ONE = {
  ...COMMON,
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId',
  also: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId'],
  params: PARAMS,
} as const

const ENABLED = {
  ...COMMON,
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId/enabled',
  also: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId/enabled'],
  params: PARAMS,
} as const

const ACTIONS = {
  ...COMMON,
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId/actions',
  also: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId/actions'],
  params: PARAMS,
} as const

const ACTION_LIST = t.array(t.any, ACTIONS_MAX)

const RULE_BODY = t.object({
  actions: ACTION_LIST,
  conditions: t.opt(t.array(t.json, CONDITIONS_MAX)),
  pattern: t.opt(t.text(PATTERN_CHARS_MAX)),
})

export const pushRuleRoutes = (d: PushRuleDeps): Route[] => [
  ...listRoutes(d),
  ...ruleRoutes(d),
  ...memberRoutes(d),
]

/* The specification writes these paths with a slash at the end; some clients leave it out. */
const listRoutes = (d: PushRuleDeps): Route[] => [
  route({
    ...COMMON,
    method: 'GET',
    path: '/_matrix/client/v3/pushrules/',
    also: ['/_matrix/client/r0/pushrules/', '/_matrix/client/v3/pushrules', '/_matrix/client/r0/pushrules'],
    spec: 'client-server-api/#get_matrixclientv3pushrules',
    operations: ['getPushRules'],
    handle: async ({ who }) => ({ global: (await d.rules.of(who.userId)).ruleset }),
  }),
  route({
    ...COMMON,
    method: 'GET',
    path: '/_matrix/client/v3/pushrules/global/',
    also: [
      '/_matrix/client/r0/pushrules/global/',
      '/_matrix/client/v3/pushrules/global',
      '/_matrix/client/r0/pushrules/global',
    ],
    spec: 'client-server-api/#get_matrixclientv3pushrulesglobal',
    operations: ['getPushRulesGlobal'],
    handle: async ({ who }) => (await d.rules.of(who.userId)).ruleset,
  }),
]

const ruleRoutes = (d: PushRuleDeps): Route[] => [
  route({
    ...ONE,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3pushrulesglobalkindruleid',
    operations: ['getPushRule'],
    params: { kind: kindOf, ruleId: (text: string) => text },
    async handle({ who, params: { kind, ruleId } }) {
      if (ruleId !== '') return d.rules.rule(who.userId, kind, ruleId)
      /* All rules of a kind: from before the specification's v1.0, and still asked for. */
      return jsonText(JSON.stringify((await d.rules.of(who.userId)).ruleset[kind]))
    },
  }),
  route({
    ...ONE,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3pushrulesglobalkindruleid',
    operations: ['setPushRule'],
    /* The specification's example for a rule that `before` or `after` does not find. */
    statuses: { M_UNKNOWN: 400 },
    query: t.object({
      before: t.opt(t.text(RULE_ID_CHARS_MAX)),
      after: t.opt(t.text(RULE_ID_CHARS_MAX)),
    }),
    body: RULE_BODY,
    async handle({ who, params, query, body }) {
      await d.rules.put(who.userId, params.kind, newRule(params.kind, params.ruleId, body), query)
      return {}
    },
  }),
  route({
    ...ONE,
    method: 'DELETE',
    spec: 'client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid',
    operations: ['deletePushRule'],
    async handle({ who, params }) {
      await d.rules.delete(who.userId, params.kind, params.ruleId)
      return {}
    },
  }),
]

const memberRoutes = (d: PushRuleDeps): Route[] => [
  route({
    ...ENABLED,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3pushrulesglobalkindruleidenabled',
    operations: ['isPushRuleEnabled'],
    handle: async ({ who, params }) => ({
      enabled: (await d.rules.rule(who.userId, params.kind, params.ruleId)).enabled,
    }),
  }),
  route({
    ...ENABLED,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3pushrulesglobalkindruleidenabled',
    operations: ['setPushRuleEnabled'],
    body: t.object({ enabled: t.bool }),
    async handle({ who, params, body }) {
      await d.rules.enable(who.userId, params.kind, params.ruleId, body.enabled)
      return {}
    },
  }),
  route({
    ...ACTIONS,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3pushrulesglobalkindruleidactions',
    operations: ['getPushRuleActions'],
    handle: async ({ who, params }) => ({
      actions: (await d.rules.rule(who.userId, params.kind, params.ruleId)).actions,
    }),
  }),
  route({
    ...ACTIONS,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions',
    operations: ['setPushRuleActions'],
    body: t.object({ actions: ACTION_LIST }),
    async handle({ who, params, body }) {
      await d.rules.setActions(who.userId, params.kind, params.ruleId, actionsOf(body.actions))
      return {}
    },
  }),
]

function kindOf(text: string): PushRuleKind | undefined {
  return PUSH_RULE_KINDS.find((kind) => kind === text)
}

/** A rule of the user's own. Throws M_INVALID_PARAM, M_MISSING_PARAM. */
function newRule(kind: PushRuleKind, ruleId: string, body: Static<typeof RULE_BODY>): PushRule {
  if (ruleId.startsWith('.')) {
    throw new MatrixError('M_INVALID_PARAM', 'Rules whose id begins with a dot belong to the server.')
  }
  if (ruleId.includes('/') || ruleId.includes('\\')) {
    throw new MatrixError('M_INVALID_PARAM', 'The id of a push rule has no slashes.')
  }
  const rule = { rule_id: ruleId, default: false, enabled: true, actions: actionsOf(body.actions) }
  if (kind === 'content') {
    if (body.pattern === undefined) throw new MatrixError('M_MISSING_PARAM', 'The body lacks pattern.')
    return { ...rule, pattern: body.pattern }
  }
  if (kind === 'room' || kind === 'sender') return rule
  return { ...rule, conditions: (body.conditions ?? []).map(conditionOf) }
}

/** Unknown kinds are kept: they never match. */
function conditionOf(condition: object): PushCondition {
  const { kind, pattern } = condition as { kind?: unknown; pattern?: unknown }
  if (typeof kind !== 'string') throw new MatrixError('M_INVALID_PARAM', 'A condition lacks its kind.')
  if (typeof pattern === 'string' && pattern.length > PATTERN_CHARS_MAX) {
    throw new MatrixError('M_INVALID_PARAM', `A pattern has at most ${PATTERN_CHARS_MAX} characters.`)
  }
  return condition as PushCondition
}

/** Words of today and of old. */
const ACTION_WORDS: ReadonlySet<string> = new Set(['notify', 'dont_notify', 'coalesce'])

/** Words with a meaning, or objects with the name of a tweak. Throws M_INVALID_PARAM. */
function actionsOf(actions: readonly unknown[]): PushAction[] {
  return actions.map((action) => {
    if (typeof action === 'string' && ACTION_WORDS.has(action)) return action
    const tweak =
      typeof action === 'object' && action !== null && (action as { set_tweak?: unknown }).set_tweak
    if (typeof tweak === 'string') return action as PushAction
    throw new MatrixError('M_INVALID_PARAM', 'An action is `notify`, or an object with set_tweak.')
  })
}
