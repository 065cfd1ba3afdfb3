/** What a suspended account may not do. https://spec.matrix.org/v1.16/client-server-api/#account-suspension */
import type { Requester } from '#/http/requester.ts'
import { MatrixError } from '#/protocol/errors.ts'

const C3 = '/_matrix/client/v3'
const ROOM = `${C3}/rooms/:roomId`

/**
 * Requests that are refused whole, by the route's first path. Sending, state and redactions are looked at by their
 * handlers, because some of them tidy up.
 */
const REFUSED: ReadonlySet<string> = new Set([
  `POST ${C3}/createRoom`,
  `POST ${C3}/join/:roomIdOrAlias`,
  `POST ${C3}/knock/:roomIdOrAlias`,
  `POST ${ROOM}/join`,
  `POST ${ROOM}/invite`,
  `POST ${ROOM}/kick`,
  `POST ${ROOM}/ban`,
  `POST ${ROOM}/unban`,
  `POST ${ROOM}/upgrade`,
  `PUT ${ROOM}/typing/:userId`,
  `PUT ${C3}/directory/room/:roomAlias`,
  `DELETE ${C3}/directory/room/:roomAlias`,
  `PUT ${C3}/directory/list/room/:roomId`,
  `PUT ${C3}/profile/:userId/:keyName`,
  `DELETE ${C3}/profile/:userId/:keyName`,
])

/** Throws M_USER_SUSPENDED for a request that suspended accounts may not make. */
export function refuseRoute(method: string, path: string): void {
  if (REFUSED.has(`${method} ${path}`)) throw suspended()
}

/** Throws M_USER_SUSPENDED for a suspended account. */
export function refuseSuspended(who: Requester): void {
  if (who.isSuspended) throw suspended()
}

function suspended(): MatrixError<'M_USER_SUSPENDED'> {
  return new MatrixError('M_USER_SUSPENDED', 'You cannot perform this action while suspended.')
}

/** Their names, by method and path, for a test that there are such routes. */
export const REFUSED_ROUTES: readonly string[] = [...REFUSED]
