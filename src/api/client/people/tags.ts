/** Room tags. https://spec.matrix.org/v1.16/client-server-api/#room-tagging */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { TAG_CONTENT_BYTES_MAX } from '#/services/accounts/limits.ts'
import type { RoomTags } from '#/services/accounts/tags.ts'
import { requireSelf } from '../accounts/shared.ts'

export interface TagDeps {
  readonly tags: RoomTags
}

const COMMON = { auth: 'user', limit: 'none', params: { userId: parseUserId, roomId: parseRoomId } } as const

const ONE = {
  ...COMMON,
  path: '/_matrix/client/v3/user/:userId/rooms/:roomId/tags/:tag',
  also: ['/_matrix/client/r0/user/:userId/rooms/:roomId/tags/:tag'],
  servlet: 'TagServlet',
} as const

export const tagRoutes = (d: TagDeps): Route[] => [
  route({
    ...COMMON,
    method: 'GET',
    path: '/_matrix/client/v3/user/:userId/rooms/:roomId/tags',
    also: ['/_matrix/client/r0/user/:userId/rooms/:roomId/tags'],
    spec: 'client-server-api/#get_matrixclientv3useruseridroomsroomidtags',
    operations: ['getRoomTags'],
    servlet: 'TagListServlet',
    async handle({ who, params }) {
      requireSelf(who, params.userId)
      return { tags: await d.tags.all(who.userId, params.roomId) }
    },
  }),
  route({
    ...ONE,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag',
    operations: ['setRoomTag'],
    body: t.json,
    bodyBytesMax: TAG_CONTENT_BYTES_MAX,
    emptyBody: true,
    async handle({ who, params, body }) {
      requireSelf(who, params.userId)
      await d.tags.put(who.userId, params.roomId, params.tag, body)
      return {}
    },
  }),
  route({
    ...ONE,
    method: 'DELETE',
    spec: 'client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag',
    operations: ['deleteRoomTag'],
    async handle({ who, params }) {
      requireSelf(who, params.userId)
      await d.tags.delete(who.userId, params.roomId, params.tag)
      return {}
    },
  }),
]
