/** Joining, leaving, inviting, kicking, banning: member events of this server's rooms. */
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { atLeast } from '#/protocol/auth/level.ts'
import { creatorsOf, levelMapOf, powerLevelsOf } from '#/protocol/auth/power-levels.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { joinRuleOf, membershipOf } from '#/protocol/event/content.ts'
import type { StateKeyPair } from '#/protocol/event/pdu.ts'
import { domainOf } from '#/protocol/ids/domain.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import { type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'
import { ALLOW_RULES_MAX } from '#/protocol/listing/limits.ts'
import { allowedRooms } from '#/protocol/listing/room-card.ts'
import { strippedStateKeys } from '#/protocol/stripped/stripped-state.ts'
import { guestsMayJoin } from './guests-out.ts'
import { REPLAN_MAX } from './limits.ts'
import type { LiveRoom } from './live-room.ts'
import { type ProfileSpread, profileGuard } from './profile-spread.ts'
import { type Draft, type RoomWriter, tooBusy, WriteRefused } from './room-writer.ts'

/** Throws when somebody may not be invited by somebody. */
export type MayInvite = (sender: UserId, target: UserId) => Promise<void>

/** Gives the profile members of a member event: displayname and avatar_url, where set. */
export type MemberProfile = (userId: UserId) => Promise<JsonObject>

export interface MembershipChange {
  readonly roomId: string
  readonly sender: UserId
  readonly target: UserId
  readonly membership: 'join' | 'invite' | 'leave' | 'ban' | 'knock'
  readonly reason?: string | undefined
  /** Lifts a ban: refuses targets that are not banned. */
  readonly unban?: boolean
  /** Removes somebody: refuses targets that are not in the room. */
  readonly kick?: boolean
  /** Renews the member event of somebody who is in the room; changes nothing for anybody else. */
  readonly renew?: ProfileSpread
  /** Further members of the event's content, for example `is_direct`; they come before those of the profile. */
  readonly content?: JsonObject
  /** Further operations of the same plan. */
  readonly ops?: readonly Op[]
}

/** How profiles come into member events. */
export interface ProfileRules {
  /** `include_profile_data_on_invite`. */
  readonly onInvite: boolean
  /** `allow_per_room_profiles`: whether a member may show another profile in a room. */
  readonly perRoom: boolean
}

/** Somebody whom no room gives a level of their own. */
const NOBODY = ''

export class MembershipService {
  readonly #writer: RoomWriter
  readonly #store: Store
  readonly #serverName: ServerName
  readonly #profile: MemberProfile
  readonly #mayInvite: MayInvite
  readonly #profileRules: ProfileRules

  readonly #forgetOnLeave: boolean
  readonly #onForget: ((user: UserId, room: number) => void) | undefined
  readonly #onJoined: ((user: UserId, roomId: string) => Promise<void>) | undefined

  constructor(deps: {
    writer: RoomWriter
    store: Store
    serverName: ServerName
    profile: MemberProfile
    mayInvite: MayInvite
    profileRules: ProfileRules
    /** Waited for after somebody of this server has joined. */
    onJoined?: (user: UserId, roomId: string) => Promise<void>
    /** Whether who leaves, or is made to, forgets the room in the same breath. */
    forgetOnLeave?: boolean
    onForget?: (user: UserId, room: number) => void
  }) {
    this.#writer = deps.writer
    this.#store = deps.store
    this.#serverName = deps.serverName
    this.#profile = deps.profile
    this.#mayInvite = deps.mayInvite
    this.#profileRules = deps.profileRules
    this.#onJoined = deps.onJoined
    this.#forgetOnLeave = deps.forgetOnLeave ?? false
    this.#onForget = deps.onForget
  }

  /** Changes a membership. Returns the id of the member event that now holds. */
  async change(change: MembershipChange): Promise<string> {
    for (let attempt = 0; attempt < REPLAN_MAX; attempt++) {
      try {
        return await this.#change(change)
      } catch (error) {
        /* The member's profile has changed meanwhile: once more, with the new one. */
        if (!(error instanceof WriteRefused) || error.conflict !== 'profile') throw error
      }
    }
    throw tooBusy()
  }

  /** Whether a user of this server is in a room. */
  async isJoined(userId: UserId, roomId: string): Promise<boolean> {
    const room = await this.#store.rooms.byId(roomId)
    if (room === undefined) return false
    return (await this.#store.rooms.membership(room.nid, userId))?.membership === 'join'
  }

  async #change(change: MembershipChange): Promise<string> {
    const { roomId, sender, target, membership } = change
    if (serverOf(target) !== this.#serverName && membership === 'invite') {
      throw new MatrixError('M_INVALID_PARAM', 'Users of other servers cannot be invited yet.')
    }
    if (sender === target && !(await this.#store.rooms.byId(roomId))) {
      throw new MatrixError('M_NOT_FOUND', 'This room is not known here.')
    }
    const guest = membership === 'join' && (await this.#isGuest(sender))
    if (membership === 'invite') await this.#mayInvite(sender, target)
    const { onInvite, perRoom } = this.#profileRules
    const shown = membership === 'join' || (membership === 'invite' && onInvite)
    const profile = shown ? await this.#profile(target) : {}
    const said = perRoom ? change.content : withoutProfile(change.content)
    const needs: StateKeyPair[] = [
      ['m.room.join_rules', ''],
      ['m.room.power_levels', ''],
      ['m.room.create', ''],
      ['m.room.member', sender],
      ['m.room.member', target],
      ...(guest ? [['m.room.guest_access', ''] as const] : []),
      ...(membership === 'invite' || membership === 'knock' ? strippedStateKeys(sender) : []),
    ]
    const gone = membership === 'leave' || membership === 'ban'
    const forgets = this.#forgetOnLeave && gone && serverOf(target) === this.#serverName
    let forgotten: number | undefined
    const eventId = await this.#writer.write({
      roomId,
      needs,
      draft: async (room) => {
        const present = room.state('m.room.member', target)
        if (change.renew && present && membershipOf(present) !== 'join') return { already: present.eventId }
        refuseImpossible(change, present && membershipOf(present))
        const rejects =
          membership === 'leave' && sender === target && present?.content['membership'] === 'invite'
        if (rejects && (await this.#store.usage.noticesOf(room.nid)) === target) throw notRejected()
        const stays = present !== undefined && membershipOf(present) === 'join'
        if (guest && !stays && !guestsMayJoin(room.state('m.room.guest_access', ''))) {
          throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'This room does not let guests in.')
        }
        const renewed = change.renew && present && renewedContent(present.content, profile, change.renew)
        if (renewed === 'as it was') return { already: present!.eventId }
        const content: Record<string, JsonValue> = renewed ?? { ...profile, ...said, membership }
        if (change.reason !== undefined) content['reason'] = change.reason
        const kept = present && sameMembership(present.content, content)
        if (kept && present.sender === sender) return { already: present.eventId }
        if (membership === 'join') {
          const via = await this.#authoriser(room, sender, present && membershipOf(present))
          if (via !== undefined) content['join_authorised_via_users_server'] = via
        }
        const draft: Draft = { type: 'm.room.member', sender, stateKey: target, content }
        return draft
      },
      /* Whoever deactivates the account has its rooms left; one that is joined meanwhile would be missed. */
      more: (room) => {
        const ops: Op[] = [...(change.ops ?? [])]
        if (membership === 'join') {
          ops.push({ op: 'account.active', user: target }, profileGuard(target, profile))
        }
        if (forgets) {
          forgotten = room.nid
          ops.push({ op: 'room.forget', room: room.nid, user: target })
        }
        return ops
      },
    })
    if (forgotten !== undefined) this.#onForget?.(target, forgotten)
    if (membership === 'join' && !change.renew) await this.#onJoined?.(target, roomId)
    return eventId
  }

  /** Brings the member event of somebody who is in the room up to their profile; does nothing for anybody else. */
  renew(user: UserId, roomId: string, spread: ProfileSpread = {}): Promise<string> {
    return this.change({ roomId, sender: user, target: user, membership: 'join', renew: spread })
  }

  async #isGuest(user: UserId): Promise<boolean> {
    return (await this.#store.accounts.byUser(user))?.guest === true
  }

  /**
   * For a restricted room, a local member who may invite, if the sender meets one of the room's conditions.
   * https://spec.matrix.org/v1.16/client-server-api/#restricted-rooms
   */
  async #authoriser(
    room: LiveRoom,
    sender: UserId,
    membership: string | undefined,
  ): Promise<string | undefined> {
    const rules = room.state('m.room.join_rules', '')
    const rule = joinRuleOf(rules)
    const restricted =
      (rule === 'restricted' && room.rules.auth.restricted) ||
      (rule === 'knock_restricted' && room.rules.auth.knockRestricted)
    if (!restricted || !rules || membership === 'join' || membership === 'invite') return undefined
    if (await this.#isInOneOf(sender, allowedRooms(rules.content, Number.POSITIVE_INFINITY))) {
      return this.#inviter(room)
    }
    throw new MatrixError('M_FORBIDDEN', 'You are not in any of the rooms whose members may join this one.')
  }

  /** Whether a user is in one of some rooms. Instead of asking for many of them, the user's own are looked through. */
  async #isInOneOf(user: UserId, roomIds: readonly string[]): Promise<boolean> {
    const { rooms } = this.#store
    if (roomIds.length > ALLOW_RULES_MAX) {
      const wanted = new Set(roomIds)
      const mine = await rooms.membershipsOf(user)
      return mine.some(({ roomId, membership }) => membership === 'join' && wanted.has(roomId))
    }
    for (const roomId of roomIds) {
      const known = await rooms.byId(roomId)
      const there = known && (await rooms.membership(known.nid, user))
      if (there?.membership === 'join') return true
    }
    return false
  }

  /** A member of this server who may invite: one with a level of their own, or anybody where everybody may. */
  async #inviter(room: LiveRoom): Promise<string> {
    const create = room.state('m.room.create', '')
    const levels = room.state('m.room.power_levels', '')
    if (create) {
      const held = powerLevelsOf(create, levels)
      const may = (user: string): boolean => atLeast(held.user(user), held.named('invite'))
      const named = Object.keys(levelMapOf(levels?.content ?? {}, 'users') ?? {})
      const ranked = await this.#firstJoined(room, [...creatorsOf(create), ...named].filter(may))
      const everybody = ranked === undefined && may(NOBODY) ? this.#store.rooms.localJoined(room.nid) : []
      const inviter = ranked ?? (await everybody).find(may)
      if (inviter !== undefined) {
        await room.load(this.#store.state, [['m.room.member', inviter]])
        return inviter
      }
    }
    throw new MatrixError('M_UNABLE_TO_GRANT_JOIN', 'Nobody of this server may let you into this room.')
  }

  /** The first of some users who is of this server and in the room. */
  async #firstJoined(room: LiveRoom, users: readonly string[]): Promise<string | undefined> {
    for (const user of users) {
      if (domainOf(user) !== this.#serverName) continue
      if ((await this.#store.rooms.membership(room.nid, user))?.membership === 'join') return user
    }
    return undefined
  }
}

/**
 * A member event with the profile's fields as they are now: what else it says stays, but for who authorised the join
 * and the reason. https://github.com/matrix-org/matrix-spec-proposals/pull/4466
 */
function renewedContent(
  present: JsonObject,
  profile: JsonObject,
  { field, before }: ProfileSpread,
): Record<string, JsonValue> | 'as it was' {
  if (field !== undefined && before !== undefined && (member(present, field) ?? null) !== before) {
    return 'as it was'
  }
  const { join_authorised_via_users_server: _, reason: __, ...rest } = present
  const content: Record<string, JsonValue> = rest
  for (const key of field === undefined ? MEMBER_FIELDS : [field]) {
    const value = member(profile, key)
    if (value === undefined) delete content[key]
    else content[key] = value
  }
  return content
}

const MEMBER_FIELDS = ['displayname', 'avatar_url'] as const

function withoutProfile(content: JsonObject = {}): JsonObject {
  const { displayname: _, avatar_url: __, ...rest } = content
  return rest
}

/** What the auth rules would allow but a person did not mean, with a sentence that says so. */
function refuseImpossible(change: MembershipChange, present: string | undefined): void {
  const { membership } = change
  if (change.unban && present !== 'ban') {
    throw new MatrixError('M_FORBIDDEN', 'This user is not banned from the room.')
  }
  if (change.kick && present !== 'join' && present !== 'invite' && present !== 'knock') {
    throw new MatrixError('M_FORBIDDEN', 'This user is not in the room.')
  }
  if (membership === 'invite' && present === 'join') {
    throw new MatrixError('M_FORBIDDEN', 'This user is already in the room.')
  }
  if (membership === 'leave' && change.sender === change.target && present === undefined) {
    throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
  }
  if (membership === 'join' && present === 'ban') {
    throw new MatrixError('M_FORBIDDEN', 'You are banned from this room.')
  }
}

/** https://spec.matrix.org/v1.16/client-server-api/#server-notices */
function notRejected(): MatrixError<'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM'> {
  return new MatrixError('M_CANNOT_LEAVE_SERVER_NOTICE_ROOM', 'You cannot reject this invite of the server.')
}

/** Whether a member event already says the same; who authorised the join does not count. */
function sameMembership(present: JsonObject, wanted: JsonObject): boolean {
  const { join_authorised_via_users_server: _, ...rest } = present
  if (member(rest, 'membership') === 'leave' && member(wanted, 'membership') === 'leave') return true
  return canonicalJson(rest) === canonicalJson(wanted)
}
