/** Published rooms. https://spec.matrix.org/v1.19/client-server-api/#published-room-directory */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { ROOM_TYPES_MAX, SEARCH_CHARS_MAX } from '#/services/rooms/directory/limits.ts'
import type { PublishedRooms } from '#/services/rooms/directory/published.ts'

export interface PublishedRouteDeps {
  readonly published: PublishedRooms
  /** `allow_public_rooms_without_auth` */
  readonly publicRoomsWithoutAuth: boolean
}

const visibility = {
  path: '/_matrix/client/v3/directory/list/room/:roomId',
  also: ['/_matrix/client/r0/directory/list/room/:roomId'],
  limit: 'none',
  params: { roomId: parseRoomId },
} as const

const list = {
  path: '/_matrix/client/v3/publicRooms',
  also: ['/_matrix/client/r0/publicRooms'],
  limit: 'none',
  servlet: 'PublicRoomListRestServlet',
} as const

const filter = t.object({
  generic_search_term: t.opt(t.nullable(t.text(SEARCH_CHARS_MAX))),
  room_types: t.opt(t.nullable(t.array(t.nullable(t.text(255)), ROOM_TYPES_MAX))),
})

export const publishedRoutes = (d: PublishedRouteDeps): Route[] => [
  route({
    ...visibility,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3directorylistroomroomid',
    operations: ['getRoomVisibilityOnDirectory'],
    auth: 'none',
    handle: async ({ params }) => ({
      visibility: (await d.published.isPublished(params.roomId)) ? 'public' : 'private',
    }),
  }),
  route({
    ...visibility,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3directorylistroomroomid',
    operations: ['setRoomVisibilityOnDirectory'],
    auth: 'user',
    emptyBody: true,
    body: t.object({ visibility: t.opt(t.oneOf('public', 'private')) }),
    async handle({ who, params, body }) {
      await d.published.set(who, params.roomId, body.visibility !== 'private')
      return {}
    },
  }),
  route({
    ...list,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3publicrooms',
    operations: ['getPublicRooms'],
    auth: 'optional',
    query: t.object({
      limit: t.opt(t.int(0)),
      since: t.opt(t.text()),
      server: t.opt(t.text(255)),
    }),
    handle({ who, query }) {
      if (!who && !d.publicRoomsWithoutAuth) {
        throw new MatrixError('M_MISSING_TOKEN', 'The room directory of this server is for its users.')
      }
      return d.published.page(query)
    },
  }),
  route({
    ...list,
    method: 'POST',
    spec: 'client-server-api/#post_matrixclientv3publicrooms',
    operations: ['queryPublicRooms'],
    auth: 'guest',
    emptyBody: true,
    query: t.object({ server: t.opt(t.text(255)) }),
    body: t.object({
      limit: t.opt(t.nullable(t.int(0))),
      since: t.opt(t.nullable(t.text())),
      filter: t.opt(t.nullable(filter)),
      include_all_networks: t.opt(t.bool),
      third_party_instance_id: t.opt(t.nullable(t.text(255))),
    }),
    handle({ query, body }) {
      const network = body.third_party_instance_id || undefined
      if (network !== undefined && body.include_all_networks) {
        throw new MatrixError('M_INVALID_PARAM', 'Ask for one network or for all of them, not for both.')
      }
      return d.published.page({
        server: query.server,
        limit: body.limit ?? undefined,
        since: body.since || undefined,
        searchTerm: body.filter?.generic_search_term ?? undefined,
        roomTypes: body.filter?.room_types ?? undefined,
        network,
      })
    },
  }),
]
