/**
 * Follows the store's changes: keeps the recent events of rooms and the memberships of users who sync, and wakes
 * whoever waits. Facts are rows; what is lost here costs a read, never data.
 */

import { SingleFlight } from '#/base/async/single-flight.ts'
import { Slices } from '#/base/async/slices.ts'
import { Recency } from '#/base/recency.ts'
import { WeightedLru } from '#/base/weighted-lru.ts'
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Change } from '#/ports/store/plan.ts'
import type { Membership } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import type { PresenceNews } from '../ephemeral/presence.ts'
import { ActiveUser, type KnownMembership, MOVED, NO_ROOM } from './active-user.ts'
import { answeredKnocks } from './answered-knock.ts'
import { ACTIVE_USERS_MAX, FEED_USERS_PER_TURN, FEED_WAKES_PER_TURN, RECENT_BYTES_DEFAULT } from './limits.ts'
import { RecentEvents } from './recent-events.ts'

/** Row id of a room that a user forgot. */
interface Forgotten {
  readonly forgotten: number
}

export class Feed {
  readonly #store: Store
  readonly #clock: Clock
  readonly #wakes: Slices
  /** Users for whom a turn to be woken is awaited. */
  readonly #toWake = new Set<ActiveUser>()
  readonly #users = new Map<string, ActiveUser>()
  /** Users kept ready, by the room they are joined to. */
  readonly #byRoom = new Map<number, Set<ActiveUser>>()
  readonly #rooms: WeightedLru<number, RecentEvents>
  readonly #loading = new SingleFlight<string, ActiveUser>()
  /** Changes that came while users were loading, by user. */
  readonly #during = new Map<string, (Change | Forgotten)[]>()
  readonly #stop: () => void

  /** The newest version of typing and presence that was told. */
  #ephemeral = 0

  /** Counts how often a user became the youngest of `#users`. */
  readonly #recency = new Recency()

  constructor(store: Store, clock: Clock, cacheBytes: number = RECENT_BYTES_DEFAULT) {
    this.#clock = clock
    this.#wakes = new Slices(clock, FEED_WAKES_PER_TURN)
    this.#rooms = new WeightedLru(cacheBytes)
    this.#store = store
    this.#stop = store.onChange((changes) => this.#take(changes))
  }

  /** Position up to which everything can be read. */
  get position(): number {
    return this.#store.position()
  }

  /** Whether the server stops, so that nobody should wait. */
  stopping = false

  /** Wakes everybody who waits and lets nobody wait any more. */
  stopWaiting(): void {
    this.stopping = true
    for (const user of this.#users.values()) user.wake()
  }

  /** Lets those who wait for news of a user find out whether they still may. */
  sessionEnded(userId: string): void {
    this.#users.get(userId)?.sessionEnded()
  }

  close(): void {
    this.#stop()
    this.stopWaiting()
  }

  /** What is kept ready of a user; loaded when new. */
  async user(userId: string): Promise<ActiveUser> {
    return this.known(userId) ?? this.#loading.run(userId, () => this.#load(userId))
  }

  /** The same, where it is kept already. */
  known(userId: string): ActiveUser | undefined {
    const known = this.#users.get(userId)
    if (!known) return undefined
    this.#recency.touch(this.#users, userId, known, ACTIVE_USERS_MAX >> 2)
    return known
  }

  /** Memberships of a user, who is not kept ready for it. */
  async roomsOf(userId: string): Promise<ReadonlyMap<number, KnownMembership>> {
    const known = this.#users.get(userId)
    if (known) return known.memberships
    const rows = await this.#store.rooms.membershipsOf(userId)
    return new Map(rows.map((row) => [row.room, row]))
  }

  /** Takes a room out of the user's sight after it was forgotten. */
  forget(userId: string, room: number): void {
    this.#users.get(userId)?.forget(room)
    this.#during.get(userId)?.push({ forgotten: room })
  }

  /** Reads the events of a room anew when they are needed, because some are gone. */
  forgetEvents(room: number): void {
    this.#rooms.delete(room)
  }

  /** Events of a room in (after, upto], newest first, where they are kept ready. */
  kept(room: number, after: number, upto: number, limit: number): EventRow[] | undefined {
    return this.#rooms.get(room)?.newest(after, upto, limit)
  }

  /** Events of a room in (after, upto], newest first; those that are not kept from `reads`. */
  async newest(
    room: number,
    after: number,
    upto: number,
    limit: number,
    reads: Store = this.#store,
  ): Promise<EventRow[]> {
    return (
      this.kept(room, after, upto, limit) ?? reads.events.timeline({ room, after, upto, limit, dir: 'b' })
    )
  }

  async #load(userId: string): Promise<ActiveUser> {
    this.#during.set(userId, [])
    try {
      const floor = this.#store.position()
      const rows = await this.#store.rooms.membershipsOf(userId, true)
      const knocks = await answeredKnocks(this.#store, rows)
      const memberships = new Map<number, KnownMembership>()
      for (const row of rows) {
        const { room, roomId, membership, position, forgotten, sender } = row
        const inviter = membership === 'invite' ? sender : undefined
        const bySelf = sender === userId
        const knock = knocks.get(room)
        memberships.set(room, { roomId, membership, position, forgotten, bySelf, inviter, knock })
      }
      const user = new ActiveUser(userId, memberships, floor, this.#ephemeral)
      this.#makeRoom()
      user.at = this.#recency.next()
      this.#users.set(userId, user)
      for (const [room, { membership }] of memberships) if (membership === 'join') this.#enter(room, user)
      for (const change of this.#during.get(userId) ?? []) this.#catchUp(user, change)
      return user
    } finally {
      this.#during.delete(userId)
    }
  }

  /** A change that came while the user was loading, for that user alone: everything else has taken it already. */
  #catchUp(user: ActiveUser, change: Change | Forgotten): void {
    if ('forgotten' in change) {
      user.forget(change.forgotten)
      return
    }
    const { stream, position, room, event } = change
    if (stream === 'events' && room !== undefined && event !== undefined) {
      const own = event.type === 'm.room.member' && event.stateKey === user.userId
      if (own) this.#moveMember(user, event, new Set())
      if (user.memberships.get(room)?.membership === 'join') user.touch(position, room, movedByEvent(event))
    } else if (stream === 'rooms') {
      this.#takeOpened(user, change)
    } else if (stream === 'device_lists' && change.user !== undefined) {
      if (seesDevices(user, change)) user.touchDevices(position, change.user)
    } else if (stream === 'one_time_keys' && change.claimed && change.user === user.userId) {
      user.touchKeys(position, change.device ?? '')
    } else if (stream === 'account_data' && change.user === user.userId) {
      user.touchData(position, room ?? NO_ROOM)
    } else if (stream === 'thread_subscriptions' && change.user === user.userId) {
      user.touch(position, NO_ROOM, MOVED.threads)
    } else if (stream === 'receipts' && room !== undefined && seesReceipt(user, change)) {
      user.touch(position, room, movedBy(user, change))
    }
  }

  /** Lets go of the users who were here longest ago; those who are being served stay, however many they are. */
  #makeRoom(): void {
    for (const [userId, user] of this.#users) {
      if (this.#users.size < ACTIVE_USERS_MAX) return
      if (user.busy > 0) continue
      this.#users.delete(userId)
      for (const room of user.memberships.keys()) this.#exit(room, user)
    }
  }

  #enter(room: number, user: ActiveUser): void {
    const users = this.#byRoom.get(room)
    if (users) users.add(user)
    else this.#byRoom.set(room, new Set([user]))
  }

  #exit(room: number, user: ActiveUser): void {
    const users = this.#byRoom.get(room)
    users?.delete(user)
    if (users?.size === 0) this.#byRoom.delete(room)
  }

  #take(changes: readonly Change[]): void {
    const woken = new Set<ActiveUser>()
    for (const change of changes) {
      this.#takeOne(change, woken)
      for (const waiting of this.#during.values()) waiting.push(change)
    }
    this.#wake(woken)
  }

  #takeOne(change: Change, woken: Set<ActiveUser>): void {
    if (change.stream === 'events' && change.room !== undefined) {
      this.#takeEvent(change.room, change, woken)
    } else if (change.user !== undefined && change.stream === 'account_data') {
      const user = this.#users.get(change.user)
      user?.touchData(change.position, change.room ?? NO_ROOM)
      if (user) woken.add(user)
    } else if (change.stream === 'thread_subscriptions' && change.user !== undefined) {
      const user = this.#users.get(change.user)
      user?.touch(change.position, NO_ROOM, MOVED.threads)
      if (user) woken.add(user)
    } else if (change.stream === 'to_device') {
      this.#takeMessage(change, woken)
    } else if (change.stream === 'receipts' && change.room !== undefined) {
      this.#takeReceipt(change.room, change, woken)
    } else if (change.stream === 'device_lists') {
      this.#takeDevices(change, woken)
    } else if (change.stream === 'one_time_keys' && change.claimed && change.user !== undefined) {
      const user = this.#users.get(change.user)
      user?.touchKeys(change.position, change.device ?? '')
      if (user) woken.add(user)
    } else if (change.stream === 'rooms') {
      for (const { user: userId } of change.opened?.members ?? []) {
        const user = this.#users.get(userId)
        if (!user) continue
        this.#takeOpened(user, change)
        woken.add(user)
      }
    }
  }

  /** Devices or keys of somebody changed: news to those in their rooms, or to one user alone. */
  #takeDevices({ user: userId, viewer, rooms, position }: Change, woken: Set<ActiveUser>): void {
    if (userId === undefined) return
    const told = new Set<ActiveUser>()
    const self = this.#users.get(viewer ?? userId)
    if (self) told.add(self)
    for (const room of rooms ?? []) for (const user of this.#byRoom.get(room) ?? []) told.add(user)
    for (const user of told) {
      user.touchDevices(position, userId)
      woken.add(user)
    }
  }

  #takeMessage({ user: userId = '', device = '', position }: Change, woken: Set<ActiveUser>): void {
    const user = this.#users.get(userId)
    const inbox = user?.inboxes.get(device)
    if (!user || !inbox) return
    inbox.arrived(position)
    woken.add(user)
  }

  /** A room that was made out of sight is there; its earlier events were not told one by one. */
  #takeOpened(user: ActiveUser, { room, position, opened }: Change): void {
    const own = opened?.members.find((one) => one.user === user.userId)
    if (room === undefined || !opened || !own) return
    const { membership, sender, event } = own
    const joined = membership === 'join'
    const known = user.memberships.get(room)
    if (known && known.position > (joined ? position : event)) return
    user.memberships.set(room, {
      roomId: opened.roomId,
      membership,
      position: joined ? position : event,
      bySelf: sender === user.userId,
      inviter: membership === 'invite' ? sender : undefined,
    })
    if (joined) this.#enter(room, user)
    user.touch(position, room, MOVED.events | MOVED.members)
  }

  #takeReceipt(room: number, change: Change, woken: Set<ActiveUser>): void {
    for (const user of this.#byRoom.get(room) ?? []) {
      if (!seesReceipt(user, change)) continue
      user.touch(change.position, room, movedBy(user, change))
      woken.add(user)
    }
  }

  /** Tells those in a room that other users type there. */
  typingMoved(room: number, version: number): void {
    this.#ephemeral = Math.max(this.#ephemeral, version)
    const users = [...(this.#byRoom.get(room) ?? [])]
    for (const user of users) user.touchEphemeral(version)
    this.#wake(users)
  }

  /** Tells those in some rooms, and some users wherever they are, that the presence of others changed. */
  async presenceMoved({ rooms, users: named, version }: PresenceNews): Promise<void> {
    this.#ephemeral = Math.max(this.#ephemeral, version)
    const users = new Set<ActiveUser>()
    for (const userId of named) {
      const user = this.#users.get(userId)
      if (user) users.add(user)
    }
    let steps = 0
    for (const room of rooms) {
      for (const user of this.#byRoom.get(room) ?? []) users.add(user)
      steps += this.#byRoom.get(room)?.size ?? 0
      if (steps < FEED_USERS_PER_TURN) continue
      steps = 0
      await turn(this.#clock)
    }
    for (const user of users) user.touchEphemeral(version)
    this.#wake(users)
  }

  #wake(users: Iterable<ActiveUser>): void {
    for (const user of users) {
      if (!user.awaited || this.#toWake.has(user)) continue
      this.#toWake.add(user)
      this.#wakes.run(() => {
        this.#toWake.delete(user)
        user.wake()
      })
    }
  }

  /** Ids of users in a room who are kept ready. */
  activeIn(room: number): string[] {
    return [...(this.#byRoom.get(room) ?? [])].map((user) => user.userId)
  }

  #takeEvent(room: number, { position, event: row, sameMembers }: Change, woken: Set<ActiveUser>): void {
    if (row === undefined) throw new Error('an event change without its event: another process wrote it')
    this.#remember(room, row)
    if (row.type === 'm.room.member' && row.stateKey !== null) {
      const user = this.#users.get(row.stateKey)
      if (user) this.#moveMember(user, row, woken)
    }
    const what = movedByEvent(row, sameMembers)
    for (const user of this.#byRoom.get(room) ?? []) {
      user.touch(position, room, what)
      woken.add(user)
    }
  }

  #remember(room: number, row: EventRow): void {
    /* A redaction changes an event that may be among those kept, so the room begins anew behind it. */
    const known = row.type === 'm.room.redaction' ? undefined : this.#rooms.get(room)
    if (known) {
      known.push(row)
      this.#rooms.weigh(room, known.bytes)
    } else {
      const fresh = new RecentEvents(row.nid - 1)
      fresh.push(row)
      this.#rooms.set(room, fresh, fresh.bytes)
    }
  }

  #moveMember(user: ActiveUser, row: EventRow, woken: Set<ActiveUser>): void {
    const known = user.memberships.get(row.room)
    /* What was loaded may be newer than the change. The same change must still be told. */
    if (known && known.position > row.nid) return
    const content = (JSON.parse(row.json) as { content: { membership: Membership } }).content
    const { membership } = content
    const roomId = known?.roomId
    if (roomId === undefined) this.#learn(user, row, membership)
    else {
      const knock =
        membership === 'invite' ? (known?.membership === 'knock' ? known : known?.knock) : undefined
      user.memberships.set(row.room, { ...knownFrom(row, roomId, membership), knock })
    }
    if (membership === 'join') this.#enter(row.room, user)
    else {
      this.#exit(row.room, user)
      user.touch(row.nid, row.room, movedByEvent(row))
      woken.add(user)
    }
  }

  /** A room that is new to the user. The event names it, but for the create event of version 12, which is no member. */
  #learn(user: ActiveUser, row: EventRow, membership: Membership): void {
    const { room_id: roomId } = JSON.parse(row.json) as { room_id: string }
    user.memberships.set(row.room, knownFrom(row, roomId, membership))
  }
}

/** Private receipts are their owner's alone; public ones are for all who are in the room. */
function seesReceipt(user: ActiveUser, { room, user: owner, receipt }: Change): boolean {
  if (room === undefined || user.memberships.get(room)?.membership !== 'join') return false
  return receipt?.kind !== 'm.read.private' || owner === user.userId
}

function movedBy(user: ActiveUser, { user: owner }: Change): number {
  return owner === user.userId ? MOVED.receipts | MOVED.counts : MOVED.receipts
}

function movedByEvent({ type, stateKey }: EventRow, sameMembers = false): number {
  if (type !== 'm.room.member' || stateKey === null) return MOVED.events
  return MOVED.events | (sameMembers ? MOVED.names : MOVED.members)
}

/** One's own device list is always news. */
function seesDevices(user: ActiveUser, { user: owner, viewer, rooms }: Change): boolean {
  if ((viewer ?? owner) === user.userId) return true
  return rooms?.some((room) => user.memberships.get(room)?.membership === 'join') ?? false
}

/** A membership as a member event says it. */
function knownFrom(row: EventRow, roomId: string, membership: Membership): KnownMembership {
  const inviter = membership === 'invite' ? row.sender : undefined
  return { roomId, membership, position: row.nid, bySelf: row.sender === row.stateKey, inviter }
}
