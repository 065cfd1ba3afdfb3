/** Room aliases. https://spec.matrix.org/v1.19/client-server-api/#room-aliases */
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { aliasServerOf, mintRoomAlias, parseRoomAlias, type RoomAlias } from '#/protocol/ids/room-alias.ts'
import { parseRoomId, type RoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import { readHistoryVisibility } from '#/protocol/visibility/history-visibility.ts'
import { maySendState, powerNeeds } from '../power.ts'
import type { RoomWriter } from '../room-writer.ts'
import { pduOfRow } from '../stored-event.ts'
import { withoutAliases } from './canonical.ts'
import { ROOM_ALIASES_MAX } from './limits.ts'
import type { DirectoryPolicy } from './policy.ts'

/** Who asks, as far as it matters here. */
export interface DirectoryUser {
  readonly userId: UserId
  readonly isAdmin: boolean
}

export interface ResolvedAlias {
  readonly roomId: RoomId
  /** Servers through which the room can be joined. */
  readonly servers: readonly string[]
}

export interface AliasDeps {
  readonly store: Store
  readonly writer: RoomWriter
  readonly clock: Clock
  readonly serverName: ServerName
  /** `alias_creation_rules` */
  readonly mayCreate: DirectoryPolicy
  /** `require_membership_for_aliases` */
  readonly requireMembership: boolean
}

export class AliasService {
  readonly #deps: AliasDeps

  constructor(deps: AliasDeps) {
    this.#deps = deps
  }

  /** The room of an alias. Throws M_NOT_FOUND. */
  async resolve(alias: RoomAlias): Promise<ResolvedAlias> {
    const { store, serverName } = this.#deps
    const row = await store.directory.alias(alias)
    if (!row) {
      const known = aliasServerOf(alias) === serverName
      const why = known
        ? `The alias ${alias} was not found.`
        : 'Aliases of other servers cannot be asked for yet.'
      throw new MatrixError('M_NOT_FOUND', why)
    }
    return { roomId: row.roomId as RoomId, servers: [serverName] }
  }

  /** A room id as it is, or the room of an alias. Throws M_INVALID_PARAM for anything else, M_NOT_FOUND. */
  async roomIdOf(text: string): Promise<RoomId> {
    const roomId = parseRoomId(text)
    if (roomId) return roomId
    const alias = parseRoomAlias(text)
    if (!alias) throw new MatrixError('M_INVALID_PARAM', 'This is neither a room id nor a room alias.')
    return (await this.resolve(alias)).roomId
  }

  /** An alias of this server for a new room. Throws M_INVALID_PARAM. */
  wanted(localpart: string): RoomAlias {
    try {
      return mintRoomAlias(localpart, this.#deps.serverName)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new MatrixError(
        'M_INVALID_PARAM',
        'A room alias has a name without white space and colons, and at most 255 bytes.',
      )
    }
  }

  /** Throws M_FORBIDDEN when the operator's rules refuse an alias. */
  requireAllowed(userId: UserId, roomId: string, alias: RoomAlias): void {
    if (!this.#deps.mayCreate(userId, roomId, [alias])) {
      throw new MatrixError('M_FORBIDDEN', 'The rules of this server do not let you make this alias.')
    }
  }

  /** Makes an alias. Throws M_INVALID_PARAM, M_FORBIDDEN, and M_UNKNOWN when it exists already. */
  async create(who: DirectoryUser, alias: RoomAlias, roomId: RoomId): Promise<void> {
    const { store, clock, serverName, requireMembership } = this.#deps
    if (aliasServerOf(alias) !== serverName) {
      throw new MatrixError('M_INVALID_PARAM', 'Only aliases of this server can be made here.')
    }
    this.wanted(alias.slice(1, alias.indexOf(':')))
    const room = await store.rooms.byId(roomId)
    const membership = room && (await store.rooms.membership(room.nid, who.userId))
    const may = membership?.membership === 'join' || who.isAdmin || !requireMembership
    if (!room || !may) throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
    this.requireAllowed(who.userId, roomId, alias)
    const { length } = await store.directory.aliasesOf(room.nid, ROOM_ALIASES_MAX)
    if (length >= ROOM_ALIASES_MAX) {
      throw new MatrixError('M_FORBIDDEN', `A room has at most ${ROOM_ALIASES_MAX} aliases.`)
    }
    const put = { op: 'alias.put', alias, room: room.nid, creator: who.userId, ts: clock.now() } as const
    const result = await store.commit({ lane: roomId, ops: [put] })
    if (!result.ok) throw new MatrixError('M_UNKNOWN', `The alias ${alias} exists already.`)
  }

  /**
   * Takes an alias away: its maker may, a server administrator, and whoever may set the room's canonical alias. The
   * room's own event is brought up to it where the user may do that. Throws M_NOT_FOUND, M_FORBIDDEN.
   */
  async delete(who: DirectoryUser, alias: RoomAlias): Promise<void> {
    const { store, writer } = this.#deps
    const row = await store.directory.alias(alias)
    if (!row) throw new MatrixError('M_NOT_FOUND', `The alias ${alias} was not found.`)
    const live = await writer.look(row.roomId, powerNeeds(who.userId))
    const ranks = maySendState(live.state, who.userId, 'm.room.canonical_alias')
    if (!ranks && !who.isAdmin && row.creator !== who.userId) {
      throw new MatrixError('M_FORBIDDEN', 'This alias is not yours to delete.')
    }
    const result = await store.commit({
      lane: row.roomId,
      ops: [{ op: 'alias.delete', alias, room: row.room }],
    })
    if (!result.ok) throw new MatrixError('M_NOT_FOUND', `The alias ${alias} was not found.`)
    if (ranks) await this.dropFromCanonical(who.userId, row.roomId, new Set([alias]))
  }

  /** Takes aliases out of the room's m.room.canonical_alias event, as far as the user may. */
  async dropFromCanonical(sender: UserId, roomId: string, gone: ReadonlySet<string>): Promise<void> {
    try {
      await this.#deps.writer.write({
        roomId,
        needs: [['m.room.canonical_alias', '']],
        draft(room) {
          const present = room.state('m.room.canonical_alias', '')
          const content = present && withoutAliases(present.content, gone)
          if (!content) return { already: present?.eventId ?? '' }
          return { type: 'm.room.canonical_alias', stateKey: '', sender, content }
        },
      })
    } catch (error) {
      /* The alias is gone all the same: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3directoryroomroomalias */
      if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error
    }
  }

  /** Local aliases of a room, for its members and, where the world may read it, for everybody. Throws M_FORBIDDEN. */
  async ofRoom(roomId: RoomId, userId: UserId): Promise<string[]> {
    const { store } = this.#deps
    const room = await store.rooms.byId(roomId)
    const rules = room && rulesOf(room.version)
    const own = room && (await store.rooms.membership(room.nid, userId))
    if (room && rules && own?.membership !== 'join') {
      const [visibility] = await store.state.current(room.nid, [['m.room.history_visibility', '']])
      const open = visibility && readHistoryVisibility(pduOfRow(visibility, rules)) === 'world_readable'
      if (!open) throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
    }
    if (!room || !rules) throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
    return store.directory.aliasesOf(room.nid, ROOM_ALIASES_MAX)
  }
}
