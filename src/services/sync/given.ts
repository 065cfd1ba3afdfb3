/** Up to where devices may have been given their messages, in this life of the server or before. */
import { Lru } from '#/base/lru.ts'
import type { GivenMarks } from '../e2ee/to-device.ts'
import { GIVEN_USERS_MAX } from './limits.ts'

export class Given implements GivenMarks {
  /** Whoever is not known was given nothing behind it. */
  #floor: number
  readonly #users = new Lru<string, Map<string, number>>(GIVEN_USERS_MAX)
  readonly #held = new Map<string, Promise<unknown>>()

  /** `position` is that of the store at the start: up to it anything may have been given by an earlier life. */
  constructor(position: number) {
    this.#floor = position
  }

  of(user: string): { floor: number; devices: ReadonlyMap<string, number> } {
    return { floor: this.#floor, devices: this.#users.peek(user) ?? new Map() }
  }

  /** A device is about to be given messages up to a position. */
  note(user: string, device: string, upto: number): void {
    let devices = this.#users.get(user)
    if (!devices) {
      /* Somebody is forgotten for lack of room, who may have been given anything so far. */
      if (this.#users.size >= GIVEN_USERS_MAX) this.#floor = Math.max(this.#floor, upto)
      devices = new Map()
      this.#users.set(user, devices)
    }
    devices.set(device, Math.max(upto, devices.get(device) ?? 0))
  }

  hold(users: ReadonlySet<string>, done: Promise<unknown>): void {
    /* Its failure is for whoever made the plan. */
    const settled = done.then(
      () => {},
      () => {},
    )
    for (const user of users) {
      const until = Promise.all([this.#held.get(user), settled])
      this.#held.set(user, until)
      void until.then(() => {
        if (this.#held.get(user) === until) this.#held.delete(user)
      })
    }
  }

  /** Waits for plans that take requests of a user back. */
  async free(user: string): Promise<void> {
    for (let held = this.#held.get(user); held; held = this.#held.get(user)) await held
  }
}
