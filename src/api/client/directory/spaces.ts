/** Space trees and summaries of rooms. https://spec.matrix.org/v1.19/client-server-api/#spaces */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { SummaryService } from '#/services/rooms/directory/summary.ts'
import type { HierarchyService } from '#/services/rooms/spaces/hierarchy.ts'

export interface SpaceRouteDeps {
  readonly hierarchy: HierarchyService
  readonly summary: SummaryService
}

/** MSC3266 before it was in the specification; its names of two members are kept on its own paths. */
const UNSTABLE = 'im.nheko.summary'

export const spaceRoutes = (d: SpaceRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v1/rooms/:roomId/hierarchy',
    also: ['/_matrix/client/unstable/org.matrix.msc2946/rooms/:roomId/hierarchy'],
    spec: 'client-server-api/#get_matrixclientv1roomsroomidhierarchy',
    operations: ['getSpaceHierarchy'],
    auth: 'guest',
    limit: 'none',
    servlet: 'RoomHierarchyRestServlet',
    params: { roomId: parseRoomId },
    query: t.object({
      suggested_only: t.opt(t.bool),
      limit: t.opt(t.int(1)),
      max_depth: t.opt(t.int(0)),
      from: t.opt(t.text()),
    }),
    handle: ({ who, params, query }) =>
      d.hierarchy.page({
        userId: who.userId,
        roomId: params.roomId,
        suggestedOnly: query.suggested_only ?? false,
        maxDepth: query.max_depth,
        limit: query.limit,
        from: query.from,
      }),
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v1/room_summary/:roomIdOrAlias',
    also: [
      `/_matrix/client/unstable/${UNSTABLE}/summary/:roomIdOrAlias`,
      `/_matrix/client/unstable/${UNSTABLE}/rooms/:roomIdOrAlias/summary`,
    ],
    spec: 'client-server-api/#get_matrixclientv1room_summaryroomidoralias',
    operations: ['getRoomSummary'],
    auth: 'optional',
    limit: 'none',
    servlet: 'RoomSummaryRestServlet',
    async handle({ who, params, request }) {
      const summary = await d.summary.of(params.roomIdOrAlias, who?.userId)
      if (!request.path.includes(UNSTABLE)) return summary
      const { encryption, room_version } = summary
      return {
        ...summary,
        [`${UNSTABLE}.encryption`]: encryption,
        [`${UNSTABLE}.room_version`]: room_version,
      }
    },
  }),
]
