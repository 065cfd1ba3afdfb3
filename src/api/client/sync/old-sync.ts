/**
 * Following rooms as before `/sync`: deprecated, and still the way to peek.
 * https://spec.matrix.org/v1.19/client-server-api/#room-previews
 */
import { jsonText } from '#/http/reply.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { RoomReads } from '#/services/rooms/read/room-reads.ts'
import { parseStream } from '#/services/rooms/read/tokens.ts'
import {
  EVENTS_TIMEOUT_MS_DEFAULT,
  SNAPSHOT_MESSAGES_DEFAULT,
  SNAPSHOT_MESSAGES_MAX,
} from '#/services/sync/limits.ts'
import type { EventStreamService } from '#/services/sync/old/event-stream.ts'
import type { SnapshotService } from '#/services/sync/old/snapshots.ts'
import { viewerOf } from '../rooms/reading.ts'

export interface OldSyncDeps {
  readonly reads: RoomReads
  readonly snapshots: SnapshotService
  readonly eventStream: EventStreamService
  readonly epoch: number
  /** Throws when the session of a request has ended since. */
  readonly stillIn: (who: Requester) => Promise<void> | undefined
}

function positionOf(d: OldSyncDeps, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const token = parseStream(text)
  if (token?.epoch !== d.epoch) {
    throw new MatrixError('M_INVALID_PARAM', 'The token in `from` is not one of this server.')
  }
  return token.position
}

/** Messages per room; may be none. */
function limitOf(limit: number | undefined): number {
  return Math.min(limit ?? SNAPSHOT_MESSAGES_DEFAULT, SNAPSHOT_MESSAGES_MAX)
}

const GET = { method: 'GET', limit: 'none' } as const

export const oldSyncRoutes = (d: OldSyncDeps): Route[] => [
  route({
    ...GET,
    path: '/_matrix/client/v3/events',
    also: ['/_matrix/client/r0/events', '/_matrix/client/api/v1/events'],
    spec: 'client-server-api/#get_matrixclientv3events',
    operations: ['getEvents', 'peekEvents'],
    auth: 'guest',
    servlet: 'EventStreamRestServlet',
    query: t.object({ from: t.opt(t.text()), timeout: t.opt(t.int(0)), room_id: t.opt(t.text()) }),
    async handle({ who, query, request }) {
      const roomId = query.room_id === undefined ? undefined : parseRoomId(query.room_id)
      if (query.room_id !== undefined && roomId === undefined) {
        throw new MatrixError('M_INVALID_PARAM', 'room_id is not a room id.')
      }
      if (who.isGuest && roomId === undefined) {
        throw new MatrixError('M_MISSING_PARAM', 'Guests must name a room in room_id.')
      }
      const { chunk, start, end } = await d.eventStream.events({
        viewer: viewerOf(who),
        from: positionOf(d, query.from),
        roomId,
        timeoutMs: query.timeout ?? EVENTS_TIMEOUT_MS_DEFAULT,
        signal: request.client,
        stillIn: () => d.stillIn(who),
      })
      return jsonText(
        `{"chunk":[${chunk.join(',')}],"start":${JSON.stringify(start)},"end":${JSON.stringify(end)}}`,
      )
    },
  }),
  route({
    ...GET,
    path: '/_matrix/client/v3/events/:eventId',
    also: ['/_matrix/client/r0/events/:eventId', '/_matrix/client/api/v1/events/:eventId'],
    spec: 'client-server-api/#get_matrixclientv3eventseventid',
    operations: ['getOneEvent'],
    auth: 'user',
    servlet: 'EventRestServlet',
    params: { eventId: parseEventId },
    handle: async ({ who, params }) =>
      jsonText(await d.reads.event(undefined, params.eventId, viewerOf(who))),
  }),
  route({
    ...GET,
    path: '/_matrix/client/v3/rooms/:roomId/initialSync',
    also: [
      '/_matrix/client/r0/rooms/:roomId/initialSync',
      '/_matrix/client/api/v1/rooms/:roomId/initialSync',
    ],
    spec: 'client-server-api/#get_matrixclientv3roomsroomidinitialsync',
    operations: ['roomInitialSync'],
    auth: 'guest',
    servlet: 'RoomInitialSyncRestServlet',
    params: { roomId: parseRoomId },
    query: t.object({ limit: t.opt(t.int(0)) }),
    handle: async ({ who, params, query }) =>
      jsonText(await d.snapshots.room(params.roomId, viewerOf(who), limitOf(query.limit))),
  }),
  route({
    ...GET,
    path: '/_matrix/client/v3/initialSync',
    also: ['/_matrix/client/r0/initialSync', '/_matrix/client/api/v1/initialSync'],
    spec: 'client-server-api/#get_matrixclientv3initialsync',
    operations: ['initialSync'],
    auth: 'user',
    servlet: 'InitialSyncRestServlet',
    query: t.object({ limit: t.opt(t.int(0)), archived: t.opt(t.bool) }),
    handle: async ({ who, query }) =>
      jsonText(await d.snapshots.all(viewerOf(who), limitOf(query.limit), query.archived ?? false)),
  }),
]
