/** Reading one room: state, members, single events. */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { pduOfRow } from '../stored-event.ts'
import { accessRoom, type RoomAccess } from './access.ts'
import type { ClientEvents, Viewer } from './client-events.ts'
import { EVENTS_AT_ONCE } from './limits.ts'
import { parsePosition, parseTopological } from './tokens.ts'
import { canSee } from './visibility.ts'
import { visibleEvent } from './visible-event.ts'

export interface MembersQuery {
  readonly membership?: string | undefined
  readonly notMembership?: string | undefined
  /** A token of `/sync` or `/messages`: members as they were then. */
  readonly at?: string | undefined
}

export class RoomReads {
  readonly #store: Store
  readonly #clientEvents: ClientEvents
  readonly #ignored: IgnoredUsers
  readonly #clock: Clock

  constructor(deps: { store: Store; clientEvents: ClientEvents; ignored: IgnoredUsers; clock: Clock }) {
    this.#ignored = deps.ignored
    this.#store = deps.store
    this.#clock = deps.clock
    this.#clientEvents = deps.clientEvents
  }

  /** All state events as JSON texts. */
  async state(roomId: string, viewer: Viewer): Promise<string[]> {
    const access = await accessRoom(this.#store, roomId, viewer.userId)
    const rows = await this.#allState(access)
    return this.#clientEvents.view(rows, viewer, { rules: access.rules, withoutRoomId: false })
  }

  /** The event that holds a state key; its content alone, or the whole event as JSON text. */
  async stateEvent(
    roomId: string,
    type: string,
    stateKey: string,
    viewer: Viewer,
  ): Promise<{
    content: JsonObject
    event: () => Promise<string>
  }> {
    const access = await accessRoom(this.#store, roomId, viewer.userId)
    const { room, rules, stateUpto } = access
    const keys = [[type, stateKey] as const]
    const [row] =
      stateUpto === undefined
        ? await this.#store.state.current(room.nid, keys)
        : await this.#store.state.at(room.nid, { branch: 0, pos: stateUpto }, keys)
    if (!row) throw new MatrixError('M_NOT_FOUND', 'The room has no such state.')
    return {
      content: pduOfRow(row, rules).content,
      event: async () => (await this.#clientEvents.view([row], viewer, { rules, withoutRoomId: false }))[0]!,
    }
  }

  /** Member events as JSON texts. */
  async members(roomId: string, viewer: Viewer, query: MembersQuery): Promise<string[]> {
    const access = await accessRoom(this.#store, roomId, viewer.userId)
    const rows = await this.#memberRows(access, viewer, query.at)
    const all = query.membership === undefined && query.notMembership === undefined
    const wanted: EventRow[] = all ? rows : []
    if (!all) {
      await this.#forEach(rows, (row) => {
        if (wantsMembership(query, contentOf(row).membership)) wanted.push(row)
      })
    }
    return this.#clientEvents.view(wanted, viewer, { rules: access.rules, withoutRoomId: false })
  }

  /** Profiles of the joined members by user id. Only for members. */
  async joinedMembers(roomId: string, viewer: Viewer): Promise<Record<string, object>> {
    const access = await accessRoom(this.#store, roomId, viewer.userId)
    if (access.membership?.membership !== 'join') {
      throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
    }
    const joined: [string, object][] = []
    await this.#forEach(await this.#store.state.currentAll(access.room.nid, 'm.room.member'), (row) => {
      const { membership, displayname, avatar_url } = contentOf(row)
      if (membership !== 'join' || row.stateKey === null) return
      const profile: Record<string, string> = {}
      if (typeof displayname === 'string') profile['display_name'] = displayname
      /* The answer's form is specified, the event's content is not ours to judge. */
      if (typeof avatar_url === 'string' && avatar_url.startsWith('mxc://'))
        profile['avatar_url'] = avatar_url
      joined.push([row.stateKey, profile])
    })
    return Object.fromEntries(joined)
  }

  /**
   * One event as JSON text, of whatever room where none is named. Throws M_NOT_FOUND also for events that the user
   * may not see.
   */
  async event(roomId: string | undefined, eventId: string, viewer: Viewer): Promise<string> {
    const at = { roomId, eventId }
    const { row, membership, rules } = await visibleEvent(this.#store, this.#ignored, at, viewer.userId)
    const view = { rules, withoutRoomId: false, membershipAt: () => membership }
    return (await this.#clientEvents.view([row], viewer, view))[0]!
  }

  /** Looks at rows without holding the event loop for long. */
  async #forEach(rows: readonly EventRow[], look: (row: EventRow) => void): Promise<void> {
    for (let i = 0; i < rows.length; i += EVENTS_AT_ONCE) {
      if (i > 0) await turn(this.#clock)
      for (const row of rows.slice(i, i + EVENTS_AT_ONCE)) look(row)
    }
  }

  #allState(access: RoomAccess): Promise<EventRow[]> {
    const { room, stateUpto } = access
    if (stateUpto === undefined) return this.#store.state.currentAll(room.nid)
    return this.#store.state.eventsAt(room.nid, { branch: 0, pos: stateUpto })
  }

  async #memberRows(access: RoomAccess, viewer: Viewer, at: string | undefined): Promise<EventRow[]> {
    const { room, stateUpto } = access
    const asked = at === undefined ? undefined : await this.#pointAt(access, viewer, at)
    const left = stateUpto === undefined ? undefined : { branch: 0, pos: stateUpto }
    const point = asked && left && asked.pos > left.pos ? left : (asked ?? left)
    if (!point) return this.#store.state.currentAll(room.nid, 'm.room.member')
    const rows = await this.#store.state.eventsAt(room.nid, point)
    return rows.filter((row) => row.type === 'm.room.member')
  }

  /** The state that a token stands for. Throws M_FORBIDDEN for a time of which the reader may see nothing. */
  async #pointAt({ room, rules, stateUpto }: RoomAccess, viewer: Viewer, at: string): Promise<StatePoint> {
    const { events, state, epoch } = this.#store
    const stream = parsePosition(at)
    const topological = parseTopological(at)
    if ((stream ?? topological)?.epoch !== epoch) {
      throw new MatrixError('M_INVALID_PARAM', 'The token in `at` is not one of this server.')
    }
    const upto = Math.min(stream?.position ?? 0, stateUpto ?? Number.MAX_SAFE_INTEGER)
    const [before] = topological
      ? await events.topological({ room: room.nid, from: topological, dir: 'b', limit: 1 })
      : await events.timeline({ room: room.nid, after: 0, upto, dir: 'b', limit: 1 })
    if (before && !(await canSee(this.#store, before, viewer.userId, rules))) {
      throw new MatrixError('M_FORBIDDEN', 'You may not see the members of that time.')
    }
    if (!topological) return { branch: 0, pos: upto }
    const [next] = await events.topological({ room: room.nid, from: topological, dir: 'f', limit: 1 })
    const point = next && (await state.pointBefore(next.nid))
    return point ?? { branch: 0, pos: this.#store.position() }
  }
}

/** With both given either suffices. https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidmembers */
function wantsMembership({ membership, notMembership }: MembersQuery, present: unknown): boolean {
  if (membership === undefined) return notMembership === undefined || present !== notMembership
  return present === membership || (notMembership !== undefined && present !== notMembership)
}

interface MemberContent {
  readonly membership?: unknown
  readonly displayname?: unknown
  readonly avatar_url?: unknown
}

function contentOf(row: EventRow): MemberContent {
  return (JSON.parse(row.json) as { content: MemberContent }).content
}
