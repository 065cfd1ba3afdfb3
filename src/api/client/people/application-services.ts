/**
 * What application services ask of the client-server API, as a server without them answers: nobody is one.
 * https://spec.matrix.org/v1.19/application-service-api/#client-server-api-extensions
 */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'

const COMMON = { auth: 'user', limit: 'none' } as const

function refuseUser(): never {
  throw new MatrixError('M_FORBIDDEN', 'Only an application service may do this.')
}

export const applicationServiceRoutes = (): Route[] => [
  route({
    ...COMMON,
    method: 'POST',
    path: '/_matrix/client/v1/appservice/:appserviceId/ping',
    spec: 'client-server-api/#post_matrixclientv1appserviceappserviceidping',
    operations: ['pingAppservice'],
    servlet: 'AppservicePingRestServlet',
    body: t.object({ transaction_id: t.opt(t.text()) }),
    handle: refuseUser,
  }),
  route({
    ...COMMON,
    method: 'PUT',
    path: '/_matrix/client/v3/directory/list/appservice/:networkId/:roomId',
    also: ['/_matrix/client/r0/directory/list/appservice/:networkId/:roomId'],
    spec: 'client-server-api/#put_matrixclientv3directorylistappservicenetworkidroomid',
    operations: ['updateAppserviceRoomDirectoryVisibility'],
    servlet: 'ClientAppserviceDirectoryListServer',
    params: { roomId: parseRoomId },
    body: t.object({ visibility: t.oneOf('public', 'private') }),
    handle: refuseUser,
  }),
]
