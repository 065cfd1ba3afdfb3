/** Local members of rooms for whom more is to be done with an event than to count it. */
import type { PushUserRow } from '#/ports/store/push.ts'
import type { Store } from '#/ports/store/store.ts'
import type { LiveRoom } from '../rooms/live-room.ts'
import { FOLLOWED_ROOMS_MAX } from './limits.ts'

interface Followed {
  readonly users: Map<string, PushUserRow>
  /** Users who may follow by now; looked up at the next event. */
  readonly unsure: Set<string>
}

/** Kept with the room as its owner holds it, so that whatever makes the owner read the room anew makes this anew. */
export class Followers {
  readonly #of = new WeakMap<LiveRoom, Followed>()
  readonly #live = new Map<number, LiveRoom>()

  /** Those of a room. Runs in the room's turn. */
  async of(room: LiveRoom, store: Store): Promise<ReadonlyMap<string, PushUserRow>> {
    const known = this.#of.get(room)
    if (!known) return this.#load(room, store)
    for (const user of known.unsure) {
      known.unsure.delete(user)
      const row = await store.push.user(user)
      if (row) known.users.set(user, row)
      else known.users.delete(user)
    }
    return known.users
  }

  async #load(room: LiveRoom, store: Store): Promise<ReadonlyMap<string, PushUserRow>> {
    /* Joins that are on their way must be among those read. */
    await room.tail?.catch(() => {
      /* Its writer hears of it. */
    })
    const users = new Map<string, PushUserRow>()
    for (const row of await store.push.followers(room.nid)) users.set(row.user, row)
    this.#of.set(room, { users, unsure: new Set() })
    this.#live.delete(room.nid)
    this.#live.set(room.nid, room)
    for (const [nid, oldest] of this.#live) {
      if (this.#live.size <= FOLLOWED_ROOMS_MAX) break
      this.#live.delete(nid)
      this.#of.delete(oldest)
    }
    return users
  }

  /** A local user comes into the room. */
  enter(room: LiveRoom, user: string): void {
    this.#of.get(room)?.unsure.add(user)
  }

  /** A local user is out of the room. */
  exit(room: LiveRoom, user: string): void {
    const known = this.#of.get(room)
    known?.users.delete(user)
    known?.unsure.delete(user)
  }

  /** Rules or pushers of a user changed: their rooms look again. */
  async changed(user: string, store: Store): Promise<void> {
    for (const { room, membership } of await store.rooms.membershipsOf(user)) {
      const live = membership === 'join' ? this.#live.get(room) : undefined
      if (live) this.#of.get(live)?.unsure.add(user)
    }
  }
}
