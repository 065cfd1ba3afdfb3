/** The rules of rooms by row id: kept, because the version of a room never changes. */
import { Lru } from '#/base/lru.ts'
import type { Store } from '#/ports/store/store.ts'
import { type RoomVersionRules, rulesOf } from '#/protocol/room-version/rules.ts'
import { ROOM_RULES_MAX } from './limits.ts'

export class RoomRules {
  readonly #store: Store
  readonly #known = new Lru<number, RoomVersionRules>(ROOM_RULES_MAX)

  constructor(store: Store) {
    this.#store = store
  }

  /** The rules of a room that is known here. */
  known(room: number): RoomVersionRules | undefined {
    return this.#known.get(room)
  }

  /** Undefined for a room that is gone and for a version that this release does not know. */
  async of(room: number, reads: Store = this.#store): Promise<RoomVersionRules | undefined> {
    const known = this.#known.get(room)
    if (known) return known
    const row = await reads.rooms.byNid(room)
    const rules = row && rulesOf(row.version)
    if (rules) this.#known.set(room, rules)
    return rules
  }
}
