/**
 * The room in which the server speaks to a user: `server_notices`. One for each user, made when there is something to
 * say. https://spec.matrix.org/v1.16/client-server-api/#server-notices
 */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { deactivatedAccount, MatrixError } from '#/protocol/errors.ts'
import { parseRoomId, type RoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import type { RoomTags } from '../accounts/tags.ts'
import type { CreateRoomService, InitialState } from '../rooms/create/create-room.ts'
import type { MembershipService } from '../rooms/membership.ts'
import type { SendService } from '../rooms/send.ts'
import { NOTICE_TXN_BYTES, NOTICES_WAITING_MAX } from './limits.ts'

export interface ServerNoticesOptions {
  /** `system_mxid_localpart`, as a user id. */
  readonly sender: UserId
  /** `system_mxid_display_name`, `system_mxid_avatar_url`. */
  readonly displayName: string | undefined
  readonly avatarUrl: string | undefined
  /** `room_name`, `room_avatar_url`, `room_topic`. */
  readonly roomName: string | undefined
  readonly roomAvatarUrl: string | undefined
  readonly roomTopic: string | undefined
  /** `auto_join`. */
  readonly autoJoin: boolean
}

export interface Notice {
  readonly content: JsonObject
  /** `m.room.message` without a word. */
  readonly type?: string
  /** Makes it a state event. */
  readonly stateKey?: string | undefined
  /** Makes a repetition harmless. */
  readonly txnId?: string | undefined
}

/** The tag by which clients know the room. */
const TAG = 'm.server_notice'

/** Where the user whom notices come from keeps transactions: nobody else has this device. */
const DEVICE = ''

export interface ServerNoticesDeps {
  readonly store: Store
  readonly world: World
  readonly send: SendService
  readonly membership: MembershipService
  readonly createRoom: CreateRoomService
  readonly tags: RoomTags
  readonly roomVersion: string
  readonly options: ServerNoticesOptions
}

export class ServerNotices {
  readonly #deps: ServerNoticesDeps
  readonly #lock = new KeyedLock()

  constructor(deps: ServerNoticesDeps) {
    this.#deps = deps
  }

  /** Whom notices come from. */
  get sender(): UserId {
    return this.#deps.options.sender
  }

  /** Gives the sender its profile, before anything is said. */
  async prepare(): Promise<void> {
    const { store, options } = this.#deps
    const row = await store.accounts.profile(this.sender)
    const before = row ? (JSON.parse(row.fields) as Record<string, JsonValue>) : {}
    const { displayname: _, avatar_url: __, ...others } = before
    const fields = JSON.stringify({ ...others, ...noticesProfile(options) })
    if (fields === row?.fields) return
    const op = { op: 'profile.put', user: this.sender, fields } as const
    const result = await store.commit({ lane: this.sender, ops: [op] })
    if (!result.ok) throw new Error(`the profile of notices met the conflict ${result.conflict}`)
  }

  /**
   * Says something to a user of this server, who is invited (or joined) if needed. Returns the id of the event.
   * Throws M_NOT_FOUND for who has no account here, M_USER_DEACTIVATED, M_LIMIT_EXCEEDED.
   */
  async notify(userId: UserId, notice: Notice): Promise<string> {
    if (this.#lock.waiting(userId) >= NOTICES_WAITING_MAX) {
      const wait = { retry_after_ms: 1000 }
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many notices to this user wait already.', wait)
    }
    return this.#lock.run(userId, async () => {
      const { send, world } = this.#deps
      const roomId = await this.#roomFor(userId)
      const { content, type = 'm.room.message', stateKey } = notice
      const from = { userId: this.sender, deviceId: DEVICE }
      if (stateKey !== undefined) return send.state(from, roomId, type, stateKey, content)
      const txnId = notice.txnId ?? world.rng.bytes(NOTICE_TXN_BYTES).toString('base64url')
      return send.message(from, roomId, type, content, { scope: `notices ${userId}`, txnId })
    })
  }

  /** The room of a user, if it was made. */
  async roomOf(userId: UserId): Promise<{ readonly nid: number; readonly roomId: RoomId } | undefined> {
    const { usage, rooms } = this.#deps.store
    const nid = await usage.noticesRoom(userId)
    const row = nid === undefined ? undefined : await rooms.byNid(nid)
    const roomId = row && parseRoomId(row.roomId)
    return row && roomId && { nid: row.nid, roomId }
  }

  /** Whether a room is the one in which the server speaks to a user. */
  async isRoomOf(roomId: string, userId: UserId): Promise<boolean> {
    return (await this.roomOf(userId))?.roomId === roomId
  }

  async #roomFor(userId: UserId): Promise<RoomId> {
    const { store } = this.#deps
    const account = await store.accounts.byUser(userId)
    if (!account) throw new MatrixError('M_NOT_FOUND', 'There is no such user on this server.')
    if (account.deactivated) throw deactivatedAccount()
    const known = await this.roomOf(userId)
    if (known === undefined) {
      const roomId = await this.#make(userId)
      await this.#invite(userId, roomId)
      return roomId
    }
    await this.#refresh(known.roomId, known.nid)
    const there = await store.rooms.membership(known.nid, userId)
    if (there?.membership !== 'join' && there?.membership !== 'invite')
      await this.#invite(userId, known.roomId)
    return known.roomId
  }

  async #make(userId: UserId): Promise<RoomId> {
    const { createRoom, roomVersion, options, store } = this.#deps
    const roomId = await createRoom.create({
      creator: this.sender,
      version: roomVersion,
      preset: 'private_chat',
      creationContent: {},
      /* The user cannot speak there, since nobody would hear. */
      powerLevels: { users_default: -10 },
      initialState: avatarState(options.roomAvatarUrl),
      name: options.roomName,
      topic: options.roomTopic,
      invite: [],
      isDirect: false,
      plain: true,
    })
    const room = await store.rooms.byId(roomId)
    if (!room) throw new Error('a room for notices is gone as soon as it was made')
    const op = { op: 'notices.put', user: userId, room: room.nid } as const
    const result = await store.commit({ lane: userId, ops: [op] })
    if (!result.ok) throw new Error(`a room for notices met the conflict ${result.conflict}`)
    return roomId
  }

  async #invite(userId: UserId, roomId: RoomId): Promise<void> {
    const { membership, tags, options } = this.#deps
    await membership.change({ roomId, sender: this.sender, target: userId, membership: 'invite' })
    await tags.put(userId, roomId, TAG, {})
    if (options.autoJoin) {
      await membership.change({ roomId, sender: userId, target: userId, membership: 'join' })
    }
  }

  /** Brings an older room up to the configuration. Writes nothing where nothing changed. */
  async #refresh(roomId: RoomId, nid: number): Promise<void> {
    const { membership, options, send, store } = this.#deps
    const from = { userId: this.sender, deviceId: DEVICE }
    const facts: readonly (readonly [type: string, key: string, value: string | undefined])[] = [
      ['m.room.name', 'name', options.roomName],
      ['m.room.topic', 'topic', options.roomTopic],
      ['m.room.avatar', 'url', options.roomAvatarUrl],
    ]
    const keys = facts.map(([type]) => [type, ''] as const)
    const rows = await store.state.current(nid, [...keys, ['m.room.member', this.sender]])
    const contentOf = (type: string): { readonly [key: string]: JsonValue } => {
      const row = rows.find((each) => each.type === type)
      return row ? (JSON.parse(row.json) as { content: JsonObject }).content : {}
    }
    for (const [type, key, value = ''] of facts) {
      if ((contentOf(type)[key] ?? '') !== value) await send.state(from, roomId, type, '', { [key]: value })
    }
    const shown = contentOf('m.room.member')
    if (shown['displayname'] !== options.displayName || shown['avatar_url'] !== options.avatarUrl) {
      await membership.renew(this.sender, roomId)
    }
  }
}

function avatarState(url: string | undefined): readonly InitialState[] {
  return url === undefined ? [] : [{ type: 'm.room.avatar', stateKey: '', content: { url } }]
}

/** What the sender of notices shows of itself in member events. */
function noticesProfile({ displayName, avatarUrl }: ServerNoticesOptions): JsonObject {
  return {
    ...(displayName === undefined ? {} : { displayname: displayName }),
    ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl }),
  }
}
