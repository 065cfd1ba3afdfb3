/**
 * `/initialSync` of a room and of a user: from before `/sync`, and still what shows a room that one peeks into.
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidinitialsync
 */
import { type Clock, turn } from '#/base/world.ts'
import type { AccountDataRow } from '#/ports/store/account-data.ts'
import type { MembershipRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import { PRESENCE_NEW_OFFLINE_MAX } from '../../ephemeral/limits.ts'
import type { Presence, PresenceOf, UserRooms } from '../../ephemeral/presence.ts'
import { receiptContents } from '../../ephemeral/receipt-content.ts'
import type { Receipts } from '../../ephemeral/receipts.ts'
import { accessRoom } from '../../rooms/read/access.ts'
import type { ClientEvents, Viewer } from '../../rooms/read/client-events.ts'
import type { MessagesService } from '../../rooms/read/messages.ts'
import type { RoomReads } from '../../rooms/read/room-reads.ts'
import { formatStream } from '../../rooms/read/tokens.ts'
import { NO_ROOM } from '../active-user.ts'
import { SNAPSHOT_CHARS_MAX, SNAPSHOT_RETRY_MS, SNAPSHOTS_AT_ONCE } from '../limits.ts'
import type { DefaultAccountData } from '../v3/sync.ts'

export interface SnapshotDeps {
  readonly store: Store
  readonly clock: Clock
  readonly reads: RoomReads
  readonly messages: MessagesService
  readonly clientEvents: ClientEvents
  readonly defaultAccountData: DefaultAccountData
  readonly ephemeral: { readonly presence: Presence; readonly receipts: Receipts }
  /** Whether a user is not to see an invite by somebody. */
  readonly hidesInvite: (userId: string, sender: string) => Promise<boolean>
}

export class SnapshotService {
  readonly #deps: SnapshotDeps
  #underWay = 0

  constructor(deps: SnapshotDeps) {
    this.#deps = deps
  }

  /** State and newest messages of one room as JSON. Throws M_FORBIDDEN for a room that may not be read. */
  async room(roomId: string, viewer: Viewer, limit: number): Promise<string> {
    const { store } = this.#deps
    const position = store.position()
    const { membership } = await accessRoom(store, roomId, viewer.userId)
    const data = await store.accountData.since(viewer.userId, 0, position)
    const known = { membership: membership?.membership, data, position }
    const text = await this.#room(roomId, viewer, limit, known)
    const presence = membership?.membership === 'join' ? await this.#presenceIn(membership) : []
    const receipts = membership?.membership === 'join' ? await this.#receiptsIn(membership, position) : []
    return `${text.slice(0, -1)},"presence":[${presence.join(',')}],"receipts":[${receipts.join(',')}]}`
  }

  /** Presence of those in a room with its member. */
  async #presenceIn({ user, room, roomId }: MembershipRow): Promise<string[]> {
    const { store, ephemeral } = this.#deps
    const people = await store.rooms.localJoined(room)
    const few = people.length <= PRESENCE_NEW_OFFLINE_MAX ? people : []
    const rooms: UserRooms = new Map([[room, { roomId, membership: 'join' }]])
    return (await ephemeral.presence.snapshot({ userId: user, rooms }, few)).map(presenceJson)
  }

  async #receiptsIn({ user, room, roomId }: MembershipRow, position: number): Promise<string[]> {
    const rows = await this.#deps.ephemeral.receipts.since(room, user, 0, position)
    return receiptContents(rows).map((content) =>
      JSON.stringify({ type: 'm.receipt', room_id: roomId, content }),
    )
  }

  /**
   * All rooms of a user as JSON. Throws M_TOO_LARGE when they are too many for one answer, M_LIMIT_EXCEEDED when
   * too many such answers are being made.
   */
  async all(viewer: Viewer, limit: number, archived: boolean): Promise<string> {
    if (this.#underWay >= SNAPSHOTS_AT_ONCE) {
      const extra = { retry_after_ms: SNAPSHOT_RETRY_MS }
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many such requests. Please use /sync.', extra)
    }
    this.#underWay++
    try {
      return await this.#all(viewer, limit, archived)
    } finally {
      this.#underWay--
    }
  }

  async #all(viewer: Viewer, limit: number, archived: boolean): Promise<string> {
    const { store, clock, defaultAccountData } = this.#deps
    const position = store.position()
    const { userId } = viewer
    const data = await store.accountData.since(userId, 0, position)
    const rooms: string[] = []
    const receipts: string[] = []
    const memberships = await store.rooms.membershipsOf(userId)
    let chars = 0
    for (const row of memberships) {
      const { membership, roomId } = row
      const gone = membership === 'leave' || membership === 'ban'
      if (gone && !archived) continue
      const text =
        membership === 'invite' || membership === 'knock'
          ? await this.#invite(row, viewer)
          : await this.#room(roomId, viewer, limit, { membership, data, position }).catch(hidden)
      if (text === undefined) continue
      const read = membership === 'join' ? await this.#receiptsIn(row, position) : []
      receipts.push(...read)
      chars += text.length + read.reduce((sum, receipt) => sum + receipt.length, 0)
      if (chars > SNAPSHOT_CHARS_MAX) {
        throw new MatrixError('M_TOO_LARGE', 'You are in too many rooms for this. Please use /sync.')
      }
      rooms.push(text)
      await turn(clock)
    }
    const own = data.filter((row) => row.room === NO_ROOM)
    const stored = new Set(own.map((row) => row.type))
    const global = [...own.map(dataJson), ...defaultAccountData(userId, stored).map((e) => JSON.stringify(e))]
    const end = JSON.stringify(formatStream({ epoch: store.epoch, position }))
    const among: UserRooms = new Map(memberships.map((row) => [row.room, row]))
    const presence = await this.#deps.ephemeral.presence.snapshot({ userId, rooms: among }, [])
    return (
      `{"end":${end},"presence":[${presence.map(presenceJson).join(',')}],` +
      `"receipts":[${receipts.join(',')}],"rooms":[${rooms.join(',')}],` +
      `"account_data":[${global.join(',')}]}`
    )
  }

  async #room(
    roomId: string,
    viewer: Viewer,
    limit: number,
    known: {
      readonly membership: string | undefined
      readonly data: readonly AccountDataRow[]
      readonly position: number
    },
  ): Promise<string> {
    const { store, messages, reads } = this.#deps
    const all = { passes: () => true, relatedBy: undefined, lazyLoadMembers: false }
    const page =
      limit === 0 ? undefined : await messages.messages({ roomId, viewer, dir: 'b', limit, ...all })
    const state = await reads.state(roomId, viewer)
    const room = await store.rooms.byId(roomId)
    const data = known.data.filter((row) => row.room === room?.nid).map(dataJson)
    const stream = formatStream({ epoch: store.epoch, position: known.position })
    const chunk = [...(page?.chunk ?? [])].reverse()
    const visibility = room && (await store.directory.isPublished(room.nid)) ? 'public' : 'private'
    const parts = [
      `"room_id":${JSON.stringify(roomId)}`,
      `"messages":{"start":${JSON.stringify(page?.end ?? page?.start ?? stream)},"end":${JSON.stringify(stream)},` +
        `"chunk":[${chunk.join(',')}]}`,
      `"state":[${state.join(',')}]`,
      `"account_data":[${data.join(',')}]`,
      `"visibility":"${visibility}"`,
    ]
    /* Knocks are unknown to clients of that time. */
    if (known.membership !== undefined && known.membership !== 'knock') {
      parts.push(`"membership":${JSON.stringify(known.membership)}`)
    }
    return `{${parts.join(',')}}`
  }

  /** An invite with the event that makes it, where the room is here. Knocks and hidden invites are left out. */
  async #invite(row: MembershipRow, viewer: Viewer): Promise<string | undefined> {
    const { store, clientEvents } = this.#deps
    if (row.membership !== 'invite') return undefined
    if (await this.#deps.hidesInvite(viewer.userId, row.sender)) return undefined
    const parts = [
      `"room_id":${JSON.stringify(row.roomId)}`,
      '"membership":"invite"',
      `"inviter":${JSON.stringify(row.sender)}`,
    ]
    const room = await store.rooms.byNid(row.room)
    const rules = room && rulesOf(room.version)
    const events = row.event === 0 || !rules ? [] : await store.events.byNids([row.event])
    if (rules && events.length > 0) {
      const [text] = await clientEvents.view(events, viewer, { rules, withoutRoomId: false })
      parts.push(`"invite":${text}`)
    }
    return `{${parts.join(',')}}`
  }
}

/** Whose presence it is stood in the content then. */
function presenceJson({ userId, content }: PresenceOf): string {
  return JSON.stringify({ type: 'm.presence', sender: userId, content: { ...content, user_id: userId } })
}

function dataJson(row: AccountDataRow): string {
  return `{"type":${JSON.stringify(row.type)},"content":${row.content}}`
}

/** A room that was left without ever having been in it, by a refused invite for example, has nothing to show. */
function hidden(error: unknown): undefined {
  if (error instanceof MatrixError && error.errcode === 'M_FORBIDDEN') return undefined
  throw error
}
