/** OpenID tokens. https://spec.matrix.org/v1.16/client-server-api/#openid */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import type { OpenidTokens } from '#/services/accounts/openid.ts'
import { requireSelf } from '../accounts/shared.ts'

export interface OpenidDeps {
  readonly openid: OpenidTokens
  readonly serverName: ServerName
}

export const openidRoutes = (d: OpenidDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/user/:userId/openid/request_token',
    also: ['/_matrix/client/r0/user/:userId/openid/request_token'],
    spec: 'client-server-api/#post_matrixclientv3useruseridopenidrequest_token',
    operations: ['requestOpenIdToken'],
    auth: 'user',
    limit: 'none',
    servlet: 'IdTokenServlet',
    params: { userId: parseUserId },
    body: t.object({}),
    emptyBody: true,
    async handle({ who, params }) {
      requireSelf(who, params.userId)
      const { token, expiresInS } = await d.openid.grant(who.userId)
      return {
        access_token: token,
        token_type: 'Bearer',
        matrix_server_name: d.serverName,
        expires_in: expiresInS,
      }
    },
  }),
]
