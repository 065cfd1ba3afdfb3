/** Room membership. https://spec.matrix.org/v1.16/client-server-api/#room-membership */
import type { RateLimits } from '#/base/rate-limit.ts'
import { parseJsonObject } from '#/http/body.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { type Static, t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomId, type RoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId, type UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { AliasService } from '#/services/rooms/directory/aliases.ts'
import { REASON_CHARS_MAX } from '#/services/rooms/limits.ts'
import type { MembershipChange, MembershipService } from '#/services/rooms/membership.ts'
import type { RoomList } from '#/services/rooms/room-list.ts'
import { countInvite, limitedJoin } from './member-limits.ts'

export interface MembershipDeps {
  readonly membership: MembershipService
  readonly roomList: RoomList
  readonly aliases: AliasService
  readonly limits: RateLimits<LimitName>
  /** Whether an account of this server exists. */
  readonly accountExists: (userId: UserId) => Promise<boolean>
}

const reason = t.opt(t.text(REASON_CHARS_MAX))
const own = t.object({ reason })
const other = t.object({ user_id: t.userId, reason })

function targetOf(text: string): UserId {
  const user = parseUserId(text)
  if (!user) throw new MatrixError('M_INVALID_PARAM', 'user_id is not a user id.')
  return user
}

/** The two paths of one endpoint: by name under the room, current and old. */
function paths<const Name extends string>(name: Name) {
  return {
    path: `/_matrix/client/v3/rooms/:roomId/${name}` as const,
    also: [`/_matrix/client/r0/rooms/:roomId/${name}`],
    spec: `client-server-api/#post_matrixclientv3roomsroomid${name}`,
  }
}

const facts = { method: 'POST', auth: 'user', emptyBody: true } as const

async function join(
  d: MembershipDeps,
  who: Requester,
  roomId: RoomId,
  body: Static<typeof own>,
): Promise<object> {
  const change = { ...self(who, roomId), reason: body.reason, content: ownContent(body) }
  await limitedJoin(d, who, roomId, () => d.membership.change({ ...change, membership: 'join' }))
  return { room_id: roomId }
}

/** Members of the body that have a meaning of their own, and those of the event that others decide. */
const NOT_CONTENT: ReadonlySet<string> = new Set([
  'reason',
  'membership',
  'third_party_signed',
  'third_party_invite',
  'join_authorised_via_users_server',
])

/** What else a client says when it joins goes into its member event. Throws M_BAD_JSON for what no event may hold. */
function ownContent(body: object): JsonObject {
  const own = Object.entries(body).filter(([key]) => !NOT_CONTENT.has(key))
  if (own.length === 0) return {}
  return parseJsonObject(Buffer.from(JSON.stringify(Object.fromEntries(own))), 'strict')
}

function self(who: Requester, roomId: RoomId): Pick<MembershipChange, 'roomId' | 'sender' | 'target'> {
  return { roomId, sender: who.userId, target: who.userId }
}

export const membershipRoutes = (d: MembershipDeps): Route[] => [
  route({
    ...facts,
    ...paths('join'),
    auth: 'guest',
    operations: ['joinRoomById'],
    use: 'join',
    limit: 'service',
    servlet: 'RoomMembershipRestServlet',
    params: { roomId: parseRoomId },
    body: own,
    handle: ({ who, params, body }) => join(d, who, params.roomId, body),
  }),
  route({
    ...facts,
    path: '/_matrix/client/v3/join/:roomIdOrAlias',
    also: ['/_matrix/client/r0/join/:roomIdOrAlias'],
    spec: 'client-server-api/#post_matrixclientv3joinroomidoralias',
    auth: 'guest',
    operations: ['joinRoom'],
    use: 'join',
    limit: 'service',
    servlet: 'JoinRoomAliasServlet',
    body: own,
    handle: async ({ who, params, body }) =>
      join(d, who, await d.aliases.roomIdOf(params.roomIdOrAlias), body),
  }),
  route({
    ...facts,
    ...paths('leave'),
    auth: 'guest',
    operations: ['leaveRoom'],
    limit: 'none',
    params: { roomId: parseRoomId },
    body: own,
    async handle({ who, params, body }) {
      await d.membership.change({ ...self(who, params.roomId), membership: 'leave', reason: body.reason })
      return {}
    },
  }),
  route({
    ...facts,
    ...paths('forget'),
    operations: ['forgetRoom'],
    limit: 'none',
    statuses: { M_UNKNOWN: 400 },
    params: { roomId: parseRoomId },
    body: t.object({}),
    async handle({ who, params }) {
      await d.roomList.forget(who.userId, params.roomId)
      return {}
    },
  }),
  route({
    ...facts,
    ...paths('invite'),
    operations: ['inviteUser'],
    use: 'event',
    limit: 'service',
    params: { roomId: parseRoomId },
    body: other,
    async handle({ who, params, body }) {
      const target = targetOf(body.user_id)
      countInvite(d, who, params.roomId, target)
      if (!(await d.accountExists(target))) {
        throw new MatrixError('M_NOT_FOUND', 'There is no such user on this server.')
      }
      const change = { roomId: params.roomId, sender: who.userId, target, reason: body.reason }
      await d.membership.change({ ...change, membership: 'invite' })
      return {}
    },
  }),
  ...(['kick', 'ban', 'unban'] as const).map((name) =>
    route({
      ...facts,
      ...paths(name),
      operations: [name],
      use: 'event',
      limit: 'rc_message',
      params: { roomId: parseRoomId },
      body: other,
      async handle({ who, params, body }) {
        const target = targetOf(body.user_id)
        const change = { roomId: params.roomId, sender: who.userId, target, reason: body.reason }
        const membership = name === 'ban' ? 'ban' : 'leave'
        await d.membership.change({ ...change, membership, kick: name === 'kick', unban: name === 'unban' })
        return {}
      },
    }),
  ),
  route({
    method: 'GET',
    path: '/_matrix/client/v3/joined_rooms',
    also: ['/_matrix/client/r0/joined_rooms'],
    spec: 'client-server-api/#get_matrixclientv3joined_rooms',
    operations: ['getJoinedRooms'],
    auth: 'user',
    limit: 'none',
    handle: async ({ who }) => ({ joined_rooms: await d.roomList.joined(who.userId) }),
  }),
]
