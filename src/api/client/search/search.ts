/** Searching messages. https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3search */
import { jsonText } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { type Static, t } from '#/http/schema.ts'
import { SEARCH_TERM_CHARS_MAX } from '#/protocol/search/limits.ts'
import { SEARCH_KEYS } from '#/protocol/search/searchable.ts'
import { CONTEXT_EVENTS_DEFAULT, CONTEXT_EVENTS_MAX, TOKEN_CHARS_MAX } from '#/services/search/limits.ts'
import type { SearchCriteria, SearchService } from '#/services/search/search.ts'

export interface SearchRouteDeps {
  readonly search: SearchService
}

const roomEvents = t.object({
  search_term: t.text(SEARCH_TERM_CHARS_MAX),
  keys: t.opt(t.array(t.oneOf(...SEARCH_KEYS), SEARCH_KEYS.length)),
  filter: t.opt(t.json),
  order_by: t.opt(t.oneOf('recent', 'rank')),
  event_context: t.opt(
    t.object({
      before_limit: t.opt(t.int(0)),
      after_limit: t.opt(t.int(0)),
      include_profile: t.opt(t.bool),
    }),
  ),
  include_state: t.opt(t.bool),
  groupings: t.opt(
    t.object({ group_by: t.opt(t.array(t.object({ key: t.opt(t.oneOf('room_id', 'sender')) }), 2)) }),
  ),
})

const events = (asked: number | undefined): number =>
  Math.min(asked ?? CONTEXT_EVENTS_DEFAULT, CONTEXT_EVENTS_MAX)

function criteriaOf(asked: Static<typeof roomEvents>): SearchCriteria {
  const { event_context: context } = asked
  return {
    searchTerm: asked.search_term,
    keys: asked.keys,
    filter: asked.filter ?? {},
    orderBy: asked.order_by ?? 'rank',
    context: context && {
      before: events(context.before_limit),
      after: events(context.after_limit),
      profiles: context.include_profile ?? false,
    },
    includeState: asked.include_state ?? false,
    groupBy: (asked.groupings?.group_by ?? []).flatMap(({ key }) => key ?? []),
  }
}

export const searchRoutes = (d: SearchRouteDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/search',
    also: ['/_matrix/client/r0/search'],
    spec: 'client-server-api/#post_matrixclientv3search',
    operations: ['search'],
    auth: 'user',
    limit: 'none',
    servlet: 'SearchRestServlet',
    /* Synapse says the same of a server that does not search. */
    statuses: { M_UNKNOWN: 400 },
    query: t.object({ next_batch: t.opt(t.text(TOKEN_CHARS_MAX)) }),
    body: t.object({ search_categories: t.object({ room_events: t.opt(roomEvents) }) }),
    async handle({ who, query, body }) {
      const asked = body.search_categories.room_events
      if (!asked) return { search_categories: {} }
      const viewer = { userId: who.userId, deviceId: who.deviceId }
      const found = await d.search.roomEvents(viewer, criteriaOf(asked), query.next_batch)
      return jsonText(`{"search_categories":{"room_events":${found}}}`)
    },
  }),
]
