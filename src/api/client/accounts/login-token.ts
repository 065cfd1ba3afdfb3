/** A login token for another client. https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv1loginget_token */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import type { Uia } from '#/http/uia.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { LoginTokens } from '#/services/accounts/login-tokens.ts'
import { reauthFlows } from './shared.ts'

export interface LoginTokenDeps {
  readonly loginTokens: LoginTokens
  readonly uia: Uia
  /** Whether a password confirms changes. */
  readonly passwordsConfirm: boolean
}

export const loginTokenRoutes = (d: LoginTokenDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v1/login/get_token',
    also: ['/_matrix/client/unstable/org.matrix.msc3882/login/token'],
    spec: 'client-server-api/#post_matrixclientv1loginget_token',
    operations: ['generateLoginToken'],
    auth: 'user',
    limit: 'service',
    servlet: 'LoginTokenRequestServlet',
    body: t.object({ auth: t.opt(t.json) }),
    emptyBody: true,
    async handle({ who, body, request }) {
      const { enabled, confirm } = d.loginTokens.options
      if (!enabled) throw new MatrixError('M_UNRECOGNIZED', 'This server gives no login tokens.')
      if (!confirm) return answer(await d.loginTokens.forExistingSession(who.userId))
      /* "servers MUST always re-prompt the user": an earlier proof does not count. */
      const proof = await d.uia.run({
        flows: reauthFlows(d.passwordsConfirm),
        auth: body.auth,
        operation: 'get a login token',
        userId: who.userId,
        deviceId: who.deviceId,
        remote: request.remote,
      })
      if (!proof.done) return proof.reply
      const made = await d.loginTokens.forExistingSession(who.userId)
      await d.uia.finish(proof.session)
      return answer(made)
    },
  }),
]

/** `expires_in` in seconds is for clients that know the proposal (MSC3882) alone. */
function answer({ token, expiresInMs }: { token: string; expiresInMs: number }): object {
  return { login_token: token, expires_in_ms: expiresInMs, expires_in: Math.floor(expiresInMs / 1000) }
}
