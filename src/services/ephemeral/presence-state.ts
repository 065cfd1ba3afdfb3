/** A user's presence, made of that of their devices. Pure: the time is always given. */
import type { JsonObject } from '#/protocol/json/value.ts'
import { PRESENCE_DEVICES_MAX } from './limits.ts'

export type PresenceName = 'online' | 'unavailable' | 'offline'

/** Milliseconds. */
export interface PresenceTimes {
  /** How long after an activity a user is "currently active". */
  readonly activeMs: number
  /** How long after the last sync a device goes offline. */
  readonly onlineMs: number
  /** How long after the last activity a device becomes idle. */
  readonly idleMs: number
}

interface Device {
  state: PresenceName
  /** Requests for news that are under way. */
  syncing: number
  /** When it last asked for news, or set its presence. */
  seen: number
  /** When its user last did something. */
  active: number
}

const ORDER: readonly PresenceName[] = ['offline', 'unavailable', 'online']

export class UserPresence {
  readonly #devices = new Map<string, Device>()
  state: PresenceName = 'offline'
  status: string | undefined
  /** When the user was last active; undefined for never. */
  lastActive: number | undefined
  currentlyActive = false
  /** Version of the newest change that others are told of. */
  version = 0

  /** Whether nobody need look after this user as time goes by. */
  get atRest(): boolean {
    return this.#devices.size === 0 && this.state === 'offline'
  }

  /** What a device does or says; `seen` for what counts as being connected. */
  device(id: string, now: number, state?: PresenceName): void {
    const known = this.#devices.get(id)
    if (!known && this.#devices.size >= PRESENCE_DEVICES_MAX) {
      this.#devices.delete(this.#devices.keys().next().value!)
    }
    const device = known ?? { state: 'offline', syncing: 0, seen: now, active: 0 }
    this.#devices.delete(id)
    this.#devices.set(id, device)
    device.seen = now
    if (state !== undefined) device.state = state
    if (device.state === 'online') device.active = now
    /* That somebody appears for the first time is something that they did, also where their client calls them idle. */
    if (device.state === 'online' || this.lastActive === undefined) this.lastActive = now
  }

  /** The user did something with a device: an idle one is online again. Says nothing of who is invisible. */
  activity(id: string, now: number): void {
    const device = this.#devices.get(id)
    this.lastActive = now
    if (!device) return
    device.active = now
    if (device.state === 'unavailable') device.state = 'online'
  }

  /** A request for news begins (+1) or ends (-1). */
  syncing(id: string, by: 1 | -1, now: number): void {
    const device = this.#devices.get(id)
    if (!device) return
    device.syncing = Math.max(0, device.syncing + by)
    device.seen = now
  }

  /** State of a device as it is known. */
  stateOf(id: string): PresenceName | undefined {
    return this.#devices.get(id)?.state
  }

  /** Lets time go by and adds the devices up. Whether others must be told of a change. */
  update(now: number, times: PresenceTimes): boolean {
    let best = 0
    for (const [id, device] of this.#devices) {
      if (device.state === 'online' && now - device.active >= times.idleMs) device.state = 'unavailable'
      if (device.syncing === 0 && now - device.seen >= times.onlineMs) this.#devices.delete(id)
      else best = Math.max(best, ORDER.indexOf(device.state))
    }
    const state = ORDER[best]!
    const currentlyActive = state === 'online' && now - (this.lastActive ?? 0) < times.activeMs
    const moved = state !== this.state || currentlyActive !== this.currentlyActive
    this.state = state
    this.currentlyActive = currentlyActive
    return moved
  }

  /** The content of `m.presence`, and the answer to whoever asks. */
  content(now: number): JsonObject {
    return {
      presence: this.state,
      ...(this.lastActive === undefined ? {} : { last_active_ago: Math.max(0, now - this.lastActive) }),
      ...(this.status === undefined ? {} : { status_msg: this.status }),
      ...(this.state === 'online' ? { currently_active: this.currentlyActive } : {}),
    }
  }
}
