/** Sending events and redactions. https://spec.matrix.org/v1.16/client-server-api/#sending-events-to-a-room */

import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId, type RoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { DelayedEventService } from '#/services/rooms/delayed-events.ts'
import type { MembershipService } from '#/services/rooms/membership.ts'
import { isLeaving } from '#/services/rooms/own-content.ts'
import type { Sender, SendService } from '#/services/rooms/send.ts'
import { count } from '../../rate.ts'
import { refuseSuspended } from '../people/suspension.ts'
import { countInvite, countKnock, limitedJoin } from './member-limits.ts'

export interface SendingDeps {
  readonly send: SendService
  /** Told of everybody who sends: sending shows that they are there. */
  readonly onActive: (who: Requester) => void
  readonly delayed: DelayedEventService
  readonly limits: RateLimits<LimitName>
  readonly membership: Pick<MembershipService, 'isJoined'>
}

const DELAY = 'org.matrix.msc4140.delay'

/** Milliseconds after which the event is to be sent. https://github.com/matrix-org/matrix-spec-proposals/pull/4140 */
const delayQuery = t.object({ [DELAY]: t.opt(t.int(0)) })

/** Who sends. Tokens without a device have transaction ids of their own. */
function senderOf(d: SendingDeps, who: Requester): Sender {
  d.onActive(who)
  return { userId: who.userId, deviceId: who.deviceId ?? '', ownOnly: who.isSuspended ?? false }
}

/** Types that clients may not send, because the server makes them from requests of their own. */
function refuseReserved(type: string): void {
  if (type === 'm.room.create') {
    throw new MatrixError('M_FORBIDDEN', 'A room has one create event, made when it was created.')
  }
}

interface NewState {
  readonly roomId: RoomId
  readonly eventType: string
  readonly stateKey: string
  readonly content: JsonObject
}

/** Joins, knocks and invitations that come as state events, now or later, have the limits of those that do not. */
async function limitedState(
  d: SendingDeps,
  who: Requester,
  { roomId, eventType, stateKey, content }: NewState,
  send: () => Promise<string>,
): Promise<string> {
  if (eventType !== 'm.room.member') return send()
  const target = parseUserId(stateKey)
  const { membership } = content
  if (membership === 'invite' && target) countInvite(d, who, roomId, target)
  if (membership === 'knock' && target === who.userId) countKnock(d, who, roomId)
  return membership === 'join' && target === who.userId ? limitedJoin(d, who, roomId, send) : send()
}

/** https://spec.matrix.org/v1.19/client-server-api/#validation-of-mthread-relationships */
const RELATION_STATUSES = { M_UNKNOWN: 400 } as const

export const sendingRoutes = (d: SendingDeps): Route[] => [
  route({
    method: 'PUT',
    path: '/_matrix/client/v3/rooms/:roomId/send/:eventType/:txnId',
    also: ['/_matrix/client/r0/rooms/:roomId/send/:eventType/:txnId'],
    spec: 'client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid',
    operations: ['sendMessage'],
    use: 'event',
    auth: 'guest',
    limit: 'rc_message',
    servlet: 'RoomSendEventRestServlet',
    statuses: RELATION_STATUSES,
    params: { roomId: parseRoomId },
    query: delayQuery,
    body: 'event',
    async handle({ who, params, query, body }) {
      const { roomId, eventType, txnId } = params
      if (eventType !== 'm.room.redaction') refuseSuspended(who)
      const transaction = { scope: `send/${roomId}/${eventType}`, txnId }
      const delayMs = query[DELAY]
      if (delayMs !== undefined) {
        const later = { roomId, type: eventType, content: body, delayMs }
        return { delay_id: await d.delayed.schedule(senderOf(d, who), later, transaction) }
      }
      return { event_id: await d.send.message(senderOf(d, who), roomId, eventType, body, transaction) }
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/rooms/:roomId/send/:eventType',
    also: ['/_matrix/client/r0/rooms/:roomId/send/:eventType'],
    spec: 'legacy',
    use: 'event',
    auth: 'guest',
    limit: 'rc_message',
    servlet: 'RoomSendEventRestServlet',
    statuses: RELATION_STATUSES,
    params: { roomId: parseRoomId },
    body: 'event',
    async handle({ who, params, body, request }) {
      const { roomId, eventType } = params
      if (eventType !== 'm.room.redaction') refuseSuspended(who)
      /* From before transaction ids: each request is one of its own. */
      const transaction = { scope: `send/${roomId}`, txnId: request.id }
      return { event_id: await d.send.message(senderOf(d, who), roomId, eventType, body, transaction) }
    },
  }),
  route({
    method: 'PUT',
    path: '/_matrix/client/v3/rooms/:roomId/redact/:eventId/:txnId',
    also: ['/_matrix/client/r0/rooms/:roomId/redact/:eventId/:txnId'],
    spec: 'client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid',
    operations: ['redactEvent'],
    use: 'event',
    auth: 'user',
    limit: 'service',
    servlet: 'RoomRedactEventRestServlet',
    params: { roomId: parseRoomId, eventId: parseEventId },
    body: 'event',
    emptyBody: true,
    async handle({ who, params, body }) {
      const { roomId, eventId, txnId } = params
      const own = !(await d.send.isAnothers(who.userId, eventId))
      count(d.limits, who, own ? 'rc_message' : 'rc_admin_redaction', who.userId)
      const transaction = { scope: `redact/${roomId}/${eventId}`, txnId }
      return { event_id: await d.send.redact(senderOf(d, who), roomId, eventId, body, transaction) }
    },
  }),
  ...(['state/:eventType/:stateKey', 'state/:eventType/', 'state/:eventType'] as const).map((rest) =>
    route({
      method: 'PUT',
      path: `/_matrix/client/v3/rooms/:roomId/${rest}`,
      also: [`/_matrix/client/r0/rooms/:roomId/${rest}`],
      spec: 'client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey',
      operations: ['setRoomStateWithKey'],
      use: 'event',
      auth: 'guest',
      limit: 'rc_message',
      servlet: 'RoomStateEventRestServlet',
      statuses: RELATION_STATUSES,
      params: { roomId: parseRoomId },
      query: delayQuery,
      body: 'event',
      async handle({ who, params, query, body, request }) {
        refuseReserved(params.eventType)
        const stateKey = 'stateKey' in params ? (params.stateKey as string) : ''
        const { roomId, eventType } = params
        if (!isLeaving(who.userId, eventType, stateKey, body['membership'])) refuseSuspended(who)
        const state = { roomId, eventType, stateKey, content: body }
        const delayMs = query[DELAY]
        if (delayMs !== undefined) {
          const later = { roomId, type: eventType, stateKey, content: body, delayMs }
          /* Such requests have no transaction id: each is one of its own. */
          const transaction = { scope: `state/${roomId}`, txnId: request.id }
          const schedule = () => d.delayed.schedule(senderOf(d, who), later, transaction)
          return { delay_id: await limitedState(d, who, state, schedule) }
        }
        const send = () => d.send.state(senderOf(d, who), roomId, eventType, stateKey, body)
        return { event_id: await limitedState(d, who, state, send) }
      },
    }),
  ),
]
