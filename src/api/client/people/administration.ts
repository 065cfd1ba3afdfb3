/** Whois, locking and suspending. https://spec.matrix.org/v1.18/client-server-api/#server-administration */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import type { DeviceService } from '#/services/accounts/devices.ts'
import type { Moderation, Restriction } from '#/services/accounts/moderation.ts'

export interface AdministrationDeps {
  readonly devices: DeviceService
  readonly moderation: Moderation
}

/** Both requests of one restriction. */
function restrictionRoutes(
  d: AdministrationDeps,
  name: 'lock' | 'suspend',
  which: Restriction,
  operations: readonly [get: string, put: string],
): Route[] {
  const common = {
    path: `/_matrix/client/v1/admin/${name}/:userId`,
    auth: 'admin',
    limit: 'none',
    params: { userId: parseUserId },
  } as const
  return [
    route({
      ...common,
      also: [`/_matrix/client/unstable/uk.timedout.msc4323/admin/${name}/:userId`],
      method: 'GET',
      spec: `client-server-api/#get_matrixclientv1admin${name}userid`,
      operations: [operations[0]],
      handle: async ({ who, params }) => ({
        [which]: await d.moderation.get(who.userId, params.userId, which),
      }),
    }),
    route({
      ...common,
      also: [`/_matrix/client/unstable/uk.timedout.msc4323/admin/${name}/:userId`],
      method: 'PUT',
      spec: `client-server-api/#put_matrixclientv1admin${name}userid`,
      operations: [operations[1]],
      body: t.object(which === 'locked' ? { locked: t.bool } : { suspended: t.bool }),
      async handle({ who, params, body }) {
        const on = (body as Record<Restriction, boolean>)[which]
        await d.moderation.set(who.userId, params.userId, which, on)
        return { [which]: on }
      },
    }),
  ]
}

export const administrationRoutes = (d: AdministrationDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v3/admin/whois/:userId',
    also: ['/_matrix/client/r0/admin/whois/:userId'],
    spec: 'client-server-api/#get_matrixclientv3adminwhoisuserid',
    operations: ['getWhoIs'],
    auth: 'user',
    limit: 'none',
    servlet: 'WhoisRestServlet',
    params: { userId: parseUserId },
    async handle({ who, params }) {
      if (!who.isAdmin && who.userId !== params.userId) {
        throw new MatrixError('M_FORBIDDEN', 'Only administrators may look up other users.')
      }
      const devices = (await d.devices.all(params.userId)).map(({ deviceId, seen }) => {
        const connection = seen && {
          ip: seen.ip,
          last_seen: seen.ts,
          ...(seen.agent === undefined ? {} : { user_agent: seen.agent }),
        }
        return [deviceId, { sessions: [{ connections: connection ? [connection] : [] }] }]
      })
      return { user_id: params.userId, devices: Object.fromEntries(devices) }
    },
  }),
  ...restrictionRoutes(d, 'lock', 'locked', ['getAdminLockUser', 'setAdminLockUser']),
  ...restrictionRoutes(d, 'suspend', 'suspended', ['getAdminSuspendUser', 'setAdminSuspendUser']),
]
