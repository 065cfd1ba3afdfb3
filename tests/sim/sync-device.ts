/** A client that syncs by `GET /sync`. */
import { Device, type Login, type Outcome, type Surroundings } from './device.ts'
import type { Answer } from './network.ts'
import type { ClientEvent, RoomView } from './room-view.ts'
import type { SeededRng } from './seeded-rng.ts'
import { SimFailure } from './sim-world.ts'

/** How a client syncs. */
export interface SyncHabits {
  readonly limit: number
  readonly lazy: boolean
  readonly stateAfter: boolean
  readonly storedFilter: boolean
  readonly notTypes: readonly string[]
  readonly includeLeave: boolean
  readonly byThread: boolean
}

export class SyncDevice extends Device {
  readonly habits: SyncHabits
  #since: string | undefined
  #filter: string | undefined

  constructor(around: Surroundings, login: Login, habits: SyncHabits, rng: SeededRng) {
    super(around, login, rng, habits.notTypes)
    this.habits = habits
  }

  /** One sync, in one try. Returns whether an answer came and said anything. */
  async sync(timeoutMs: number, fullState = false): Promise<Outcome> {
    const query = new URLSearchParams({ timeout: String(timeoutMs), filter: await this.#filterText() })
    const since = this.#since
    if (since !== undefined) query.set('since', since)
    if (fullState) query.set('full_state', 'true')
    if (this.habits.stateAfter) query.set('use_state_after', 'true')
    const answer = await this.ask('GET', `/sync?${query}`, undefined, timeoutMs)
    if (answer?.status !== 200) {
      /* An account that ends takes its filters with it, also from under a sync that is being answered. */
      const ending = this.leaving && answer?.body.errcode === 'M_INVALID_PARAM'
      if (answer && answer.status !== 401 && answer.status !== 503 && !ending) {
        throw new SimFailure(`${this.name}: a sync was refused: ${JSON.stringify(answer.body)}`)
      }
      return 'lost'
    }
    if (this.#since !== since) throw new SimFailure(`${this.name}: two syncs at once`)
    this.#take(answer)
    return answer.body.rooms || answer.body.account_data ? 'news' : 'quiet'
  }

  get lazy(): boolean {
    return this.habits.lazy
  }

  follows(type: string): boolean {
    return !this.habits.lazy || type !== 'm.room.member'
  }

  syncToEnd(): Promise<Outcome> {
    return this.sync(0)
  }

  override reset(): void {
    super.reset()
    this.#since = undefined
  }

  async #filterText(): Promise<string> {
    if (this.#filter !== undefined) return this.#filter
    const { limit, lazy, storedFilter, notTypes, includeLeave, byThread } = this.habits
    const state = lazy ? { state: { lazy_load_members: true } } : {}
    const types = notTypes.length === 0 ? {} : { not_types: notTypes }
    const leave = includeLeave ? { include_leave: true } : {}
    const threads = byThread ? { unread_thread_notifications: true } : {}
    const filter = { room: { timeline: { limit, ...types, ...threads }, ...state, ...leave } }
    if (storedFilter) {
      const answer = await this.ask('POST', `/user/${encodeURIComponent(this.user)}/filter`, filter)
      if (answer?.status === 200) this.#filter = answer.body.filter_id as string
    }
    return this.#filter ?? JSON.stringify(filter)
  }

  #take(answer: Answer): void {
    const { body } = answer
    const initial = this.#since === undefined
    for (const event of body.account_data?.events ?? []) {
      this.accountData.set(event.type, JSON.stringify(event.content))
    }
    const { join = {}, invite = {}, knock = {}, leave = {} } = body.rooms ?? {}
    for (const [roomId, section] of Object.entries<ClientEvent>(join)) {
      this.#takeJoined(roomId, section, answer, initial)
    }
    for (const [roomId, section] of Object.entries<ClientEvent>(invite)) {
      this.takeStripped(roomId, 'invite', section.invite_state.events)
    }
    for (const [roomId, section] of Object.entries<ClientEvent>(knock)) {
      this.takeStripped(roomId, 'knock', section.knock_state.events)
    }
    for (const [roomId, section] of Object.entries<ClientEvent>(leave)) {
      this.#takeLeft(roomId, section, answer, initial)
    }
    this.#since = body.next_batch as string
  }

  #takeJoined(roomId: string, section: ClientEvent, answer: Answer, initial: boolean): void {
    const known = this.rooms.get(roomId)
    const fresh = known?.membership !== 'join'
    const view = known ?? this.newView(roomId)
    if (fresh) {
      view.beginStay()
    }
    view.membership = 'join'
    this.invites.delete(roomId)
    this.knocks.delete(roomId)
    this.#takeRoom(view, section, answer, fresh, initial)
  }

  #takeRoom(view: RoomView, section: ClientEvent, answer: Answer, fresh: boolean, initial: boolean): void {
    this.seen(view.roomId, section.timeline.events, answer, 'sync')
    this.seen(view.roomId, (section.state ?? section.state_after).events, answer, 'state')
    const own = `m.room.member\0${this.user}`
    const events = [...(section.state ?? section.state_after).events, ...section.timeline.events]
    const again = events.some(
      (event) =>
        event.type === 'm.room.member' &&
        event.state_key === this.user &&
        event.event_id !== view.state.get(own),
    )
    /* It was refused while the user was out of the room, or invited to it again. */
    if (again) view.unreadable = false
    view.takeTimeline(section.timeline, { fresh, again, initial })
    if (this.habits.stateAfter) {
      if (section.state) throw new SimFailure(`${this.name}: state instead of state_after`)
      view.takeState(section.state_after.events)
    } else {
      view.takeState(section.state.events)
      view.takeState(section.timeline.events)
    }
    for (const event of section.account_data?.events ?? []) {
      view.accountData.set(event.type, JSON.stringify(event.content))
    }
    for (const event of section.ephemeral?.events ?? []) view.takeEphemeral(event, this.user)
    if (section.unread_notifications) {
      view.takeUnread(section.unread_notifications, section.unread_thread_notifications)
    }
    const { summary } = section
    if (summary?.['m.joined_member_count'] !== undefined) {
      view.heroes = summary['m.heroes']
      view.summary = {
        joined: summary['m.joined_member_count'],
        invited: summary['m.invited_member_count'],
      }
    }
  }

  /* History of a room that this client never saw joined is looked at for leaks, but not kept. */
  #takeLeft(roomId: string, section: ClientEvent, answer: Answer, initial: boolean): void {
    this.invites.delete(roomId)
    this.knocks.delete(roomId)
    for (const name of ['ephemeral', 'summary', 'unread_notifications']) {
      if (section[name]) throw new SimFailure(`${this.name}: ${roomId} was left, and has ${name}`)
    }
    const view = this.rooms.get(roomId)
    if (view?.membership !== 'join' || initial) {
      this.seen(roomId, section.timeline.events, answer, 'sync of a room left')
      this.seen(roomId, (section.state ?? section.state_after).events, answer, 'state')
      if (view) view.missedStay = true
      return
    }
    view.membership = 'leave'
    this.#takeRoom(view, section, answer, false, false)
  }
}
