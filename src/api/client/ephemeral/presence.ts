/** Presence. https://spec.matrix.org/v1.19/client-server-api/#presence */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { json } from '#/http/reply.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { STATUS_CHARS_MAX } from '#/services/ephemeral/limits.ts'
import type { Presence, UserRooms } from '#/services/ephemeral/presence.ts'
import { count } from '../../rate.ts'
import { requireSelf } from '../accounts/shared.ts'

/** Told that somebody did something that shows that they are there. */
export type OnActive = (who: Requester) => void

export interface PresenceDeps {
  readonly presence: Presence
  /** The rooms of a user of this server as they are now; nobody else has any. */
  readonly roomsOf: (userId: string) => Promise<UserRooms>
  /** The rooms of somebody who is here, kept up to date. */
  readonly ownRooms: (userId: string) => Promise<UserRooms>
  readonly limits: RateLimits<LimitName>
}

const STATUS = {
  path: '/_matrix/client/v3/presence/:userId/status',
  also: ['/_matrix/client/r0/presence/:userId/status'],
  auth: 'user',
  limit: 'none',
  servlet: 'PresenceStatusRestServlet',
  params: { userId: parseUserId },
} as const

export const presenceRoutes = (d: PresenceDeps): Route[] => [
  route({
    ...STATUS,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3presenceuseridstatus',
    operations: ['getPresence'],
    async handle({ who, params }) {
      const { userId } = params
      if (userId !== who.userId) {
        const [own, other] = await Promise.all([d.roomsOf(who.userId), d.roomsOf(userId)])
        if (!d.presence.share(own, other)) {
          throw new MatrixError(
            'M_FORBIDDEN',
            'You may see the presence of users with whom you share a room.',
          )
        }
      }
      return json(200, d.presence.of(userId))
    },
  }),
  route({
    ...STATUS,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3presenceuseridstatus',
    operations: ['setPresence'],
    body: t.object({
      presence: t.oneOf('online', 'offline', 'unavailable'),
      status_msg: t.opt(t.nullable(t.text(STATUS_CHARS_MAX))),
    }),
    async handle({ who, params, body }) {
      requireSelf(who, params.userId)
      /* Counted apart from what syncs say, which nobody asks to be kept: a message of one's status is. */
      count(d.limits, who, 'rc_presence.per_user', `set ${who.userId}`)
      const rooms = await d.ownRooms(who.userId)
      const status = body.status_msg ?? undefined
      d.presence.set({ userId: who.userId, rooms }, who.deviceId ?? '', body.presence, status || undefined)
      return {}
    },
  }),
]
