/** Login, refresh and logout. https://spec.matrix.org/v1.16/client-server-api/#login */
import { type Route, route } from '#/http/route.ts'
import { type Static, t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { wrongPassword } from '#/services/accounts/errors.ts'
import type { Tokens } from '#/services/accounts/grants.ts'
import { PASSWORD_CHARS_MAX } from '#/services/accounts/limits.ts'
import type { LoginService } from '#/services/accounts/login.ts'
import type { Sessions } from '#/services/accounts/sessions.ts'
import { renewedAnswer, SESSION_MEMBERS, sessionOf, tokensAnswer } from './shared.ts'

export interface SessionDeps {
  readonly login: LoginService
  readonly sessions: Sessions
  /** Content of the client well-known, where there is one. */
  readonly clientWellKnown: JsonObject | undefined
}

const LOGIN_BODY = t.object({
  type: t.text(255),
  identifier: t.opt(t.object({ type: t.text(255), user: t.opt(t.text()) })),
  user: t.opt(t.text()),
  password: t.opt(t.text(PASSWORD_CHARS_MAX)),
  token: t.opt(t.text()),
  ...SESSION_MEMBERS,
})

/** The user that a client names: by identifier, or at the top as clients of old do. */
function userOf(body: { identifier?: { type: string; user?: string }; user?: string }): string {
  const { identifier } = body
  if (identifier === undefined) {
    if (body.user === undefined) throw new MatrixError('M_MISSING_PARAM', 'The body lacks identifier.')
    return body.user
  }
  /* No account has an address yet, so none is known by one. */
  if (identifier.type === 'm.id.thirdparty' || identifier.type === 'm.id.phone') throw wrongPassword()
  if (identifier.type !== 'm.id.user') {
    throw new MatrixError('M_UNKNOWN', 'This kind of identifier is not known here.')
  }
  if (identifier.user === undefined) {
    throw new MatrixError('M_MISSING_PARAM', 'The body lacks identifier.user.')
  }
  return identifier.user
}

/** Takes a body of `POST /login` the way its type says. */
function logIn(login: LoginService, body: Static<typeof LOGIN_BODY>): Promise<Tokens> {
  if (!login.offers(body.type)) {
    throw new MatrixError('M_UNKNOWN', 'This kind of login is not offered here.')
  }
  const { password, token } = body
  if (body.type === 'm.login.token') {
    if (token === undefined) throw new MatrixError('M_MISSING_PARAM', 'The body lacks token.')
    return login.withToken(token, sessionOf(body))
  }
  if (password === undefined) throw new MatrixError('M_MISSING_PARAM', 'The body lacks password.')
  return login.withPassword(userOf(body), password, sessionOf(body))
}

export const sessionRoutes = (d: SessionDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v3/login',
    also: ['/_matrix/client/r0/login'],
    spec: 'client-server-api/#get_matrixclientv3login',
    operations: ['getLoginFlows'],
    auth: 'none',
    limit: 'none',
    servlet: 'LoginRestServlet',
    handle: () => ({ flows: d.login.flows }),
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/login',
    also: ['/_matrix/client/r0/login'],
    spec: 'client-server-api/#post_matrixclientv3login',
    operations: ['login'],
    auth: 'none',
    limit: 'rc_login.address',
    servlet: 'LoginRestServlet',
    statuses: { M_UNKNOWN: 400 },
    body: LOGIN_BODY,
    async handle({ body }) {
      const tokens = await logIn(d.login, body)
      const { clientWellKnown } = d
      return {
        ...tokensAnswer(tokens),
        ...(clientWellKnown === undefined ? {} : { well_known: clientWellKnown }),
      }
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/refresh',
    also: ['/_matrix/client/v1/refresh', '/_matrix/client/r0/refresh'],
    spec: 'client-server-api/#post_matrixclientv3refresh',
    operations: ['refresh'],
    auth: 'none',
    limit: 'none',
    servlet: 'RefreshTokenServlet',
    body: t.object({ refresh_token: t.text() }),
    async handle({ body }) {
      return renewedAnswer(await d.sessions.refresh(body.refresh_token))
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/logout',
    also: ['/_matrix/client/r0/logout'],
    spec: 'client-server-api/#post_matrixclientv3logout',
    operations: ['logout'],
    auth: 'guest',
    limit: 'none',
    servlet: 'LogoutRestServlet',
    async handle({ who }) {
      if (who.deviceId !== undefined) await d.sessions.end(who.userId, { devices: [who.deviceId] })
      return {}
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/logout/all',
    also: ['/_matrix/client/r0/logout/all'],
    spec: 'client-server-api/#post_matrixclientv3logoutall',
    operations: ['logout_all'],
    auth: 'guest',
    limit: 'none',
    servlet: 'LogoutAllRestServlet',
    async handle({ who }) {
      await d.sessions.end(who.userId, {})
      return {}
    },
  }),
]
