/** Which members each device was already told of, so that lazy loading does not repeat them. */
import { Lru } from '#/base/lru.ts'

/** Rooms of devices that are remembered; a forgotten one is told again, which is allowed. */
const REMEMBERED_MAX = 20_000
/** Members remembered per room and device. */
const MEMBERS_MAX = 500

export class LazyMembers {
  readonly #told = new Lru<string, Map<string, number>>(REMEMBERED_MAX)

  /**
   * Members that the device has been told of, with the position of the answer that told. An answer behind the
   * position from which the device goes on now never reached it, so what only that one said does not count.
   */
  of(
    device: {
      readonly userId: string
      readonly deviceId: string
      readonly since: number | undefined
      readonly confirmed?: number | undefined
    },
    room: number,
  ): Map<string, number> {
    const key = `${device.userId}\0${device.deviceId}\0${room}`
    const known = this.#told.get(key)
    if (known && known.size < MEMBERS_MAX) {
      const reached = device.confirmed ?? device.since ?? 0
      for (const [member, position] of known) if (position > reached) known.delete(member)
      return known
    }
    const fresh = new Map<string, number>()
    this.#told.set(key, fresh)
    return fresh
  }
}
