/** Creating rooms. https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3createroom */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseUserId, serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import { type CreateRoomService, invitedBy } from '#/services/rooms/create/create-room.ts'
import type { Preset } from '#/services/rooms/create/presets.ts'
import { CREATE_INVITES_MAX, CREATE_ROOM_BODY_BYTES_MAX, INITIAL_STATE_MAX } from '#/services/rooms/limits.ts'
import { count } from '../../rate.ts'

export interface CreationDeps {
  readonly createRoom: CreateRoomService
  readonly limits: RateLimits<LimitName>
  /** Whether an account of this server exists. */
  readonly accountExists: (userId: UserId) => Promise<boolean>
  readonly defaultRoomVersion: string
}

const firstState = t.object({ type: t.text(255), state_key: t.opt(t.text(255)), content: t.json })

function userIds(texts: readonly string[]): UserId[] {
  return texts.map((text) => {
    const user = parseUserId(text)
    if (!user) throw new MatrixError('M_INVALID_PARAM', `${JSON.stringify(text)} is not a user id.`)
    return user
  })
}

/** Counts invitations against their limits. Throws M_LIMIT_EXCEEDED, M_INVALID_PARAM for too many or unknown users. */
async function admitInvitations(d: CreationDeps, who: Requester, invited: readonly UserId[]): Promise<void> {
  if (invited.length > CREATE_INVITES_MAX) {
    const most = `A new room invites at most ${CREATE_INVITES_MAX} users; please invite others later.`
    throw new MatrixError('M_INVALID_PARAM', most)
  }
  for (const target of invited) {
    count(d.limits, who, 'rc_invites.per_issuer', who.userId)
    count(d.limits, who, 'rc_invites.per_user', target)
    if (serverOf(target) === serverOf(who.userId) && !(await d.accountExists(target))) {
      throw new MatrixError('M_INVALID_PARAM', `There is no user ${target} on this server.`)
    }
  }
}

/** `POST /createRoom`. */
export const creationRoutes = (d: CreationDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/createRoom',
    also: ['/_matrix/client/r0/createRoom'],
    spec: 'client-server-api/#post_matrixclientv3createroom',
    operations: ['createRoom'],
    use: 'event',
    auth: 'user',
    limit: 'rc_room_creation',
    servlet: 'RoomCreateRestServlet',
    strictJson: true,
    emptyBody: true,
    bodyBytesMax: CREATE_ROOM_BODY_BYTES_MAX,
    body: t.object({
      visibility: t.opt(t.oneOf('public', 'private')),
      room_alias_name: t.opt(t.nullable(t.text(255))),
      name: t.opt(t.nullable(t.text(65_536))),
      topic: t.opt(t.nullable(t.text(65_536))),
      invite: t.opt(t.array(t.text(255), CREATE_INVITES_MAX)),
      invite_3pid: t.opt(t.array(t.json, CREATE_INVITES_MAX)),
      room_version: t.opt(t.text(32)),
      creation_content: t.opt(t.json),
      initial_state: t.opt(t.array(firstState, INITIAL_STATE_MAX)),
      preset: t.opt(t.oneOf('private_chat', 'public_chat', 'trusted_private_chat')),
      is_direct: t.opt(t.bool),
      power_level_content_override: t.opt(t.json),
    }),
    async handle({ who, body }) {
      const invite = userIds([...new Set(body.invite ?? [])])
      if (body.invite_3pid !== undefined && body.invite_3pid.length > 0) {
        throw new MatrixError(
          'M_THREEPID_DENIED',
          'Invitations by e-mail or phone are not supported here yet.',
        )
      }
      const initialState = (body.initial_state ?? []).map((event) => ({
        type: event.type,
        stateKey: event.state_key ?? '',
        content: event.content,
      }))
      await admitInvitations(d, who, invitedBy({ invite, initialState }))
      const preset: Preset = body.preset ?? (body.visibility === 'public' ? 'public_chat' : 'private_chat')
      const roomId = await d.createRoom.create({
        creator: who.userId,
        version: body.room_version ?? d.defaultRoomVersion,
        preset,
        creationContent: body.creation_content ?? {},
        powerLevels: body.power_level_content_override ?? {},
        initialState,
        name: body.name ?? undefined,
        topic: body.topic ?? undefined,
        invite,
        aliasName: body.room_alias_name ?? undefined,
        published: body.visibility === 'public',
        isDirect: body.is_direct ?? false,
      })
      return { room_id: roomId }
    },
  }),
]
