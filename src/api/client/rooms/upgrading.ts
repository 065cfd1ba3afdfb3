/** Room upgrades. https://spec.matrix.org/v1.19/client-server-api/#room-upgrades */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { ADDITIONAL_CREATORS_MAX } from '#/services/rooms/limits.ts'
import type { UpgradeService } from '#/services/rooms/upgrade/upgrade.ts'

export interface UpgradingDeps {
  readonly upgrades: UpgradeService
}

export const upgradingRoutes = (d: UpgradingDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/rooms/:roomId/upgrade',
    also: ['/_matrix/client/r0/rooms/:roomId/upgrade'],
    spec: 'client-server-api/#post_matrixclientv3roomsroomidupgrade',
    operations: ['upgradeRoom'],
    use: 'event',
    auth: 'user',
    limit: 'rc_room_creation',
    servlet: 'RoomUpgradeRestServlet',
    params: { roomId: parseRoomId },
    body: t.object({
      new_version: t.text(32),
      additional_creators: t.opt(t.array(t.text(255), ADDITIONAL_CREATORS_MAX)),
    }),
    async handle({ who, params, body }) {
      const named = new Set(body.additional_creators)
      named.delete(who.userId)
      const additionalCreators = [...named].map((text) => {
        const user = parseUserId(text)
        if (!user) throw new MatrixError('M_INVALID_PARAM', `${JSON.stringify(text)} is not a user id.`)
        return user
      })
      const request = { roomId: params.roomId, sender: who.userId, version: body.new_version }
      return { replacement_room: await d.upgrades.upgrade({ ...request, additionalCreators }) }
    },
  }),
]
