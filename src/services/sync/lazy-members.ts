/** Which members each device was already told of, so that lazy loading does not repeat them. */
import { Lru } from '#/base/lru.ts'

/** Rooms of devices that are remembered; a forgotten one is told again, which is allowed. */
const REMEMBERED_MAX = 20_000
/** Members remembered per room and device. */
const MEMBERS_MAX = 500

export class LazyMembers {
  readonly #told = new Lru<string, Set<string>>(REMEMBERED_MAX)

  of(device: string, user: string, room: number): Set<string> {
    const key = `${user}\0${device}\0${room}`
    const known = this.#told.get(key)
    if (known && known.size < MEMBERS_MAX) return known
    const fresh = new Set<string>()
    this.#told.set(key, fresh)
    return fresh
  }
}
