/** Typing notifications. https://spec.matrix.org/v1.19/client-server-api/#typing-notifications */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { TYPING_MS_DEFAULT } from '#/services/ephemeral/limits.ts'
import type { Typing } from '#/services/ephemeral/typing.ts'
import { requireSelf } from '../accounts/shared.ts'
import type { OnActive } from './presence.ts'

export interface TypingDeps {
  readonly typing: Typing
  readonly onActive: OnActive
}

export const typingRoutes = (d: TypingDeps): Route[] => [
  route({
    method: 'PUT',
    path: '/_matrix/client/v3/rooms/:roomId/typing/:userId',
    also: ['/_matrix/client/r0/rooms/:roomId/typing/:userId'],
    spec: 'client-server-api/#put_matrixclientv3roomsroomidtypinguserid',
    operations: ['setTyping'],
    auth: 'user',
    limit: 'none',
    servlet: 'RoomTypingRestServlet',
    params: { roomId: parseRoomId, userId: parseUserId },
    body: t.object({ typing: t.bool, timeout: t.opt(t.nullable(t.number)) }),
    async handle({ who, params, body }) {
      requireSelf(who, params.userId)
      const { roomId } = params
      if (body.typing) await d.typing.start(who.userId, roomId, body.timeout ?? TYPING_MS_DEFAULT)
      else await d.typing.end(who.userId, roomId)
      d.onActive(who)
      return {}
    },
  }),
]
