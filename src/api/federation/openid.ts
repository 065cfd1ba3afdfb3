/** Whose OpenID token it is. https://spec.matrix.org/v1.19/server-server-api/#openid */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { OpenidTokens } from '#/services/accounts/openid.ts'

/** Far longer than any token that this server makes. */
const TOKEN_CHARS_MAX = 512

export interface OpenidUserinfoDeps {
  readonly openid: OpenidTokens
}

/** Asked by services that were given a token, not by servers: the request is not signed, the token is in its query. */
export const openidUserinfoRoutes = (d: OpenidUserinfoDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/federation/v1/openid/userinfo',
    spec: 'server-server-api/#get_matrixfederationv1openiduserinfo',
    operations: ['exchangeOpenIdToken'],
    auth: 'none',
    limit: 'none',
    query: t.object({ access_token: t.opt(t.text(TOKEN_CHARS_MAX)) }),
    async handle({ query }) {
      if (query.access_token === undefined) {
        throw new MatrixError('M_MISSING_TOKEN', 'The query lacks access_token.')
      }
      const sub = await d.openid.holder(query.access_token)
      if (sub === undefined) {
        throw new MatrixError('M_UNKNOWN_TOKEN', 'This token is not known or has expired.', {
          soft_logout: false,
        })
      }
      return { sub }
    },
  }),
]
