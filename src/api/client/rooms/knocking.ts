/** Knocking. https://spec.matrix.org/v1.19/client-server-api/#knocking-on-rooms */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import type { AliasService } from '#/services/rooms/directory/aliases.ts'
import { REASON_CHARS_MAX } from '#/services/rooms/limits.ts'
import type { MembershipService } from '#/services/rooms/membership.ts'
import { countKnock } from './member-limits.ts'

export interface KnockingDeps {
  readonly membership: MembershipService
  readonly aliases: AliasService
  readonly limits: RateLimits<LimitName>
}

export const knockingRoutes = (d: KnockingDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/knock/:roomIdOrAlias',
    also: ['/_matrix/client/unstable/xyz.amorgan.knock/knock/:roomIdOrAlias'],
    spec: 'client-server-api/#post_matrixclientv3knockroomidoralias',
    operations: ['knockRoom'],
    use: 'event',
    auth: 'user',
    limit: 'service',
    servlet: 'KnockRoomAliasServlet',
    emptyBody: true,
    body: t.object({ reason: t.opt(t.nullable(t.text(REASON_CHARS_MAX))) }),
    async handle({ who, params, body }) {
      const roomId = await d.aliases.roomIdOf(params.roomIdOrAlias)
      countKnock(d, who, roomId)
      const { userId } = who
      const reason = body.reason ?? undefined
      await d.membership.change({ roomId, sender: userId, target: userId, membership: 'knock', reason })
      return { room_id: roomId }
    },
  }),
]
