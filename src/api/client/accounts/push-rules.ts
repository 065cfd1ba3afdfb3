/** Push rules as data: the defaults of the server. https://spec.matrix.org/v1.16/client-server-api/#push-rules-api */
import { type Route, route } from '#/http/route.ts'
import { defaultPushRules } from '#/protocol/push-rules/default-rules.ts'

const COMMON = { method: 'GET', auth: 'user', limit: 'none', servlet: 'PushRuleRestServlet' } as const

/* The specification writes these paths with a slash at the end; some clients leave it out. */
export const pushRuleRoutes = (): Route[] => [
  route({
    ...COMMON,
    path: '/_matrix/client/v3/pushrules/',
    also: ['/_matrix/client/r0/pushrules/', '/_matrix/client/v3/pushrules', '/_matrix/client/r0/pushrules'],
    spec: 'client-server-api/#get_matrixclientv3pushrules',
    operations: ['getPushRules'],
    handle: ({ who }) => ({ global: defaultPushRules(who.userId) }),
  }),
  route({
    ...COMMON,
    path: '/_matrix/client/v3/pushrules/global/',
    also: [
      '/_matrix/client/r0/pushrules/global/',
      '/_matrix/client/v3/pushrules/global',
      '/_matrix/client/r0/pushrules/global',
    ],
    spec: 'client-server-api/#get_matrixclientv3pushrulesglobal',
    operations: ['getPushRulesGlobal'],
    handle: ({ who }) => defaultPushRules(who.userId),
  }),
]
