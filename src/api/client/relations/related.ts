/** Relations of events and threads of rooms. https://spec.matrix.org/v1.19/client-server-api/#relationships-api */
import { jsonText, type Reply } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import {
  RELATIONS_LIMIT_DEFAULT,
  RELATIONS_LIMIT_MAX,
  RELATIONS_RECURSION_MAX,
  THREADS_LIMIT_DEFAULT,
  THREADS_LIMIT_MAX,
} from '#/services/rooms/read/limits.ts'
import type { Chunk, RelatedEvents } from '#/services/rooms/read/related.ts'

export interface RelatedDeps {
  readonly related: RelatedEvents
}

const facts = { method: 'GET', auth: 'user', limit: 'none' } as const

const RELATIONS = [
  ['', 'getRelatingEvents', '#get_matrixclientv1roomsroomidrelationseventid'],
  ['/:relType', 'getRelatingEventsWithRelType', '#get_matrixclientv1roomsroomidrelationseventidreltype'],
  [
    '/:relType/:eventType',
    'getRelatingEventsWithRelTypeAndEventType',
    '#get_matrixclientv1roomsroomidrelationseventidreltypeeventtype',
  ],
] as const

const PAGE = {
  from: t.opt(t.text()),
  limit: t.opt(t.int(0)),
}

function answer({ chunk, nextBatch }: Chunk, more: Record<string, unknown> = {}): Reply {
  const members = Object.entries({ next_batch: nextBatch, ...more })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`)
  return jsonText(`{"chunk":[${chunk.join(',')}]${members.join('')}}`)
}

export const relatedRoutes = (d: RelatedDeps): Route[] => [
  ...RELATIONS.map(([rest, operation, section]) =>
    route({
      ...facts,
      path: `/_matrix/client/v1/rooms/:roomId/relations/:eventId${rest}`,
      also: [`/_matrix/client/unstable/rooms/:roomId/relations/:eventId${rest}`],
      spec: `client-server-api/${section}`,
      operations: [operation],
      servlet: 'RelationPaginationServlet',
      params: { roomId: parseRoomId, eventId: parseEventId },
      query: t.object({
        ...PAGE,
        to: t.opt(t.text()),
        dir: t.opt(t.oneOf('b', 'f')),
        recurse: t.opt(t.bool),
        'org.matrix.msc3981.recurse': t.opt(t.bool),
      }),
      async handle({ who, params, query }) {
        const filters = params as { readonly relType?: string; readonly eventType?: string }
        const asked = query.recurse ?? query['org.matrix.msc3981.recurse']
        const chunk = await d.related.relations({
          roomId: params.roomId,
          eventId: params.eventId,
          viewer: { userId: who.userId, deviceId: who.deviceId },
          relType: filters.relType,
          eventType: filters.eventType,
          from: query.from,
          to: query.to,
          dir: query.dir ?? 'b',
          limit: Math.min(Math.max(query.limit ?? RELATIONS_LIMIT_DEFAULT, 1), RELATIONS_LIMIT_MAX),
          recurse: asked ?? false,
        })
        const depth = asked === undefined ? undefined : asked ? RELATIONS_RECURSION_MAX : 1
        return answer(chunk, { prev_batch: query.from, recursion_depth: depth })
      },
    }),
  ),
  route({
    ...facts,
    path: '/_matrix/client/v1/rooms/:roomId/threads',
    spec: 'client-server-api/#get_matrixclientv1roomsroomidthreads',
    operations: ['getThreadRoots'],
    servlet: 'ThreadsServlet',
    params: { roomId: parseRoomId },
    query: t.object({ ...PAGE, include: t.opt(t.oneOf('all', 'participated')) }),
    async handle({ who, params, query }) {
      const chunk = await d.related.threads({
        roomId: params.roomId,
        viewer: { userId: who.userId, deviceId: who.deviceId },
        participated: query.include === 'participated',
        from: query.from,
        limit: Math.min(Math.max(query.limit ?? THREADS_LIMIT_DEFAULT, 1), THREADS_LIMIT_MAX),
      })
      return answer(chunk)
    },
  }),
]
