/** One login of a user: asks the server, keeps what its syncs said. How it syncs is its children's. */
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

export type Outcome = 'news' | 'quiet' | 'lost'

const PATIENCE_MS = 15_000
const TRIES_MAX = 25
const V3 = '/_matrix/client/v3'

export abstract class Device {
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
  readonly around: Surroundings
  protected readonly rng: SeededRng
  /** Set when the token is no longer good. */
  ended = false
  readonly rooms = new Map<string, RoomView>()
  /** Stripped state of invites and knocks by room id. */
  readonly invites = new Map<string, ClientEvent[]>()
  readonly knocks = new Map<string, ClientEvent[]>()
  /** Contents by type. */
  readonly accountData = new Map<string, string>()
  /** Types that the client does not want in timelines; a star stands for anything. */
  readonly notTypes: readonly string[]

  constructor(around: Surroundings, login: Login, rng: SeededRng, notTypes: readonly string[] = []) {
    this.around = around
    this.user = login.user_id
    this.deviceId = login.device_id
    this.token = login.access_token
    this.#refreshToken = login.refresh_token
    this.name = `${login.user_id.split(':')[0]}/${login.device_id}`
    this.rng = rng
    this.notTypes = notTypes
  }

  /** One sync, in one try, with all that this kind of client asks for. Returns whether an answer came and said anything. */
  abstract sync(timeoutMs: number, special?: boolean): Promise<Outcome>

  /** One sync towards the end, after which the client must know all that it can know. */
  abstract syncToEnd(): Promise<Outcome>

  /** Whether members come with what they do, and not all at once. */
  abstract readonly lazy: boolean

  /** Whether the client is told of a state key of each room and kept up to date. */
  abstract follows(type: string, stateKey: string): boolean

  /** Begins anew, as a client that lost what it kept. */
  reset(): void {
    this.rooms.clear()
    this.invites.clear()
    this.knocks.clear()
    this.accountData.clear()
  }

  /** One try. */
  async ask(
    method: Method,
    path: string,
    body?: object,
    waitMs = 0,
    prefix = V3,
  ): Promise<Answer | undefined> {
    const { network, server } = this.around
    const { token } = this
    const answer = await network.exchange(server, {
      who: this.name,
      token,
      method,
      path: `${prefix}${path}`,
      body,
      waitMs,
      patienceMs: waitMs + this.rng.between(500, PATIENCE_MS),
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
  async insist(
    method: Method,
    path: string,
    body?: object,
    prefix?: string,
  ): Promise<(Answer & Tries) | undefined> {
    for (let i = 0; i < TRIES_MAX && !this.ended; i++) {
      const answer = await this.ask(method, path, body, 0, prefix)
      if (answer && answer.status !== 503 && answer.status !== 429) return { ...answer, tries: i + 1 }
      await this.around.world.sleep(this.rng.below(1500))
    }
    return undefined
  }

  /** Whether the refresh token is being exchanged. */
  #refreshing = false

  /**
   * Exchanges the refresh token, with the same one until an answer comes. Clients do it once at a time, as they must:
   * each exchange ends what the one before it gave and nobody has used.
   */
  async refresh(): Promise<void> {
    if (this.#refreshing) return
    this.#refreshing = true
    try {
      await this.#exchange()
    } finally {
      this.#refreshing = false
    }
  }

  async #exchange(): Promise<void> {
    const { network, server, world } = this.around
    const refreshToken = this.#refreshToken
    if (refreshToken === undefined) return
    for (let i = 0; i < TRIES_MAX && !this.leaving && refreshToken === this.#refreshToken; i++) {
      const answer = await network.exchange(server, {
        who: this.name,
        method: 'POST',
        path: `${V3}/refresh`,
        body: { refresh_token: refreshToken },
        patienceMs: this.rng.between(500, PATIENCE_MS),
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
      await world.sleep(this.rng.below(1500))
    }
  }

  /** What this client knows of a room that is new to it. */
  protected newView(roomId: string): RoomView {
    const { ignoring, purged } = this.around.ledger
    const view = new RoomView(roomId, this.name, () => purged.has(roomId) || ignoring.has(this.user))
    this.rooms.set(roomId, view)
    return view
  }

  /** Whether this client wants events of a type in its timelines. */
  wants(type: string): boolean {
    return !this.notTypes.some((pattern) =>
      pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern,
    )
  }

  /** Writes down that events reached this user. */
  seen(roomId: string, events: readonly ClientEvent[], answer: Answer, how: string): void {
    const { position, askedAt: begun } = answer
    const { ledger, world } = this.around
    const ended = world.time
    for (const event of events) {
      const { event_id: eventId, type, sender, content } = event
      const told = { user: this.user, roomId, eventId, type, sender, content }
      ledger.deliveries.push({ ...told, position, begun, ended, how })
    }
  }

  /** Takes the stripped state of an invite or a knock. */
  protected takeStripped(roomId: string, membership: 'invite' | 'knock', events: ClientEvent[]): void {
    const has = (type: string, key: string): boolean =>
      events.some((event) => event.type === type && event.state_key === key)
    if (!has('m.room.member', this.user)) {
      throw new SimFailure(`${this.name}: the ${membership} to ${roomId} lacks the ${membership}`)
    }
    if (!has('m.room.create', '')) {
      throw new SimFailure(`${this.name}: the ${membership} to ${roomId} lacks m.room.create`)
    }
    const view = this.rooms.get(roomId)
    if (view) view.membership = 'leave'
    this.invites.delete(roomId)
    this.knocks.delete(roomId)
    const into = membership === 'invite' ? this.invites : this.knocks
    into.set(roomId, events)
  }

  /** Reads one page of what lies before the newest gap of a room. Returns whether there was a gap to read. */
  async fillSome(view: RoomView, limit: number): Promise<boolean> {
    const stretch = view.stretches.findLast((one) => one.gap !== undefined)
    const from = stretch?.gap
    if (view.unreadable || !stretch || from === undefined) return false
    const filter = JSON.stringify({ not_types: this.notTypes })
    const query = new URLSearchParams({ dir: 'b', from, limit: String(limit), filter })
    const answer = await this.ask('GET', `/rooms/${encodeURIComponent(view.roomId)}/messages?${query}`)
    if (answer?.status === 403) view.unreadable = true
    const current = this.rooms.get(view.roomId) === view && view.stretches.includes(stretch)
    if (answer?.status !== 200 || stretch.gap !== from || !current) return true
    const { chunk, end } = answer.body
    this.seen(view.roomId, chunk, answer, 'messages')
    const ids = chunk.map((event: ClientEvent) => event.event_id as string)
    view.fill(stretch, ids, end as string | undefined)
    return true
  }
}
