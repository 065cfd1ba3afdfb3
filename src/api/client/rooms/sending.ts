/** Sending events and redactions. https://spec.matrix.org/v1.16/client-server-api/#sending-events-to-a-room */

import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { DelayedEventService } from '#/services/rooms/delayed-events.ts'
import type { Sender, SendService } from '#/services/rooms/send.ts'

export interface SendingDeps {
  readonly send: SendService
  readonly delayed: DelayedEventService
}

const DELAY = 'org.matrix.msc4140.delay'

/** Milliseconds after which the event is to be sent. https://github.com/matrix-org/matrix-spec-proposals/pull/4140 */
const delayQuery = t.object({ [DELAY]: t.opt(t.int(0)) })

/** Who sends. Tokens without a device have transaction ids of their own. */
function senderOf(who: Requester): Sender {
  return { userId: who.userId, deviceId: who.deviceId ?? '' }
}

/** Types that clients may not send, because the server makes them from requests of their own. */
function refuseReserved(type: string): void {
  if (type === 'm.room.create') {
    throw new MatrixError('M_FORBIDDEN', 'A room has one create event, made when it was created.')
  }
}

export const sendingRoutes = (d: SendingDeps): Route[] => [
  route({
    method: 'PUT',
    path: '/_matrix/client/v3/rooms/:roomId/send/:eventType/:txnId',
    also: ['/_matrix/client/r0/rooms/:roomId/send/:eventType/:txnId'],
    spec: 'client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid',
    operations: ['sendMessage'],
    auth: 'guest',
    limit: 'rc_message',
    servlet: 'RoomSendEventRestServlet',
    params: { roomId: parseRoomId },
    query: delayQuery,
    body: 'event',
    async handle({ who, params, query, body }) {
      const { roomId, eventType, txnId } = params
      const transaction = { scope: `send/${roomId}/${eventType}`, txnId }
      const delayMs = query[DELAY]
      if (delayMs !== undefined) {
        const later = { roomId, type: eventType, content: body, delayMs }
        return { delay_id: await d.delayed.schedule(senderOf(who), later, transaction) }
      }
      return { event_id: await d.send.message(senderOf(who), roomId, eventType, body, transaction) }
    },
  }),
  route({
    method: 'PUT',
    path: '/_matrix/client/v3/rooms/:roomId/redact/:eventId/:txnId',
    also: ['/_matrix/client/r0/rooms/:roomId/redact/:eventId/:txnId'],
    spec: 'client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid',
    operations: ['redactEvent'],
    auth: 'user',
    limit: 'rc_message',
    servlet: 'RoomRedactEventRestServlet',
    params: { roomId: parseRoomId, eventId: parseEventId },
    body: 'event',
    emptyBody: true,
    async handle({ who, params, body }) {
      const { roomId, eventId, txnId } = params
      const transaction = { scope: `redact/${roomId}/${eventId}`, txnId }
      return { event_id: await d.send.redact(senderOf(who), roomId, eventId, body, transaction) }
    },
  }),
  ...(['state/:eventType/:stateKey', 'state/:eventType/', 'state/:eventType'] as const).map((rest) =>
    route({
      method: 'PUT',
      path: `/_matrix/client/v3/rooms/:roomId/${rest}`,
      also: [`/_matrix/client/r0/rooms/:roomId/${rest}`],
      spec: 'client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey',
      operations: ['setRoomStateWithKey'],
      auth: 'guest',
      limit: 'rc_message',
      servlet: 'RoomStateEventRestServlet',
      params: { roomId: parseRoomId },
      query: delayQuery,
      body: 'event',
      async handle({ who, params, query, body, request }) {
        refuseReserved(params.eventType)
        const stateKey = 'stateKey' in params ? (params.stateKey as string) : ''
        const { roomId, eventType } = params
        const delayMs = query[DELAY]
        if (delayMs !== undefined) {
          const later = { roomId, type: eventType, stateKey, content: body, delayMs }
          /* Such requests have no transaction id: each is one of its own. */
          const transaction = { scope: `state/${roomId}`, txnId: request.id }
          return { delay_id: await d.delayed.schedule(senderOf(who), later, transaction) }
        }
        return { event_id: await d.send.state(senderOf(who), roomId, eventType, stateKey, body) }
      },
    }),
  ),
]
