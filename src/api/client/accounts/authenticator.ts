/** Who holds an access token, for the dispatcher. */
import type { RequestInfo } from '#/http/request.ts'
import type { Authenticator } from '#/http/requester.ts'
import type { Session } from '#/services/accounts/session-cache.ts'
import type { Sessions } from '#/services/accounts/sessions.ts'
import { refuseRoute } from '../people/suspension.ts'

/** Routes that holders of locked accounts may still use. https://spec.matrix.org/v1.16/client-server-api/#account-locking */
const EVEN_LOCKED = new Set(['/_matrix/client/v3/logout', '/_matrix/client/v3/logout/all'])

export function accountAuthenticator(sessions: Sessions): Authenticator {
  return {
    user(token, request) {
      const from = { ip: request.remote, agent: request.header('user-agent') }
      const found = sessions.find(token, EVEN_LOCKED.has(request.route), from)
      return found instanceof Promise ? found.then((one) => admitted(one, request)) : admitted(found, request)
    },
  }
}

function admitted(session: Session, request: RequestInfo): Session {
  if (session.isSuspended) refuseRoute(request.method, request.route)
  return session
}
