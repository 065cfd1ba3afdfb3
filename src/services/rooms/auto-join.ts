/** Rooms that new users of this server are put into: `auto_join_rooms` and the options beside it. */
import type { Log } from '#/base/log.ts'
import type { World } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { joinRuleOf } from '#/protocol/event/content.ts'
import { aliasServerOf, parseRoomAlias, type RoomAlias } from '#/protocol/ids/room-alias.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { parseUserId, type UserId } from '#/protocol/ids/user-id.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import type { CreateRoomService } from './create/create-room.ts'
import type { Preset } from './create/presets.ts'
import type { AliasService } from './directory/aliases.ts'
import type { MembershipService } from './membership.ts'
import type { RoomWriter } from './room-writer.ts'

export const AUTO_JOIN_KIND = 'rooms.auto_join'
/** When a registration's rooms are joined, should the server have stopped in between; milliseconds. */
const AUTO_JOIN_DELAY_MS = 60_000

export interface AutoJoinOptions {
  /** `auto_join_rooms`: aliases, or room ids. */
  readonly rooms: readonly string[]
  /** `autocreate_auto_join_rooms` */
  readonly create: boolean
  /** `autocreate_auto_join_rooms_federated` */
  readonly federated: boolean
  /** `autocreate_auto_join_room_preset` */
  readonly preset: Preset
  /** `auto_join_mxid_localpart`: who makes the rooms and invites. */
  readonly inviter: string | undefined
  /** `auto_join_rooms_for_guests` */
  readonly guests: boolean
}

export interface AutoJoinDeps {
  readonly store: Store
  readonly world: World
  readonly log: Log
  readonly serverName: ServerName
  readonly writer: RoomWriter
  readonly membership: MembershipService
  readonly aliases: AliasService
  readonly createRoom: CreateRoomService
  readonly defaultRoomVersion: string
  readonly options: AutoJoinOptions
}

export class AutoJoin {
  readonly #deps: AutoJoinDeps
  readonly #inviter: UserId | undefined

  constructor(deps: AutoJoinDeps) {
    this.#deps = deps
    const { inviter } = deps.options
    this.#inviter = inviter === undefined ? undefined : parseUserId(`@${inviter}:${deps.serverName}`)
  }

  /** The operations that plan the joining; they belong into the plan that makes the account. */
  ops(user: UserId): readonly Op[] {
    const { options, world } = this.#deps
    if (options.rooms.length === 0) return []
    const dueTs = world.clock.now() + AUTO_JOIN_DELAY_MS
    return [{ op: 'job.put', kind: AUTO_JOIN_KIND, key: user, dueTs, data: '{}' }]
  }

  /** Joins at once, so that the new user finds the rooms in the first sync. Never throws: the job is still there. */
  async now(user: UserId): Promise<void> {
    const { store, options, log } = this.#deps
    if (options.rooms.length === 0) return
    try {
      await this.#joinAll(user)
      await store.commit({ lane: 'jobs', ops: [{ op: 'job.done', kind: AUTO_JOIN_KIND, key: user }] })
    } catch (error) {
      log.warn('a new user has not joined the rooms for all yet; it will be tried again', { error })
    }
  }

  readonly handler: JobHandler = async (job) => {
    await this.#joinAll(job.key as UserId)
    return undefined
  }

  async #joinAll(user: UserId): Promise<void> {
    const { store, options, log } = this.#deps
    const account = await store.accounts.byUser(user)
    if (!account || account.deactivated || (account.guest && !options.guests)) return
    for (const room of options.rooms) {
      try {
        await this.#join(user, room)
      } catch (error) {
        if (!(error instanceof MatrixError) || error.errcode === 'M_LIMIT_EXCEEDED') throw error
        const { errcode, message } = error
        log.warn('a new user cannot join a room of auto_join_rooms', { room, errcode, why: message })
      }
    }
  }

  async #join(user: UserId, name: string): Promise<void> {
    const { store, membership, writer } = this.#deps
    const roomId = await this.#find(name, user)
    if (roomId === undefined) return
    const room = await store.rooms.byId(roomId)
    const own = room && (await store.rooms.membership(room.nid, user))
    if (!room || own?.membership === 'join' || own?.membership === 'ban') return
    const inviter = this.#inviter
    if (inviter !== undefined && inviter !== user && own?.membership !== 'invite') {
      const live = await writer.look(roomId, [['m.room.join_rules', '']])
      const closed = joinRuleOf(live.state('m.room.join_rules', '')) !== 'public'
      if (closed) await membership.change({ roomId, sender: inviter, target: user, membership: 'invite' })
    }
    await membership.change({ roomId, sender: user, target: user, membership: 'join' })
  }

  /** The room of an alias or an id. One that nobody has made yet is made for the first user. */
  async #find(name: string, user: UserId): Promise<RoomId | undefined> {
    const { aliases, options, store, serverName } = this.#deps
    try {
      return await aliases.roomIdOf(name)
    } catch (error) {
      const alias = parseRoomAlias(name)
      const missing = error instanceof MatrixError && error.errcode === 'M_NOT_FOUND'
      if (!missing || !alias || !options.create || aliasServerOf(alias) !== serverName) throw error
      /* The account that makes the rooms and invites was there before the first user. */
      const before = this.#inviter === undefined || this.#inviter === user ? 0 : 1
      if ((await store.accounts.count()) > before + 1) throw error
      return this.#make(alias, this.#inviter ?? user)
    }
  }

  #make(alias: RoomAlias, creator: UserId): Promise<RoomId> {
    const { createRoom, options, defaultRoomVersion } = this.#deps
    return createRoom.create({
      creator,
      version: defaultRoomVersion,
      preset: options.preset,
      creationContent: options.federated ? {} : { 'm.federate': false },
      powerLevels: {},
      initialState: [],
      invite: [],
      isDirect: false,
      aliasName: alias.slice(1, alias.indexOf(':')),
    })
  }
}
