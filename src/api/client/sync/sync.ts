/** `/sync`. https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3sync */
import { Lru } from '#/base/lru.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { jsonText, type Reply } from '#/http/reply.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { Presence } from '#/services/ephemeral/presence.ts'
import type { PresenceName } from '#/services/ephemeral/presence-state.ts'
import { FILTER_CHARS_MAX } from '#/services/rooms/read/limits.ts'
import { parseStream, type StreamToken } from '#/services/rooms/read/tokens.ts'
import { DEFAULT_FILTER, parseSyncFilter, type SyncFilter } from '#/services/sync/filter.ts'
import { FILTER_KNOWN_CHARS_MAX, FILTERS_KNOWN_MAX } from '#/services/sync/limits.ts'
import type { StateAfterName } from '#/services/sync/v3/request.ts'
import type { SyncService } from '#/services/sync/v3/sync.ts'
import { isAllowed } from '../../rate.ts'
import { inlineFilter } from '../rooms/reading.ts'

export interface SyncRouteDeps {
  readonly sync: SyncService
  /** The stored filter of a user as JSON text. */
  readonly filterOf: (userId: string, id: number) => Promise<string | undefined>
  readonly epoch: number
  /** The newest position that this server has given out. */
  readonly position: () => number
  readonly presence: Presence
  readonly limits: RateLimits<LimitName>
  /** Throws when the session of a requester has ended. */
  readonly stillIn: (who: Requester) => Promise<void> | undefined
}

/** Filters as they are asked for: the JSON text itself, or user and number. A client repeats the same one all day. */
class Filters {
  readonly #known = new Lru<string, SyncFilter>(FILTERS_KNOWN_MAX)
  readonly #stored: SyncRouteDeps['filterOf']

  constructor(stored: SyncRouteDeps['filterOf']) {
    this.#stored = stored
  }

  /** Without a promise where the filter is known. */
  of(userId: string, text: string | undefined): SyncFilter | Promise<SyncFilter> {
    if (text === undefined) return DEFAULT_FILTER
    const name = text.startsWith('{') ? text : `${userId} ${text}`
    return this.#known.get(name) ?? this.#make(userId, text, name)
  }

  async #make(userId: string, text: string, name: string): Promise<SyncFilter> {
    const json = name === text ? text : await this.#textOf(userId, text)
    const filter = parseSyncFilter(inlineFilter(json))
    if (json.length <= FILTER_KNOWN_CHARS_MAX) this.#known.set(name, filter)
    return filter
  }

  async #textOf(userId: string, id: string): Promise<string> {
    const stored = /^\d{1,15}$/.test(id) ? await this.#stored(userId, Number(id)) : undefined
    if (stored === undefined) throw new MatrixError('M_INVALID_PARAM', 'There is no filter with this id.')
    return stored
  }
}

/**
 * A position of this database's life; a token of before a restore begins anew. So does one from further on: the database
 * was put back to an earlier state by other means, and a client that waited there would miss what comes until then.
 */
function sinceOf(d: SyncRouteDeps, text: string | undefined): StreamToken | undefined {
  if (text === undefined) return undefined
  const token = parseStream(text)
  if (!token) throw new MatrixError('M_INVALID_PARAM', 'The token in `since` is not one of this server.')
  return token.epoch === d.epoch && token.position <= d.position() ? token : undefined
}

/** The specified name wins where a client asks under both. */
function stateAfterOf(stable = false, unstable = false): StateAfterName | undefined {
  if (stable) return 'state_after'
  return unstable ? 'org.matrix.msc4222.state_after' : undefined
}

/** What the client says of its presence: online unless it says otherwise; too many changes are left out. */
export function presenceOf(
  d: Pick<SyncRouteDeps, 'presence' | 'limits'>,
  who: Requester,
  asked: PresenceName = 'online',
): PresenceName | undefined {
  /* Who is to be taken for nobody is not counted as somebody. */
  if (asked === 'offline') return asked
  if (d.presence.deviceState(who.userId, who.deviceId ?? '') === asked) return asked
  return isAllowed(d.limits, who, 'rc_presence.per_user', who.userId) ? asked : undefined
}

const replyOf = (text: string): Reply => jsonText(text)

export function syncRoutes(d: SyncRouteDeps): Route[] {
  const filters = new Filters(d.filterOf)
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/v3/sync',
      also: ['/_matrix/client/r0/sync', '/_matrix/client/v2_alpha/sync'],
      spec: 'client-server-api/#get_matrixclientv3sync',
      operations: ['sync'],
      use: 'sync',
      auth: 'guest',
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
      handle({ who, query, request }) {
        const since = sinceOf(d, query.since)
        const answer = (filter: SyncFilter): Promise<Reply> =>
          d.sync
            .sync({
              userId: who.userId,
              deviceId: who.deviceId ?? '',
              since: since?.position,
              toDevice: since?.toDevice ?? since?.position,
              seen: since?.ephemeral,
              filter,
              fullState: query.full_state ?? false,
              stateAfter: stateAfterOf(query.use_state_after, query['org.matrix.msc4222.use_state_after']),
              presence: presenceOf(d, who, query.set_presence),
              timeoutMs: query.timeout ?? 0,
              signal: request.client,
              stillIn: () => d.stillIn(who),
            })
            .then(replyOf)
        const filter = filters.of(who.userId, query.filter)
        return filter instanceof Promise ? filter.then(answer) : answer(filter)
      },
    }),
  ]
}
