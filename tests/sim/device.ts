/** One login of a user: asks the server, keeps what its syncs said. */
import type { Ledger } from './ledger.ts'
import type { Answer, Network } from './network.ts'
import { type ClientEvent, RoomView } from './room-view.ts'
import type { SeededRng } from './seeded-rng.ts'
import type { SimServer } from './sim-server.ts'
import { SimFailure, type SimWorld } from './sim-world.ts'

export interface Surroundings {
  readonly world: SimWorld
  readonly network: Network
  readonly server: SimServer
  readonly ledger: Ledger
}

/** How a client syncs. */
export interface SyncHabits {
  readonly limit: number
  readonly lazy: boolean
  readonly stateAfter: boolean
  readonly storedFilter: boolean
  /** Types that the client does not want in timelines; a star stands for anything. */
  readonly notTypes: readonly string[]
  readonly includeLeave: boolean
}

/** The answer to a login or registration. */
export interface Login {
  readonly user_id: string
  readonly device_id: string
  readonly access_token: string
  readonly refresh_token?: string
}

interface Tries {
  /** With more than one, an earlier try may still be on its way to the server. */
  readonly tries: number
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

const PATIENCE_MS = 15_000
const TRIES_MAX = 25

export class Device {
  readonly user: string
  readonly deviceId: string
  token: string
  /** Of a device that asked for one; exchanged now and then. */
  #refreshToken: string | undefined
  /** An earlier try to refresh may arrive late and end the tokens that a later one gave. */
  #doubtful = false
  /** The client is ending its session, so that refusals of its token are expected. */
  leaving = false
  readonly name: string
  readonly habits: SyncHabits
  readonly #around: Surroundings
  readonly #rng: SeededRng
  /** Set when the token is no longer good. */
  ended = false
  since: string | undefined
  rooms = new Map<string, RoomView>()
  readonly invites = new Map<string, ClientEvent[]>()
  readonly accountData = new Map<string, string>()
  #filter: string | undefined

  constructor(around: Surroundings, login: Login, habits: SyncHabits, rng: SeededRng) {
    this.#around = around
    this.user = login.user_id
    this.deviceId = login.device_id
    this.token = login.access_token
    this.#refreshToken = login.refresh_token
    this.name = `${login.user_id.split(':')[0]}/${login.device_id}`
    this.habits = habits
    this.#rng = rng
  }

  /** One try. */
  async ask(method: Method, path: string, body?: object, waitMs = 0): Promise<Answer | undefined> {
    const { network, server } = this.#around
    const { token } = this
    const answer = await network.exchange(server, {
      who: this.name,
      token,
      method,
      path: `/_matrix/client/v3${path}`,
      body,
      waitMs,
      patienceMs: waitMs + this.#rng.between(500, PATIENCE_MS),
    })
    if (answer?.status !== 401 || answer.body.flows) return answer
    /* A token that was exchanged meanwhile is simply too old. */
    if (token !== this.token) return undefined
    if (!this.leaving && !this.#doubtful)
      throw new SimFailure(`${this.name}: ${method} ${path}: a good token was refused`)
    this.ended = true
    return answer
  }

  /** Tries until there is an answer that is not "later". */
  async insist(method: Method, path: string, body?: object): Promise<(Answer & Tries) | undefined> {
    for (let i = 0; i < TRIES_MAX && !this.ended; i++) {
      const answer = await this.ask(method, path, body)
      if (answer && answer.status !== 503 && answer.status !== 429) return { ...answer, tries: i + 1 }
      await this.#around.world.sleep(this.#rng.below(1500))
    }
    return undefined
  }

  /** Exchanges the refresh token, with the same one until an answer comes. */
  async refresh(): Promise<void> {
    const { network, server, world } = this.#around
    const refreshToken = this.#refreshToken
    if (refreshToken === undefined) return
    for (let i = 0; i < TRIES_MAX && !this.leaving && refreshToken === this.#refreshToken; i++) {
      const answer = await network.exchange(server, {
        who: this.name,
        method: 'POST',
        path: '/_matrix/client/v3/refresh',
        body: { refresh_token: refreshToken },
        patienceMs: this.#rng.between(500, PATIENCE_MS),
      })
      if (refreshToken !== this.#refreshToken || this.leaving) return
      if (answer?.status === 200) {
        this.token = answer.body.access_token as string
        this.#refreshToken = (answer.body.refresh_token as string | undefined) ?? refreshToken
        return
      }
      if (answer?.status === 401 && this.#doubtful) return
      if (answer && answer.status !== 503) {
        throw new SimFailure(`${this.name}: a refresh was refused: ${JSON.stringify(answer.body)}`)
      }
      this.#doubtful = true
      await world.sleep(this.#rng.below(1500))
    }
  }

  /** One sync, in one try. Returns whether an answer came and said anything. */
  async sync(timeoutMs: number, fullState = false): Promise<'news' | 'quiet' | 'lost'> {
    const query = new URLSearchParams({ timeout: String(timeoutMs), filter: await this.#filterText() })
    const { since } = this
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
    if (this.since !== since) throw new SimFailure(`${this.name}: two syncs at once`)
    this.#take(answer)
    return answer.body.rooms || answer.body.account_data ? 'news' : 'quiet'
  }

  /** Begins anew, as a client that lost what it kept. */
  reset(): void {
    this.since = undefined
    this.rooms.clear()
    this.invites.clear()
    this.accountData.clear()
  }

  async #filterText(): Promise<string> {
    if (this.#filter !== undefined) return this.#filter
    const { limit, lazy, storedFilter, notTypes, includeLeave } = this.habits
    const state = lazy ? { state: { lazy_load_members: true } } : {}
    const types = notTypes.length === 0 ? {} : { not_types: notTypes }
    const leave = includeLeave ? { include_leave: true } : {}
    const filter = { room: { timeline: { limit, ...types }, ...state, ...leave } }
    if (storedFilter) {
      const answer = await this.ask('POST', `/user/${encodeURIComponent(this.user)}/filter`, filter)
      if (answer?.status === 200) this.#filter = answer.body.filter_id as string
    }
    return this.#filter ?? JSON.stringify(filter)
  }

  #take(answer: Answer): void {
    const { body } = answer
    const initial = this.since === undefined
    for (const event of body.account_data?.events ?? []) {
      this.accountData.set(event.type, JSON.stringify(event.content))
    }
    const { join = {}, invite = {}, leave = {} } = body.rooms ?? {}
    for (const [roomId, section] of Object.entries<ClientEvent>(join)) {
      this.#takeJoined(roomId, section, answer, initial)
    }
    for (const [roomId, section] of Object.entries<ClientEvent>(invite)) {
      this.#takeInvite(roomId, section.invite_state.events)
    }
    for (const [roomId, section] of Object.entries<ClientEvent>(leave)) {
      this.#takeLeft(roomId, section, answer, initial)
    }
    this.since = body.next_batch as string
  }

  #takeJoined(roomId: string, section: ClientEvent, answer: Answer, initial: boolean): void {
    let view = this.rooms.get(roomId)
    const fresh = view?.membership !== 'join'
    if (!view) {
      view = new RoomView(roomId, this.name)
      this.rooms.set(roomId, view)
    }
    if (fresh) {
      view.state = new Map()
      view.senders.clear()
      view.missedStay = false
      view.unreadable = false
    }
    view.membership = 'join'
    this.invites.delete(roomId)
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
    const { summary } = section
    if (summary?.['m.joined_member_count'] !== undefined) {
      view.summary = {
        joined: summary['m.joined_member_count'],
        invited: summary['m.invited_member_count'],
      }
    }
  }

  #takeInvite(roomId: string, events: ClientEvent[]): void {
    if (!events.some((event) => event.type === 'm.room.member' && event.state_key === this.user)) {
      throw new SimFailure(`${this.name}: the invite to ${roomId} lacks the invite`)
    }
    const view = this.rooms.get(roomId)
    if (view) view.membership = 'leave'
    this.invites.set(roomId, events)
  }

  /* History of a room that this client never saw joined is looked at for leaks, but not kept. */
  #takeLeft(roomId: string, section: ClientEvent, answer: Answer, initial: boolean): void {
    this.invites.delete(roomId)
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

  /** Whether this client wants events of a type in its timelines. */
  wants(type: string): boolean {
    return !this.habits.notTypes.some((pattern) =>
      pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern,
    )
  }

  /** Writes down that events reached this user. */
  seen(roomId: string, events: readonly ClientEvent[], answer: Answer, how: string): void {
    const { position } = answer
    for (const event of events) {
      const { event_id: eventId } = event
      this.#around.ledger.deliveries.push({ user: this.user, roomId, eventId, position, how })
    }
  }

  /** Reads one page of what lies before the newest gap of a room. Returns whether there was a gap to read. */
  async fillSome(view: RoomView, limit: number): Promise<boolean> {
    const stretch = view.stretches.findLast((one) => one.gap !== undefined)
    const from = stretch?.gap
    if (view.unreadable || !stretch || from === undefined) return false
    const filter = JSON.stringify({ not_types: this.habits.notTypes })
    const query = new URLSearchParams({ dir: 'b', from, limit: String(limit), filter })
    const answer = await this.ask('GET', `/rooms/${encodeURIComponent(view.roomId)}/messages?${query}`)
    if (answer?.status === 403) view.unreadable = true
    if (answer?.status !== 200 || stretch.gap !== from || this.rooms.get(view.roomId) !== view) return true
    const { chunk, end } = answer.body
    this.seen(view.roomId, chunk, answer, 'messages')
    const ids = chunk.map((event: ClientEvent) => event.event_id as string)
    view.fill(stretch, ids, end as string | undefined)
    return true
  }
}
