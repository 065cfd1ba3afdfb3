/** Which members each device was already told of, so that lazy loading does not repeat them. */
import { WeightedLru } from '#/base/weighted-lru.ts'
import { LAZY_MEMBERS_BYTES_MAX, LAZY_MEMBERS_MAX } from './limits.ts'

/** Bytes of a room of a device and of a member in it, roughly. */
const ROOM_BYTES = 300
const MEMBER_BYTES = 120

const weightOf = (members: ReadonlyMap<string, number>): number => ROOM_BYTES + MEMBER_BYTES * members.size

export class LazyMembers {
  readonly #told: WeightedLru<string, Map<string, number>>

  constructor(bytes: number = LAZY_MEMBERS_BYTES_MAX) {
    this.#told = new WeightedLru(bytes)
  }

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
    if (known && known.size < LAZY_MEMBERS_MAX) {
      /* With those who were told by the answer before. */
      this.#told.weigh(key, weightOf(known))
      const reached = device.confirmed ?? device.since ?? 0
      for (const [member, position] of known) if (position > reached) known.delete(member)
      return known
    }
    const fresh = new Map<string, number>()
    this.#told.set(key, fresh, weightOf(fresh))
    return fresh
  }
}
