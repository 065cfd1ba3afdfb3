/** Room aliases. https://spec.matrix.org/v1.19/client-server-api/#room-aliases */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomAlias } from '#/protocol/ids/room-alias.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { AliasService } from '#/services/rooms/directory/aliases.ts'

export interface AliasRouteDeps {
  readonly aliases: AliasService
}

const facts = {
  path: '/_matrix/client/v3/directory/room/:roomAlias',
  also: ['/_matrix/client/r0/directory/room/:roomAlias'],
  limit: 'none',
  params: { roomAlias: parseRoomAlias },
} as const

export const aliasRoutes = (d: AliasRouteDeps): Route[] => [
  route({
    ...facts,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3directoryroomroomalias',
    operations: ['setRoomAlias'],
    auth: 'user',
    statuses: { M_UNKNOWN: 409 },
    body: t.object({ room_id: t.roomId }),
    async handle({ who, params, body }) {
      const roomId = parseRoomId(body.room_id)
      if (!roomId) throw new MatrixError('M_INVALID_PARAM', 'room_id is not a room id.')
      await d.aliases.create(who, params.roomAlias, roomId)
      return {}
    },
  }),
  route({
    ...facts,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3directoryroomroomalias',
    operations: ['getRoomIdByAlias'],
    auth: 'none',
    async handle({ params }) {
      const { roomId, servers } = await d.aliases.resolve(params.roomAlias)
      return { room_id: roomId, servers }
    },
  }),
  route({
    ...facts,
    method: 'DELETE',
    spec: 'client-server-api/#delete_matrixclientv3directoryroomroomalias',
    operations: ['deleteRoomAlias'],
    auth: 'user',
    async handle({ who, params }) {
      await d.aliases.delete(who, params.roomAlias)
      return {}
    },
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v3/rooms/:roomId/aliases',
    also: [
      '/_matrix/client/r0/rooms/:roomId/aliases',
      '/_matrix/client/unstable/org.matrix.msc2432/rooms/:roomId/aliases',
    ],
    spec: 'client-server-api/#get_matrixclientv3roomsroomidaliases',
    operations: ['getLocalAliases'],
    auth: 'user',
    limit: 'none',
    params: { roomId: parseRoomId },
    handle: async ({ who, params }) => ({ aliases: await d.aliases.ofRoom(params.roomId, who.userId) }),
  }),
]
