/** Who is online, in memory. https://spec.matrix.org/v1.19/client-server-api/#presence */
import { type Clock, type Timer, turn } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import {
  PRESENCE_AT_ONCE,
  PRESENCE_CHANGES_MAX,
  PRESENCE_GATHER_MS,
  PRESENCE_GATHER_MS_MAX,
  PRESENCE_LATE_MS,
  PRESENCE_NEW_OFFLINE_MAX,
  PRESENCE_PER_ANSWER_MAX,
  PRESENCE_SWEEP_MS,
  PRESENCE_USERS_MAX,
} from './limits.ts'
import { type PresenceName, type PresenceTimes, UserPresence } from './presence-state.ts'
import { ChangeLog, type EphemeralVersions } from './versions.ts'

export interface PresenceOptions {
  /** Whether presence exists. */
  readonly enabled: boolean
  /** Whether what clients say and do counts. */
  readonly tracked: boolean
  /** Whether initial syncs list who is offline. */
  readonly includeOffline: boolean
  readonly times: PresenceTimes
  /** Ids of rooms that do not count as shared. */
  readonly excludedRooms: ReadonlySet<string>
}

/** Without a setting. */
export const PRESENCE_DEFAULTS: PresenceOptions = {
  enabled: true,
  tracked: true,
  includeOffline: false,
  times: { activeMs: 60_000, onlineMs: 30_000, idleMs: 300_000 },
  excludedRooms: new Set(),
}

/** Rooms of a user by row id, kept up to date by whoever gives them. */
export type UserRooms = ReadonlyMap<number, { readonly roomId: string; readonly membership: string }>

export interface PresenceReader {
  readonly userId: string
  readonly rooms: UserRooms
}

/** Rooms and users whose clients have news of presence, up to a version. */
export interface PresenceNews {
  readonly rooms: ReadonlySet<number>
  readonly users: ReadonlySet<string>
  readonly version: number
}

interface Entry {
  readonly presence: UserPresence
  rooms: UserRooms
  /** Version at which the presence or the status message changed last, which is news to the user's own clients too. */
  own: number
  state: PresenceName
  status: string | undefined
}

/** The presence of somebody as the content of `m.presence`. */
export interface PresenceOf {
  readonly userId: string
  readonly content: JsonObject
}

const NOTHING = (): void => {}

export class Presence {
  readonly #clock: Clock
  readonly #versions: EphemeralVersions
  readonly #options: PresenceOptions
  /** Whoever was seen longest ago is first. */
  readonly #users = new Map<string, Entry>()
  /** Users whose presence changes as time goes by. */
  readonly #awake = new Set<string>()
  readonly #changes = new ChangeLog<string>(PRESENCE_CHANGES_MAX)
  readonly #listeners = new Set<(news: PresenceNews) => void>()
  readonly #stop: () => void
  /** Users of whom others are to be told, and those who are to be told of themselves. */
  #untold = new Set<string>()
  #selves = new Set<string>()
  #gather: Timer | undefined
  #gatherMs = PRESENCE_GATHER_MS
  #sweep: Timer | undefined
  #closed = false

  constructor(deps: { clock: Clock; store: Store; versions: EphemeralVersions; options: PresenceOptions }) {
    this.#clock = deps.clock
    this.#versions = deps.versions
    this.#options = deps.options
    this.#stop = this.#tracks ? this.#followJoins(deps.store) : NOTHING
  }

  get #tracks(): boolean {
    return this.#options.enabled && this.#options.tracked
  }

  close(): void {
    this.#closed = true
    this.#stop()
    this.#gather?.cancel()
    this.#sweep?.cancel()
  }

  onNews(listener: (news: PresenceNews) => void): void {
    this.#listeners.add(listener)
  }

  /** State of one device as it is known; undefined for a new one. */
  deviceState(userId: string, deviceId: string): PresenceName | undefined {
    return this.#users.get(userId)?.presence.stateOf(deviceId)
  }

  /**
   * A device asks for news; `state` is what it says of itself, undefined to leave that as it is. Who asks for news as
   * somebody offline is not counted as present by it, and is otherwise what they are. Returns what to call when the
   * request ends.
   */
  syncing(who: PresenceReader, deviceId: string, state: PresenceName | undefined): () => void {
    if (state === 'offline') return NOTHING
    const entry = this.#entry(who)
    if (!entry) return NOTHING
    const { userId } = who
    entry.presence.device(deviceId, this.#clock.now(), state)
    entry.presence.syncing(deviceId, 1, this.#clock.now())
    this.#update(userId, entry)
    return () => entry.presence.syncing(deviceId, -1, this.#clock.now())
  }

  /** A user says how they are. */
  set(who: PresenceReader, deviceId: string, state: PresenceName, status: string | undefined): void {
    const entry = this.#entry(who)
    if (!entry) return
    const { presence } = entry
    presence.device(deviceId, this.#clock.now(), state)
    const said = presence.status !== status
    presence.status = status
    if (!this.#update(who.userId, entry) && said) this.#changed(who.userId, entry)
  }

  /** A user did something with a device. */
  activity(userId: string, deviceId: string): void {
    const entry = this.#users.get(userId)
    if (!entry) return
    entry.presence.activity(deviceId, this.#clock.now())
    this.#update(userId, entry)
  }

  /** The presence of a user, whoever asks. */
  of(userId: string): JsonObject {
    const entry = this.#users.get(userId)
    if (!entry) return { presence: 'offline' }
    this.#update(userId, entry)
    return entry.presence.content(this.#clock.now())
  }

  /** Whether two users share a room that counts. */
  share(a: UserRooms, b: UserRooms): boolean {
    const [few, many] = a.size <= b.size ? [a, b] : [b, a]
    const { excludedRooms } = this.#options
    for (const [room, { membership, roomId }] of few) {
      if (membership !== 'join' || many.get(room)?.membership !== 'join') continue
      if (!excludedRooms.has(roomId)) return true
    }
    return false
  }

  /**
   * Presence that changed after a version, of everybody whom the reader may see: at most PRESENCE_PER_ANSWER_MAX, the
   * newest. Without a version the presence of all, where those who are offline are left out unless configured.
   * `also` names users who are new to the reader; when they are few, those of them who are offline are told of too.
   */
  async seenBy(
    reader: PresenceReader,
    since: number | undefined,
    also: ReadonlySet<string>,
  ): Promise<PresenceOf[]> {
    if (!this.#tracks) return []
    const moved = since === undefined ? undefined : this.#changes.since(since)
    const { includeOffline } = this.#options
    const few = also.size <= PRESENCE_NEW_OFFLINE_MAX
    const found: PresenceOf[] = []
    let steps = 0
    const self = reader.userId
    const floor = Math.max(since ?? 0, 0)
    for (const userId of moved ? new Set([...moved, ...also]) : [...this.#users.keys()].reverse()) {
      const isFew = few && since !== undefined && also.has(userId)
      const entry = this.#users.get(userId)
      if (!entry) {
        if (isFew) found.push({ userId, content: { presence: 'offline' } })
        continue
      }
      const { presence } = entry
      const isSelf = userId === self && since !== undefined
      const newest = isSelf ? entry.own : presence.version
      if ((isSelf || moved === undefined) && newest <= floor) continue
      const isNew = since === undefined || also.has(userId)
      if (isNew && presence.state === 'offline' && !includeOffline && !isFew) continue
      steps += 1 + Math.min(entry.rooms.size, reader.rooms.size)
      if (userId === self || this.share(entry.rooms, reader.rooms)) {
        found.push({ userId, content: presence.content(this.#clock.now()) })
        if (found.length >= PRESENCE_PER_ANSWER_MAX) break
      }
      if (steps > PRESENCE_AT_ONCE * 10) {
        steps = 0
        await turn(this.#clock)
      }
    }
    return found
  }

  /**
   * The presence of the reader and of everybody whom they may see, for clients from before `/sync`; of `people`, who
   * must be in a room with the reader, those too who are offline.
   */
  async snapshot(reader: PresenceReader, people: readonly string[]): Promise<PresenceOf[]> {
    if (!this.#tracks) return []
    const found = await this.seenBy(reader, undefined, new Set())
    const more = new Set([reader.userId, ...people])
    for (const { userId } of found) more.delete(userId)
    return [...found, ...[...more].map((userId) => ({ userId, content: this.of(userId) }))]
  }

  /** The entry of a user, made where there is none; undefined where presence is not followed, or of too many users. */
  #entry({ userId, rooms }: PresenceReader): Entry | undefined {
    if (!this.#tracks || this.#closed) return undefined
    const known = this.#users.get(userId)
    if (!known && this.#users.size >= PRESENCE_USERS_MAX && !this.#makeRoom()) return undefined
    const entry = known ?? {
      presence: new UserPresence(),
      rooms,
      own: 0,
      state: 'offline' as const,
      status: undefined,
    }
    entry.rooms = rooms
    this.#users.delete(userId)
    this.#users.set(userId, entry)
    return entry
  }

  #makeRoom(): boolean {
    let looked = 0
    for (const userId of this.#users.keys()) {
      if (!this.#awake.has(userId)) return this.#users.delete(userId)
      if (++looked >= PRESENCE_AT_ONCE) return false
    }
    return false
  }

  /** Lets time go by for a user. Whether something changed that others are told of. */
  #update(userId: string, entry: Entry): boolean {
    const moved = entry.presence.update(this.#clock.now(), this.#options.times)
    if (moved) this.#changed(userId, entry)
    if (entry.presence.atRest) this.#awake.delete(userId)
    else {
      this.#awake.add(userId)
      this.#sweepLater()
    }
    return moved
  }

  /** Notes a change at once, so that answers on the way have it, and tells those who wait together with others. */
  #changed(userId: string, entry: Entry): void {
    entry.presence.version = this.#versions.next()
    this.#changes.push(entry.presence.version, userId)
    this.#untold.add(userId)
    this.#changedToSelf(userId, entry)
    if (this.#gather || this.#closed) return
    const due = this.#clock.monotonic() + this.#gatherMs
    this.#gather = this.#clock.after(this.#gatherMs, () => {
      /* Where timers come late there is more to do than time for it: presence is what can wait. */
      const late = this.#clock.monotonic() - due > PRESENCE_LATE_MS
      this.#gatherMs = late
        ? Math.min(this.#gatherMs * 2, PRESENCE_GATHER_MS_MAX)
        : Math.max(this.#gatherMs / 2, PRESENCE_GATHER_MS)
      this.#gather = undefined
      void this.#tell()
    })
  }

  async #tell(): Promise<void> {
    const [untold, users] = [this.#untold, this.#selves]
    this.#untold = new Set()
    this.#selves = new Set()
    const { version } = this.#versions
    const rooms = new Set<number>()
    let steps = 0
    for (const userId of untold) {
      for (const [room, { membership, roomId }] of this.#users.get(userId)?.rooms ?? []) {
        steps++
        if (membership === 'join' && !this.#options.excludedRooms.has(roomId)) rooms.add(room)
      }
      if (steps < PRESENCE_AT_ONCE * 10) continue
      steps = 0
      await turn(this.#clock)
    }
    for (const listener of this.#listeners) listener({ rooms, users, version })
  }

  /**
   * Notes what is news to the user's own clients. That they are no longer currently active is none: the next request of
   * the client that is told would be an activity, and the two would go on for ever.
   */
  #changedToSelf(userId: string, entry: Entry): void {
    const { state, status, version } = entry.presence
    if (state === entry.state && status === entry.status) return
    entry.state = state
    entry.status = status
    entry.own = version
    this.#selves.add(userId)
  }

  #sweepLater(): void {
    if (this.#sweep || this.#closed) return
    this.#sweep = this.#clock.after(PRESENCE_SWEEP_MS, () => void this.#sweepNow())
  }

  /** Looks for those who became idle or went away. */
  async #sweepNow(): Promise<void> {
    let looked = 0
    for (const userId of [...this.#awake]) {
      const entry = this.#users.get(userId)
      if (entry) this.#update(userId, entry)
      else this.#awake.delete(userId)
      if (++looked % PRESENCE_AT_ONCE === 0) await turn(this.#clock)
    }
    this.#sweep = undefined
    if (this.#awake.size > 0) this.#sweepLater()
  }

  /** Who comes into a room is shown to those in it. */
  #followJoins(store: Store): () => void {
    return store.onChange((changes) => {
      for (const { event } of changes) {
        if (event?.type !== 'm.room.member' || event.stateKey === null) continue
        const entry = this.#users.get(event.stateKey)
        if (entry && entry.presence.state !== 'offline') this.#changed(event.stateKey, entry)
      }
    })
  }
}
