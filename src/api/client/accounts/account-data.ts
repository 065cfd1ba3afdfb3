/** Account data. https://spec.matrix.org/v1.16/client-server-api/#client-config */
import { json, jsonText, type Reply } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import type { AccountDataService } from '#/services/accounts/account-data.ts'
import { ACCOUNT_DATA_BYTES_MAX } from '#/services/accounts/limits.ts'
import { requireSelf } from './shared.ts'

export interface AccountDataDeps {
  readonly accountData: AccountDataService
}

const COMMON = { auth: 'user', limit: 'none' } as const

const GLOBAL = {
  ...COMMON,
  path: '/_matrix/client/v3/user/:userId/account_data/:type',
  also: ['/_matrix/client/r0/user/:userId/account_data/:type'],
  servlet: 'AccountDataServlet',
  params: { userId: parseUserId },
} as const

const ROOM = {
  ...COMMON,
  path: '/_matrix/client/v3/user/:userId/rooms/:roomId/account_data/:type',
  also: ['/_matrix/client/r0/user/:userId/rooms/:roomId/account_data/:type'],
  servlet: 'RoomAccountDataServlet',
  params: { userId: parseUserId, roomId: parseRoomId },
} as const

const PUT_BODY = {
  /* Spaces and escapes may make the text longer than what is stored. */
  bodyBytesMax: 2 * ACCOUNT_DATA_BYTES_MAX,
  body: t.json,
} as const

/** The specification wants M_BAD_JSON with 405, and with 400 for bodies that are no objects. */
function controlledByServer(type: string): Reply {
  return json(405, { errcode: 'M_BAD_JSON', error: `Cannot set ${type} through this API.` })
}

/** Deletion. The proposal names no stable path yet. */
const deleteRoutes = (d: AccountDataDeps): Route[] => {
  const common = { ...COMMON, method: 'DELETE', spec: 'MSC3391' } as const
  const prefix = '/_matrix/client/unstable/org.matrix.msc3391/user/:userId'
  return [
    route({
      ...common,
      path: `${prefix}/account_data/:type`,
      params: GLOBAL.params,
      async handle({ who, params }) {
        requireSelf(who, params.userId)
        if (d.accountData.isServerControlled(params.type)) return controlledByServer(params.type)
        await d.accountData.delete(who.userId, undefined, params.type)
        return {}
      },
    }),
    route({
      ...common,
      path: `${prefix}/rooms/:roomId/account_data/:type`,
      params: ROOM.params,
      async handle({ who, params }) {
        requireSelf(who, params.userId)
        if (d.accountData.isServerControlled(params.type)) return controlledByServer(params.type)
        await d.accountData.delete(who.userId, params.roomId, params.type)
        return {}
      },
    }),
  ]
}

export const accountDataRoutes = (d: AccountDataDeps): Route[] => [
  route({
    ...GLOBAL,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3useruseridaccount_datatype',
    operations: ['getAccountData'],
    async handle({ who, params }) {
      requireSelf(who, params.userId)
      return jsonText(await d.accountData.get(who.userId, undefined, params.type))
    },
  }),
  route({
    ...GLOBAL,
    ...PUT_BODY,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3useruseridaccount_datatype',
    operations: ['setAccountData'],
    async handle({ who, params, body }) {
      requireSelf(who, params.userId)
      if (d.accountData.isServerControlled(params.type)) return controlledByServer(params.type)
      await d.accountData.put(who.userId, undefined, params.type, body)
      return {}
    },
  }),
  route({
    ...ROOM,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype',
    operations: ['getAccountDataPerRoom'],
    async handle({ who, params }) {
      requireSelf(who, params.userId)
      return jsonText(await d.accountData.get(who.userId, params.roomId, params.type))
    },
  }),
  route({
    ...ROOM,
    ...PUT_BODY,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3useruseridroomsroomidaccount_datatype',
    operations: ['setAccountDataPerRoom'],
    async handle({ who, params, body }) {
      requireSelf(who, params.userId)
      if (d.accountData.isServerControlled(params.type)) return controlledByServer(params.type)
      await d.accountData.put(who.userId, params.roomId, params.type, body)
      return {}
    },
  }),
  ...deleteRoutes(d),
]
