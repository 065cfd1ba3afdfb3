/** Stored filters. https://spec.matrix.org/v1.16/client-server-api/#filtering */
import { jsonText } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import type { AccountDataService } from '#/services/accounts/account-data.ts'
import { FILTER_CHARS_MAX } from '#/services/rooms/read/limits.ts'
import { parseSyncFilter } from '#/services/sync/filter.ts'
import { requireSelf } from './shared.ts'

export interface FilterDeps {
  readonly accountData: AccountDataService
}

export const filterRoutes = (d: FilterDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/user/:userId/filter',
    also: ['/_matrix/client/r0/user/:userId/filter'],
    spec: 'client-server-api/#post_matrixclientv3useruseridfilter',
    operations: ['defineFilter'],
    auth: 'guest',
    limit: 'none',
    servlet: 'CreateFilterRestServlet',
    params: { userId: parseUserId },
    bodyBytesMax: FILTER_CHARS_MAX,
    statuses: { M_TOO_LARGE: 413 },
    body: t.json,
    strictJson: true,
    async handle({ who, params, body }) {
      requireSelf(who, params.userId)
      parseSyncFilter(body)
      return { filter_id: await d.accountData.putFilter(who.userId, body) }
    },
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v3/user/:userId/filter/:filterId',
    also: ['/_matrix/client/r0/user/:userId/filter/:filterId'],
    spec: 'client-server-api/#get_matrixclientv3useruseridfilterfilterid',
    operations: ['getFilter'],
    auth: 'guest',
    limit: 'none',
    servlet: 'GetFilterRestServlet',
    params: { userId: parseUserId },
    async handle({ who, params }) {
      requireSelf(who, params.userId)
      return jsonText(await d.accountData.filter(who.userId, params.filterId))
    },
  }),
]
