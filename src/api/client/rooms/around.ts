/** What happened around an event or a time. https://spec.matrix.org/v1.19/client-server-api/#event-context */
import { jsonText } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { ContextService } from '#/services/rooms/read/context.ts'
import { parseRoomEventFilter } from '#/services/rooms/read/event-filter.ts'
import { CONTEXT_LIMIT_DEFAULT, CONTEXT_LIMIT_MAX, FILTER_CHARS_MAX } from '#/services/rooms/read/limits.ts'
import type { TimestampService } from '#/services/rooms/read/timestamp.ts'
import { inlineFilter, viewerOf } from './reading.ts'

export interface AroundDeps {
  readonly context: ContextService
  readonly timestamps: TimestampService
}

const contextRoute = (d: AroundDeps): Route =>
  route({
    method: 'GET',
    path: '/_matrix/client/v3/rooms/:roomId/context/:eventId',
    also: ['/_matrix/client/r0/rooms/:roomId/context/:eventId'],
    spec: 'client-server-api/#get_matrixclientv3roomsroomidcontexteventid',
    operations: ['getEventContext'],
    auth: 'guest',
    limit: 'none',
    servlet: 'RoomEventContextServlet',
    params: { roomId: parseRoomId, eventId: parseEventId },
    query: t.object({ limit: t.opt(t.int(0)), filter: t.opt(t.text(FILTER_CHARS_MAX)) }),
    async handle({ who, params, query }) {
      const found = await d.context.context({
        roomId: params.roomId,
        eventId: params.eventId,
        viewer: viewerOf(who),
        limit: Math.min(query.limit ?? CONTEXT_LIMIT_DEFAULT, CONTEXT_LIMIT_MAX),
        filter: parseRoomEventFilter(inlineFilter(query.filter)),
      })
      return jsonText(
        `{"event":${found.event},"events_before":[${found.before.join(',')}],` +
          `"events_after":[${found.after.join(',')}],"state":[${found.state.join(',')}],` +
          `"start":${JSON.stringify(found.start)},"end":${JSON.stringify(found.end)}}`,
      )
    },
  })

export const aroundRoutes = (d: AroundDeps): Route[] => [
  contextRoute(d),
  route({
    method: 'GET',
    path: '/_matrix/client/v1/rooms/:roomId/timestamp_to_event',
    also: ['/_matrix/client/unstable/org.matrix.msc3030/rooms/:roomId/timestamp_to_event'],
    spec: 'client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event',
    operations: ['getEventByTimestamp'],
    auth: 'user',
    limit: 'none',
    servlet: 'TimestampLookupRestServlet',
    params: { roomId: parseRoomId },
    query: t.object({ ts: t.int(), dir: t.oneOf('f', 'b') }),
    async handle({ who, params, query }) {
      const row = await d.timestamps.nearest(params.roomId, who.userId, query.ts, query.dir)
      return { event_id: row.eventId, origin_server_ts: row.ts }
    },
  }),
]
