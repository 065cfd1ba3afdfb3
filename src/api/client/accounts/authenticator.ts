/** Who holds an access token, for the dispatcher. */
import type { Authenticator } from '#/http/requester.ts'
import type { Sessions } from '#/services/accounts/sessions.ts'

/** Routes that holders of locked accounts may still use. https://spec.matrix.org/v1.16/client-server-api/#account-locking */
const EVEN_LOCKED = new Set(['/_matrix/client/v3/logout', '/_matrix/client/v3/logout/all'])

export function accountAuthenticator(sessions: Sessions): Authenticator {
  return { user: (token, request) => sessions.find(token, EVEN_LOCKED.has(request.route)) }
}
