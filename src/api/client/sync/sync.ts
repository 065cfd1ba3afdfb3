/** `/sync`. https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3sync */
import { jsonText } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { FILTER_CHARS_MAX } from '#/services/rooms/read/limits.ts'
import { parseStream } from '#/services/rooms/read/tokens.ts'
import { DEFAULT_FILTER, parseSyncFilter, type SyncFilter } from '#/services/sync/filter.ts'
import type { SyncService } from '#/services/sync/v3/sync.ts'
import { inlineFilter } from '../rooms/reading.ts'

export interface SyncRouteDeps {
  readonly sync: SyncService
  /** The stored filter of a user as JSON text. */
  readonly filterOf: (userId: string, id: number) => Promise<string | undefined>
  readonly epoch: number
}

async function filterFor(d: SyncRouteDeps, userId: string, text: string | undefined): Promise<SyncFilter> {
  if (text === undefined) return DEFAULT_FILTER
  if (text.startsWith('{')) return parseSyncFilter(inlineFilter(text))
  const stored = /^\d{1,15}$/.test(text) ? await d.filterOf(userId, Number(text)) : undefined
  if (stored === undefined) throw new MatrixError('M_INVALID_PARAM', 'There is no filter with this id.')
  return parseSyncFilter(inlineFilter(stored))
}

/** A position of this database's life; a token of before a restore begins anew. */
function sinceOf(d: SyncRouteDeps, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const token = parseStream(text)
  if (!token) throw new MatrixError('M_INVALID_PARAM', 'The token in `since` is not one of this server.')
  return token.epoch === d.epoch ? token.position : undefined
}

export const syncRoutes = (d: SyncRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v3/sync',
    also: ['/_matrix/client/r0/sync', '/_matrix/client/v2_alpha/sync'],
    spec: 'client-server-api/#get_matrixclientv3sync',
    operations: ['sync'],
    auth: 'user',
    limit: 'none',
    servlet: 'SyncRestServlet',
    query: t.object({
      since: t.opt(t.text()),
      timeout: t.opt(t.int(0)),
      filter: t.opt(t.text(FILTER_CHARS_MAX)),
      full_state: t.opt(t.bool),
      set_presence: t.opt(t.oneOf('offline', 'online', 'unavailable')),
      use_state_after: t.opt(t.bool),
      'org.matrix.msc4222.use_state_after': t.opt(t.bool),
    }),
    async handle({ who, query, request }) {
      const text = await d.sync.sync({
        userId: who.userId,
        deviceId: who.deviceId ?? '',
        since: sinceOf(d, query.since),
        filter: await filterFor(d, who.userId, query.filter),
        fullState: query.full_state ?? false,
        useStateAfter: query.use_state_after ?? query['org.matrix.msc4222.use_state_after'] ?? false,
        timeoutMs: query.timeout ?? 0,
        signal: request.signal,
      })
      return jsonText(text)
    },
  }),
]
