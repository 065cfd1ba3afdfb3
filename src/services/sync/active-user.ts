/** What is kept ready of a user who syncs: memberships, and which rooms changed lately. */
import type { Membership } from '#/ports/store/rooms.ts'
import type { Inbox } from './inbox.ts'
import {
  CHANGES_PER_USER,
  CLAIMED_DEVICES_KEPT,
  DEVICE_NEWS_PER_USER,
  WAITING_PER_USER_MAX,
} from './limits.ts'
import type { Wake } from './wait.ts'

export interface KnownMembership {
  readonly roomId: string
  readonly membership: Membership
  readonly position: number
  /** Devices that have not heard of the leaving are still told of it; nobody else sees the room. */
  readonly forgotten?: boolean
  /** Whether the user did it, and nobody else. */
  readonly bySelf?: boolean
  /** Who invited, of an invite. */
  readonly inviter?: string | undefined
  /** The user's knock that the invite answers. */
  readonly knock?: KnownMembership | undefined
}

/** What moved in a room, as bits. `counts` stands for the user's own receipts, which change what is unread. */
export const MOVED = {
  events: 1,
  data: 2,
  receipts: 4,
  everything: 23,
  threads: 8,
  counts: 16,
  /** Somebody's membership, beside `events`. */
  members: 32,
  /** Device lists, in no room. */
  devices: 64,
  /** Somebody's member event that leaves them in or out as before, as with a new name, beside `events`. */
  names: 128,
} as const

/** Stands for news that is not in a room: account data and the like. */
export const NO_ROOM = 0

export class ActiveUser {
  readonly userId: string
  /** By room row id. */
  readonly memberships: Map<number, KnownMembership>
  /** Every change after it is in `#changes`. */
  #floor: number
  /** Position, room and what moved, ascending by position. */
  #changes: { readonly position: number; readonly room: number; readonly what: number }[] = []
  readonly #waiting = new Set<Wake>()

  /** `ephemeral` is the newest version of typing and presence so far, all of which may concern the user. */
  constructor(userId: string, memberships: Map<number, KnownMembership>, floor: number, ephemeral = 0) {
    this.userId = userId
    this.memberships = memberships
    this.#floor = floor
    this.#deviceFloor = floor
    this.#ephemeral = ephemeral
  }

  /** Notes news of a room; `what` is of MOVED. */
  touch(position: number, room: number, what: number = MOVED.events): void {
    this.#changes.push({ position, room, what })
    if (this.#changes.length > CHANGES_PER_USER) {
      const dropped = this.#changes.splice(0, CHANGES_PER_USER / 2)
      this.#floor = dropped.at(-1)!.position
    }
  }

  /** Rooms with news after a position; undefined when that is too long ago to remember. */
  changedSince(since: number): Set<number> | undefined {
    const moved = this.movedSince(since)
    return moved && new Set(moved.keys())
  }

  /** Rooms with news after a position, and what moved there; undefined when that is too long ago to remember. */
  movedSince(since: number): Map<number, number> | undefined {
    if (since < this.#floor) return undefined
    const rooms = new Map<number, number>()
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const { position, room, what } = this.#changes[i]!
      if (position <= since) break
      rooms.set(room, (rooms.get(room) ?? 0) | what)
    }
    return rooms
  }

  /** Newest version of typing and presence that may concern the user. */
  #ephemeral: number

  /** Notes news of typing or presence. */
  touchEphemeral(version: number): void {
    if (version > this.#ephemeral) this.#ephemeral = version
  }

  /** Whether somebody whom the user sees may type, or be online, otherwise than at a version. */
  hasEphemeralSince(version: number): boolean {
    return this.#ephemeral > version
  }

  /** Every changed device list after it is in `#deviceNews`. */
  #deviceFloor: number
  #deviceNews: { readonly position: number; readonly userId: string }[] = []

  /** Notes that the devices or keys of somebody changed whom the user sees. */
  touchDevices(position: number, userId: string): void {
    this.#deviceNews.push({ position, userId })
    if (this.#deviceNews.length > DEVICE_NEWS_PER_USER) {
      const dropped = this.#deviceNews.splice(0, DEVICE_NEWS_PER_USER / 2)
      this.#deviceFloor = dropped.at(-1)!.position
    }
    this.touch(position, NO_ROOM, MOVED.devices)
  }

  /** Users whose device lists changed in (since, upto]; undefined when that is too long ago to remember. */
  deviceListsSince(since: number, upto: number): string[] | undefined {
    if (since < this.#deviceFloor) return undefined
    const users = new Set<string>()
    for (let i = this.#deviceNews.length - 1; i >= 0; i--) {
      const { position, userId } = this.#deviceNews[i]!
      if (position <= since) break
      if (position <= upto) users.add(userId)
    }
    return [...users]
  }

  /** When keys of the user's devices were claimed last, by device. */
  readonly #claimed = new Map<string, number>()

  /** Notes that somebody claimed a key of one of the user's devices. */
  touchKeys(position: number, deviceId: string): void {
    this.#claimed.delete(deviceId)
    this.#claimed.set(deviceId, position)
    if (this.#claimed.size > CLAIMED_DEVICES_KEPT) this.#claimed.delete(this.#claimed.keys().next().value!)
    this.touch(position, NO_ROOM, MOVED.devices)
  }

  /** Whether a key of a device was claimed after a position, as far as is remembered. */
  keysClaimedSince(deviceId: string, since: number): boolean {
    return (this.#claimed.get(deviceId) ?? 0) > since
  }

  /** Account data moved at this position last. */
  #data = 0

  /** Notes a change of account data, of a room or global. */
  touchData(position: number, room: number): void {
    this.#data = position
    this.touch(position, room, MOVED.data)
  }

  /** Whether account data may have changed after a position. */
  dataChangedSince(since: number): boolean {
    return this.#data > since || since < this.#floor
  }

  /** Whether there is news after a position, or it is too long ago to tell. */
  hasNewsSince(since: number): boolean {
    return since < this.#floor || (this.#changes.at(-1)?.position ?? 0) > since
  }

  /** Inboxes of those devices that sync, by device id. */
  readonly inboxes = new Map<string, Inbox>()

  /** How many rooms were forgotten while the user is kept ready; what has seen fewer is out of date. */
  forgets = 0

  /** Takes a room that the user is out of from sight. */
  forget(room: number): void {
    const known = this.memberships.get(room)
    if (known?.membership !== 'leave' && known?.membership !== 'ban') return
    this.memberships.set(room, { ...known, forgotten: true })
    this.forgets++
  }

  /** When it became the youngest of the users kept ready, as the feed counts. */
  at = 0

  /** Requests that use this object; while there are any it stays the one that hears of news. */
  busy = 0

  /** Whether a request waits for news. */
  get awaited(): boolean {
    return this.#waiting.size > 0
  }

  /**
   * Calls `wake` once at the next news, unless `stopWaiting` is told of it before. Where too many wait, the one who has
   * waited longest is told so.
   */
  wait(wake: Wake): void {
    if (this.#waiting.size >= WAITING_PER_USER_MAX) {
      const oldest = this.#waiting.values().next().value
      if (oldest) {
        this.#waiting.delete(oldest)
        oldest(true)
      }
    }
    this.#waiting.add(wake)
  }

  stopWaiting(wake: Wake): void {
    this.#waiting.delete(wake)
  }

  /** How often a session of the user has ended, or may have. */
  endings = 0

  /** Wakes all who wait, because a session has ended: perhaps theirs. */
  sessionEnded(): void {
    this.endings++
    this.wake()
  }

  wake(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const call of waiting) call()
  }
}
