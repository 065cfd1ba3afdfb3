/**
 * Whose devices or keys changed for a user, and with whom they share no room any more. docs/decisions/0016-keys.md
 * https://spec.matrix.org/v1.19/client-server-api/#extensions-to-sync
 */
import { type Clock, turn } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { type ActiveUser, MOVED, NO_ROOM } from './active-user.ts'
import { ROOMS_AT_ONCE, UNENCRYPTED_FACES_MAX } from './limits.ts'
import { leftAt, membershipAt, wasJoined } from './own-membership.ts'

/** User ids. */
export interface DeviceListNews {
  readonly changed: readonly string[]
  readonly left: readonly string[]
}

const NOTHING: DeviceListNews = { changed: [], left: [] }

/** Users who came into rooms of the reader, and who went out of them. */
interface Faces {
  readonly came: Set<string>
  readonly went: Set<string>
  /** Whether somebody may have gone and come back: what changed meanwhile is not among what is remembered. */
  mayHaveReturned: boolean
}

export class DeviceLists {
  readonly #store: Store
  readonly #clock: Clock

  constructor(deps: { store: Store; clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /** News in (since, now]. Costs nothing where neither devices nor members of rooms changed. */
  async between(user: ActiveUser, since: number, now: number): Promise<DeviceListNews> {
    const moved = user.movedSince(since)
    const rooms = moved ? roomsWithMembers(moved) : await this.#roomsSince(user, since)
    const devices = moved === undefined || ((moved.get(NO_ROOM) ?? 0) & MOVED.devices) !== 0
    if (rooms.length === 0 && !devices) return NOTHING
    const { keys } = this.#store
    const { came, went, mayHaveReturned } = await this.#faces(user, rooms, since, now)
    const known = mayHaveReturned ? undefined : user.deviceListsSince(since, now)
    const asked = devices || mayHaveReturned
    const changed = new Set(asked ? (known ?? (await keys.changed(user.userId, since, now))) : [])
    came.delete(user.userId)
    went.delete(user.userId)
    if (came.size > 0) {
      const before = new Set(await keys.sharing(user.userId, [...came], rooms))
      for (const userId of came) if (!before.has(userId)) changed.add(userId)
    }
    if (went.size === 0) return { changed: [...changed], left: [] }
    const still = new Set(await keys.sharing(user.userId, [...went], []))
    const left = [...went].filter((userId) => !still.has(userId))
    for (const userId of left) changed.delete(userId)
    return { changed: [...changed], left }
  }

  /** Rooms in which members may have moved after a position that is too long ago to remember. */
  async #roomsSince(user: ActiveUser, since: number): Promise<number[]> {
    const rooms = new Set<number>()
    for (const { room, latest } of await this.#store.rooms.lastArrivals(user.userId)) {
      if (latest > since) rooms.add(room)
    }
    for (const [room, { membership, position }] of user.memberships) {
      if (membership !== 'join' && position > since) rooms.add(room)
    }
    return [...rooms]
  }

  async #faces(user: ActiveUser, rooms: readonly number[], since: number, now: number): Promise<Faces> {
    const faces: Faces = { came: new Set(), went: new Set(), mayHaveReturned: false }
    for (let at = 0; at < rooms.length; at += ROOMS_AT_ONCE) {
      if (at > 0) await turn(this.#clock)
      const some = rooms.slice(at, at + ROOMS_AT_ONCE)
      await Promise.all(some.map((room) => this.#facesOf(user, room, since, now, faces)))
    }
    return faces
  }

  async #facesOf(user: ActiveUser, room: number, since: number, now: number, faces: Faces): Promise<void> {
    const { userId } = user
    const here = await membershipAt(this.#store, user, room, now)
    const isIn = here?.membership === 'join'
    const wasIn = (isIn && here.position <= since) || (await wasJoined(this.#store, userId, room, since))
    if (isIn && !wasIn) for (const other of await this.#met(room, now)) faces.came.add(other)
    if (!wasIn) return
    const end = here && !isIn ? await leftAt(this.#store, userId, room, here, since) : now
    await this.#moves(room, since, end, faces)
    if (isIn) return
    for (const other of await this.#joined(room, end, Number.MAX_SAFE_INTEGER)) faces.went.add(other)
  }

  /** Everybody in a room that is new to the reader; nobody where it is large and needs no device lists. */
  async #met(room: number, at: number): Promise<Iterable<string>> {
    const [facts] = await this.#store.roomFacts.of([room])
    const most = facts?.encrypted ? Number.MAX_SAFE_INTEGER : UNENCRYPTED_FACES_MAX
    const joined = await this.#joined(room, at, most + 1)
    return joined.size > most ? [] : joined
  }

  /** Who was joined at a position: nobody hears of those who came after they left themselves (adv-52). */
  async #joined(room: number, at: number, most: number): Promise<Set<string>> {
    const joined = new Set(await this.#store.keys.joined(room, most))
    const later: Faces = { came: new Set(), went: new Set(), mayHaveReturned: false }
    await this.#moves(room, at, this.#store.position(), later)
    for (const other of later.went) joined.add(other)
    for (const other of later.came) joined.delete(other)
    return joined
  }

  /** Members who came and went in (since, upto]. */
  async #moves(room: number, since: number, upto: number, faces: Faces): Promise<void> {
    const { came, went } = faces
    const all = await this.#store.state.difference(room, { branch: 0, pos: since }, { branch: 0, pos: upto })
    const members = all.filter(({ type }) => type === 'm.room.member')
    if (members.length === 0) return
    const events = members.flatMap(({ from, to }) => [from, to]).filter((event) => event > 0)
    const joins = new Map((await this.#store.keys.joins(events)).map(({ event, join }) => [event, join]))
    for (const { stateKey, from, to } of members) {
      const before = joins.get(from) ?? false
      const after = joins.get(to) ?? false
      if (after && !before) came.add(stateKey)
      if (before && !after) went.add(stateKey)
      if (before && after) faces.mayHaveReturned = true
    }
  }
}

function roomsWithMembers(moved: ReadonlyMap<number, number>): number[] {
  const rooms: number[] = []
  for (const [room, what] of moved) if (room !== NO_ROOM && (what & MOVED.members) !== 0) rooms.push(room)
  return rooms
}
