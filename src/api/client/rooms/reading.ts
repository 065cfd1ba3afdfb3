/** Reading rooms: events, state, members, history. https://spec.matrix.org/v1.16/client-server-api/#getting-events-for-a-room */
import { jsonText } from '#/http/reply.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { readJson } from '#/protocol/json/reader.ts'
import { isObject, type JsonObject } from '#/protocol/json/value.ts'
import type { Viewer } from '#/services/rooms/read/client-events.ts'
import { parseRoomEventFilter } from '#/services/rooms/read/event-filter.ts'
import { FILTER_CHARS_MAX, MESSAGES_LIMIT_DEFAULT, MESSAGES_LIMIT_MAX } from '#/services/rooms/read/limits.ts'
import type { MessagesService } from '#/services/rooms/read/messages.ts'
import type { RoomReads } from '#/services/rooms/read/room-reads.ts'

export interface ReadingDeps {
  readonly reads: RoomReads
  readonly messages: MessagesService
}

function viewerOf(who: Requester): Viewer {
  return { userId: who.userId, deviceId: who.deviceId }
}

const facts = { method: 'GET', auth: 'user', limit: 'none' } as const

function paths<const Rest extends string>(rest: Rest) {
  return {
    path: `/_matrix/client/v3/rooms/:roomId/${rest}` as const,
    also: [`/_matrix/client/r0/rooms/:roomId/${rest}`],
  }
}

/** A filter written into the query string. */
export function inlineFilter(text: string | undefined): JsonObject {
  if (text === undefined) return {}
  const json = readJson(text, 'lenient')
  if (!json.ok || !isObject(json.value)) {
    throw new MatrixError('M_INVALID_PARAM', 'The filter is not a JSON object.')
  }
  return json.value
}

const MEMBERSHIPS = ['join', 'invite', 'leave', 'ban', 'knock'] as const

export const readingRoutes = (d: ReadingDeps): Route[] => [
  route({
    ...facts,
    ...paths('event/:eventId'),
    spec: 'client-server-api/#get_matrixclientv3roomsroomideventeventid',
    operations: ['getOneRoomEvent'],
    params: { roomId: parseRoomId, eventId: parseEventId },
    handle: async ({ who, params }) =>
      jsonText(await d.reads.event(params.roomId, params.eventId, viewerOf(who))),
  }),
  route({
    ...facts,
    ...paths('state'),
    spec: 'client-server-api/#get_matrixclientv3roomsroomidstate',
    operations: ['getRoomState'],
    params: { roomId: parseRoomId },
    handle: async ({ who, params }) =>
      jsonText(`[${(await d.reads.state(params.roomId, viewerOf(who))).join(',')}]`),
  }),
  ...(['state/:eventType/:stateKey', 'state/:eventType/', 'state/:eventType'] as const).map((rest) =>
    route({
      ...facts,
      ...paths(rest),
      spec: 'client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey',
      operations: ['getRoomStateWithKey'],
      params: { roomId: parseRoomId },
      query: t.object({ format: t.opt(t.oneOf('content', 'event')) }),
      async handle({ who, params, query }) {
        const stateKey = 'stateKey' in params ? (params.stateKey as string) : ''
        const { roomId, eventType } = params
        const found = await d.reads.stateEvent(roomId, eventType, stateKey, viewerOf(who))
        return query.format === 'event' ? jsonText(await found.event()) : found.content
      },
    }),
  ),
  route({
    ...facts,
    ...paths('members'),
    spec: 'client-server-api/#get_matrixclientv3roomsroomidmembers',
    operations: ['getMembersByRoom'],
    params: { roomId: parseRoomId },
    query: t.object({
      at: t.opt(t.text()),
      membership: t.opt(t.oneOf(...MEMBERSHIPS)),
      not_membership: t.opt(t.oneOf(...MEMBERSHIPS)),
    }),
    async handle({ who, params, query }) {
      const { at, membership, not_membership: notMembership } = query
      const members = await d.reads.members(params.roomId, viewerOf(who), { at, membership, notMembership })
      return jsonText(`{"chunk":[${members.join(',')}]}`)
    },
  }),
  route({
    ...facts,
    ...paths('joined_members'),
    spec: 'client-server-api/#get_matrixclientv3roomsroomidjoined_members',
    operations: ['getJoinedMembersByRoom'],
    params: { roomId: parseRoomId },
    handle: async ({ who, params }) => ({
      joined: await d.reads.joinedMembers(params.roomId, viewerOf(who)),
    }),
  }),
  route({
    ...facts,
    ...paths('messages'),
    spec: 'client-server-api/#get_matrixclientv3roomsroomidmessages',
    operations: ['getRoomEvents'],
    servlet: 'RoomMessageListRestServlet',
    params: { roomId: parseRoomId },
    query: t.object({
      from: t.opt(t.text()),
      to: t.opt(t.text()),
      dir: t.oneOf('b', 'f'),
      limit: t.opt(t.int(0)),
      filter: t.opt(t.text(FILTER_CHARS_MAX)),
    }),
    async handle({ who, params, query }) {
      const filter = parseRoomEventFilter(inlineFilter(query.filter))
      const { from, to, dir } = query
      const answer = await d.messages.messages({
        roomId: params.roomId,
        viewer: viewerOf(who),
        from,
        to,
        dir,
        limit: Math.min(Math.max(query.limit ?? MESSAGES_LIMIT_DEFAULT, 1), MESSAGES_LIMIT_MAX),
        relatedBy: filter.relatedBy,
        passes: filter.passesRoom(params.roomId) ? filter.passes : () => false,
        lazyLoadMembers: filter.lazyLoadMembers,
      })
      const end = answer.end === undefined ? '' : `,"end":${JSON.stringify(answer.end)}`
      const state = answer.state.length === 0 ? '' : `,"state":[${answer.state.join(',')}]`
      return jsonText(
        `{"chunk":[${answer.chunk.join(',')}],"start":${JSON.stringify(answer.start)}${end}${state}}`,
      )
    },
  }),
]
