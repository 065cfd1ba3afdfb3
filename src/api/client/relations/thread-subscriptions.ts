/** Subscriptions of threads, under their unstable names. MSC4306, MSC4308. */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import {
  THREAD_SUBSCRIPTIONS_LIMIT_DEFAULT,
  THREAD_SUBSCRIPTIONS_LIMIT_MAX,
} from '#/services/rooms/read/limits.ts'
import {
  subscriptionGroups,
  type ThreadSubscriptions,
  type ThreadSubscriptionsPage,
} from '#/services/rooms/thread-subscriptions.ts'

export interface ThreadSubscriptionRouteDeps {
  readonly threadSubscriptions: ThreadSubscriptions
}

const facts = {
  path: '/_matrix/client/unstable/io.element.msc4306/rooms/:roomId/thread/:threadRoot/subscription',
  spec: 'MSC4306',
  auth: 'user',
  limit: 'none',
  servlet: 'ThreadSubscriptionsRestServlet',
  params: { roomId: parseRoomId, threadRoot: parseEventId },
} as const

export const threadSubscriptionRoutes = (d: ThreadSubscriptionRouteDeps): Route[] => [
  route({
    ...facts,
    method: 'GET',
    handle: ({ who, params }) => d.threadSubscriptions.get(threadOf(who, params)),
  }),
  route({
    ...facts,
    method: 'PUT',
    body: t.object({ automatic: t.opt(t.eventId) }),
    emptyBody: true,
    async handle({ who, params, body }) {
      const automatic = body.automatic === undefined ? undefined : parseEventId(body.automatic)
      if (body.automatic !== undefined && automatic === undefined) {
        throw new MatrixError('M_INVALID_PARAM', '`automatic` is not an event id.')
      }
      await d.threadSubscriptions.subscribe(threadOf(who, params), automatic)
      return {}
    },
  }),
  route({
    ...facts,
    method: 'DELETE',
    async handle({ who, params }) {
      await d.threadSubscriptions.unsubscribe(threadOf(who, params))
      return {}
    },
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/unstable/io.element.msc4308/thread_subscriptions',
    spec: 'MSC4308',
    auth: 'user',
    limit: 'none',
    servlet: 'ThreadSubscriptionsPaginationRestServlet',
    query: t.object({
      dir: t.oneOf('b'),
      from: t.opt(t.text()),
      to: t.opt(t.text()),
      limit: t.opt(t.int(1)),
    }),
    async handle({ who, query }) {
      const { from, to } = query
      const limit = Math.min(
        query.limit ?? THREAD_SUBSCRIPTIONS_LIMIT_DEFAULT,
        THREAD_SUBSCRIPTIONS_LIMIT_MAX,
      )
      return pageJson(await d.threadSubscriptions.page(who.userId, { from, to, limit }))
    },
  }),
]

function threadOf(who: { readonly userId: string }, params: { roomId: string; threadRoot: string }) {
  return { userId: who.userId, roomId: params.roomId, root: params.threadRoot }
}

function pageJson({ rows, end }: ThreadSubscriptionsPage): object {
  const groups = subscriptionGroups(rows)
  return end === undefined ? groups : { ...groups, end }
}
