/** Managing delayed events. https://github.com/matrix-org/matrix-spec-proposals/pull/4140 */
import type { RateLimits } from '#/base/rate-limit.ts'
import { addressKey } from '#/http/address.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { RequestInfo } from '#/http/request.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { DelayedEventService } from '#/services/rooms/delayed-events.ts'

export interface DelayedDeps {
  readonly delayed: DelayedEventService
  readonly limits: RateLimits<LimitName>
}

const PATH = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events'
const ACTIONS = ['cancel', 'restart', 'send'] as const
type Action = (typeof ACTIONS)[number]

/** Counts a change by account, or by address where nobody says who they are: the delay id is the key to it. */
function count(d: DelayedDeps, who: Requester | undefined, request: RequestInfo): void {
  if (who?.rateLimit === 'exempt') return
  const wait = d.limits.take('rc_delayed_event_mgmt', who?.userId ?? addressKey(request.remote))
  if (wait > 0) {
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many requests. Please try again later.', {
      retry_after_ms: Math.ceil(wait),
    })
  }
}

async function act(d: DelayedDeps, action: Action, delayId: string): Promise<object> {
  if (action === 'cancel') await d.delayed.cancel(delayId)
  else if (action === 'restart') await d.delayed.restart(delayId)
  else await d.delayed.sendNow(delayId)
  return {}
}

export const delayedRoutes = (d: DelayedDeps): Route[] => [
  route({
    method: 'GET',
    path: PATH,
    spec: 'MSC4140',
    auth: 'user',
    limit: 'rc_delayed_event_mgmt',
    servlet: 'DelayedEventsServlet',
    async handle({ who }) {
      const rows = await d.delayed.ofUser(who.userId)
      return {
        delayed_events: rows.map((row) => ({
          delay_id: row.delayId,
          room_id: row.roomId,
          type: row.type,
          ...(row.stateKey === null ? {} : { state_key: row.stateKey }),
          delay: row.delayMs,
          running_since: row.sinceTs,
          content: JSON.parse(row.content) as object,
        })),
      }
    },
  }),
  route({
    method: 'POST',
    path: `${PATH}/:delayId`,
    spec: 'MSC4140',
    auth: 'optional',
    limit: 'service',
    servlet: 'UpdateDelayedEventServlet',
    body: t.object({ action: t.text(20) }),
    handle({ who, params, body, request }) {
      count(d, who, request)
      const action = ACTIONS.find((known) => known === body.action)
      if (!action) throw new MatrixError('M_INVALID_PARAM', `action is none of ${ACTIONS.join(', ')}.`)
      return act(d, action, params.delayId)
    },
  }),
  ...ACTIONS.map((action) =>
    route({
      method: 'POST',
      path: `/_matrix/client/unstable/org.matrix.msc4140/delayed_events/:delayId/${action}`,
      spec: 'MSC4140',
      auth: 'optional',
      limit: 'service',
      servlet: 'UpdateDelayedEventServlet',
      handle({ who, params, request }) {
        count(d, who, request)
        return act(d, action, (params as { delayId: string }).delayId)
      },
    }),
  ),
]
