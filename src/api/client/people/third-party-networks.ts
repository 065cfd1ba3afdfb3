/**
 * Bridged networks, as a server without bridges answers.
 * https://spec.matrix.org/v1.16/client-server-api/#third-party-networks
 */
import { json } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { MatrixError } from '#/protocol/errors.ts'

const COMMON = { method: 'GET', auth: 'guest', limit: 'none' } as const

function paths<const Path extends string>(rest: Path) {
  return {
    path: `/_matrix/client/v3/thirdparty/${rest}` as const,
    also: [`/_matrix/client/r0/thirdparty/${rest}`],
  }
}

function unknownProtocol(): never {
  throw new MatrixError('M_NOT_FOUND', 'This network is not known here.')
}

export const thirdPartyNetworkRoutes = (): Route[] => [
  route({
    ...COMMON,
    ...paths('protocols'),
    spec: 'client-server-api/#get_matrixclientv3thirdpartyprotocols',
    operations: ['getProtocols'],
    servlet: 'ThirdPartyProtocolsServlet',
    handle: () => ({}),
  }),
  route({
    ...COMMON,
    ...paths('protocol/:protocol'),
    spec: 'client-server-api/#get_matrixclientv3thirdpartyprotocolprotocol',
    operations: ['getProtocolMetadata'],
    servlet: 'ThirdPartyProtocolServlet',
    handle: unknownProtocol,
  }),
  ...(['location', 'user'] as const).flatMap((kind) => [
    route({
      ...COMMON,
      ...paths(kind),
      spec: `client-server-api/#get_matrixclientv3thirdparty${kind}`,
      operations: [kind === 'user' ? 'queryUserByID' : 'queryLocationByAlias'],
      servlet: kind === 'user' ? 'ThirdPartyUserServlet' : 'ThirdPartyLocationServlet',
      handle: () => json(200, []),
    }),
    route({
      ...COMMON,
      ...paths(`${kind}/:protocol`),
      spec: `client-server-api/#get_matrixclientv3thirdparty${kind}protocol`,
      operations: [kind === 'user' ? 'queryUserByProtocol' : 'queryLocationByProtocol'],
      handle: unknownProtocol,
    }),
  ]),
]
