/** Who types where, in memory. https://spec.matrix.org/v1.19/client-server-api/#typing-notifications */
import type { Clock, Timer } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { TYPING_CHANGES_MAX, TYPING_MS_MAX, TYPING_PER_ROOM_MAX, TYPING_ROOMS_MAX } from './limits.ts'
import type { UserRooms } from './presence.ts'
import { ChangeLog, type EphemeralVersions } from './versions.ts'

interface TypingRoom {
  readonly users: Map<string, Timer>
  /** Content of `m.typing` as JSON text. */
  content: string
  version: number
}

/** Who types in a room, as the content of an `m.typing` event, and when that changed. */
export interface TypingState {
  readonly content: string
  readonly version: number
}

const NOBODY = '{"user_ids":[]}'

/** Told of each change of who types in a room. */
export type OnTyping = (room: number, version: number) => void

export class Typing {
  readonly #store: Store
  readonly #clock: Clock
  readonly #versions: EphemeralVersions
  /** By row id of the room; only rooms in which somebody types. */
  readonly #rooms = new Map<number, TypingRoom>()
  readonly #changes = new ChangeLog<number>(TYPING_CHANGES_MAX)
  readonly #listeners = new Set<OnTyping>()
  readonly #stop: () => void

  constructor(deps: { store: Store; clock: Clock; versions: EphemeralVersions }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#versions = deps.versions
    this.#stop = deps.store.onChange((changes) => {
      if (this.#rooms.size === 0) return
      for (const { event } of changes) if (event?.type === 'm.room.member') this.#memberMoved(event)
    })
  }

  close(): void {
    this.#stop()
    for (const { users } of this.#rooms.values()) for (const timer of users.values()) timer.cancel()
    this.#rooms.clear()
  }

  onChange(listener: OnTyping): void {
    this.#listeners.add(listener)
  }

  /** Somebody of this server begins to type, or goes on. Throws M_FORBIDDEN for who is not in the room. */
  async start(userId: string, roomId: string, timeoutMs: number): Promise<void> {
    this.put(await this.#joinedRoom(userId, roomId), userId, timeoutMs)
  }

  /** Somebody of this server stops typing. Throws M_FORBIDDEN for who is not in the room. */
  async end(userId: string, roomId: string): Promise<void> {
    this.remove(await this.#joinedRoom(userId, roomId), userId)
  }

  /** Notes a typing user, whose right to it was checked. */
  put(room: number, userId: string, timeoutMs: number): void {
    let state = this.#rooms.get(room)
    if (!state) {
      if (this.#rooms.size >= TYPING_ROOMS_MAX) return
      state = { users: new Map(), content: NOBODY, version: 0 }
      this.#rooms.set(room, state)
    }
    const { users } = state
    const before = users.get(userId)
    before?.cancel()
    const ms = Math.min(Math.max(timeoutMs, 1), TYPING_MS_MAX)
    users.set(
      userId,
      this.#clock.after(ms, () => this.remove(room, userId)),
    )
    if (before) return
    if (users.size > TYPING_PER_ROOM_MAX) drop(users, users.keys().next().value!)
    this.#changed(room, state)
  }

  /** Notes that a user types no more. */
  remove(room: number, userId: string): void {
    const state = this.#rooms.get(room)
    if (!state?.users.has(userId)) return
    drop(state.users, userId)
    if (state.users.size === 0) this.#rooms.delete(room)
    this.#changed(room, state)
  }

  /** Who types in a room now; a room in which nobody does has version 0. */
  of(room: number): TypingState {
    return this.#rooms.get(room) ?? { content: NOBODY, version: 0 }
  }

  /** Rooms of those given where it changed after a version who types; all of them when that is too long ago. */
  changedSince(version: number, rooms: ReadonlyMap<number, unknown>): number[] {
    const changed = this.#changes.since(version)
    if (!changed) return [...rooms.keys()]
    return [...changed].filter((room) => rooms.has(room))
  }

  /** Whether somebody types in one of the rooms that a user is joined to. */
  inAnyOf(rooms: UserRooms): boolean {
    for (const room of this.#rooms.keys()) if (rooms.get(room)?.membership === 'join') return true
    return false
  }

  #changed(room: number, state: TypingRoom): void {
    state.content = JSON.stringify({ user_ids: [...state.users.keys()] })
    state.version = this.#versions.next()
    this.#changes.push(state.version, room)
    for (const listener of this.#listeners) listener(room, state.version)
  }

  #memberMoved(event: EventRow): void {
    if (event.stateKey === null || !this.#rooms.get(event.room)?.users.has(event.stateKey)) return
    const { content } = JSON.parse(event.json) as { content: { membership?: unknown } }
    if (content.membership !== 'join') this.remove(event.room, event.stateKey)
  }

  async #joinedRoom(userId: string, roomId: string): Promise<number> {
    const room = await this.#store.rooms.byId(roomId)
    const membership = room && (await this.#store.rooms.membership(room.nid, userId))
    if (!room || membership?.membership !== 'join') {
      throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
    }
    return room.nid
  }
}

function drop(users: Map<string, Timer>, userId: string): void {
  users.get(userId)?.cancel()
  users.delete(userId)
}
