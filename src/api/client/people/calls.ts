/** What calls need: TURN credentials, and the servers that carry group calls (MSC4143). */
import type { Clock } from '#/base/world.ts'
import { type Route, route } from '#/http/route.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { type TurnOptions, turnCredentials } from '#/services/accounts/turn.ts'

export interface CallDeps {
  readonly turn: TurnOptions
  /** `matrix_rtc.transports`, as clients get them. */
  readonly rtcTransports: readonly JsonObject[]
  readonly clock: Clock
}

export const callRoutes = (d: CallDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v3/voip/turnServer',
    also: ['/_matrix/client/r0/voip/turnServer'],
    spec: 'client-server-api/#get_matrixclientv3voipturnserver',
    operations: ['getTurnServer'],
    auth: 'guest',
    limit: 'none',
    servlet: 'VoipRestServlet',
    handle({ who }) {
      if (who.isGuest && !d.turn.guests) {
        throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests get no credentials for calls.')
      }
      return turnCredentials(d.turn, who.userId, d.clock.now()) ?? {}
    },
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports',
    spec: 'MSC4143',
    auth: 'user',
    limit: 'none',
    servlet: 'MatrixRTCRestServlet',
    handle: () => ({ rtc_transports: d.rtcTransports }),
  }),
]
