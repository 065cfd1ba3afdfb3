/** A client that syncs by sliding sync, in the form of today or that of the merged proposal, with one connection. */
import { Device, type Login, type Outcome, type Surroundings } from './device.ts'
import type { Answer } from './network.ts'
import type { ClientEvent, RoomView } from './room-view.ts'
import type { SeededRng } from './seeded-rng.ts'
import { SimFailure } from './sim-world.ts'

export interface SlidingHabits {
  /** Whether the client speaks the form of the merged proposal. */
  readonly stable: boolean
  /** The state that the client wants at the end, as a place in STATE_WISHES. */
  readonly wish: number
  readonly limit: number
  /** How often it asks for something else than before; with 0 it asks for the same always, to the end. */
  readonly changes: number
}

type Pair = readonly [type: string, stateKey: string]

/** What clients ask of the state, as pairs. */
const STATE_WISHES: readonly (readonly Pair[])[] = [
  [
    ['m.room.member', '$LAZY'],
    ['m.room.member', '$ME'],
    ['m.room.name', ''],
    ['org.example.note', '*'],
  ],
  [['*', '*']],
  [
    ['m.room.member', '$LAZY'],
    ['*', '*'],
  ],
  [
    ['m.room.member', '*'],
    ['m.room.name', ''],
  ],
  [
    ['m.room.topic', ''],
    ['m.room.create', ''],
    ['*', 'a'],
  ],
]
export const STATE_WISH_COUNT = STATE_WISHES.length

/** Filters of a second list. */
export const FILTERS: readonly ClientEvent[] = [
  { is_dm: true },
  { is_dm: false },
  { is_invite: true },
  { tags: ['u.work'] },
  { not_tags: ['u.work'] },
  { room_name_like: '1' },
  { room_types: [null] },
  { is_encrypted: false },
]

const EXTENSIONS = {
  account_data: { enabled: true },
  receipts: { enabled: true },
  typing: { enabled: true },
}
const WHOLE = 999
const PREFIX = {
  stable: '/_matrix/client/v4',
  today: '/_matrix/client/unstable/org.matrix.simplified_msc3575',
}

/** What one request wants. */
interface Wish {
  readonly lists: ClientEvent
  readonly subscriptions: ClientEvent
  /** Places in STATE_WISHES, by the name of a list or the id of a room. */
  readonly states: ReadonlyMap<string, number>
}

export class SlidingDevice extends Device {
  readonly habits: SlidingHabits
  #pos: string | undefined
  /** The server's life that gave the position. */
  #life = 0
  /** Requests of this connection that were not answered may arrive late and begin another one. */
  #doubt = false
  #wish: Wish | undefined
  readonly #data = new Map<string, Map<string, string>>()
  /** Length of each list by its name, as the newest answer had it. */
  counts: Record<string, number> = {}

  constructor(around: Surroundings, login: Login, habits: SlidingHabits, rng: SeededRng) {
    super(around, login, rng)
    this.habits = habits
  }

  /** `special` begins a new connection without telling the server. */
  async sync(timeoutMs: number, special = false): Promise<Outcome> {
    if (special) this.reset()
    if (this.habits.changes === 0) return this.#ask(this.#lastWish(), timeoutMs)
    if (!this.#wish || this.rng.chance(this.habits.changes)) this.#wish = this.#randomWish()
    return this.#ask(this.#wish, timeoutMs)
  }

  syncToEnd(): Promise<Outcome> {
    return this.#ask(this.#lastWish(), 0)
  }

  /** All rooms in one list, and a list for each filter, for its length. */
  #lastWish(): Wish {
    const { wish, limit } = this.habits
    const all = this.#list([0, WHOLE], limit, wish)
    const filtered = FILTERS.map((filters, i) => [`f${i}`, { ...this.#list([0, 0], 0, wish), filters }])
    const lists = { all, ...Object.fromEntries(filtered) }
    return { lists, subscriptions: {}, states: new Map(Object.keys(lists).map((name) => [name, wish])) }
  }

  /** Ids of the rooms that a new connection shows in a range of a list, in no order. */
  async window(from: number, to: number, filter: number | undefined): Promise<string[] | undefined> {
    const filters = filter === undefined ? {} : { filters: FILTERS[filter] }
    const lists = { w: { ...this.#list([from, to], 1, 0), ...filters } }
    const answer = await this.#request({ conn_id: 'window', lists }, undefined, 0)
    return answer?.status === 200 ? Object.keys(answer.body.rooms) : undefined
  }

  override reset(): void {
    super.reset()
    this.#pos = undefined
    this.#data.clear()
    this.#doubt = false
    this.counts = {}
  }

  follows(type: string, stateKey: string): boolean {
    return matches(STATE_WISHES[this.habits.wish]!, this.user, type, stateKey)
  }

  get lazy(): boolean {
    return isLazy(STATE_WISHES[this.habits.wish]!)
  }

  #randomWish(): Wish {
    const { rng } = this
    const states = new Map<string, number>()
    const state = (name: string): number => {
      const wish = rng.below(STATE_WISHES.length)
      states.set(name, wish)
      return wish
    }
    const list = (name: string): ClientEvent => {
      const from = rng.pick([0, 0, 0, 1])
      return this.#list([from, from + rng.below(4)], rng.pick([0, 1, 1, 2, 5, 10]), state(name))
    }
    const lists: ClientEvent = rng.chance(0.9) ? { all: list('all') } : {}
    if (rng.chance(0.3)) lists.some = { ...list('some'), filters: rng.pick(FILTERS) }
    const known = this.around.ledger.roomIds
    const subscriptions: ClientEvent = {}
    if (known.length > 0 && rng.chance(0.3)) {
      const id = rng.pick(known)
      subscriptions[id] = { timeline_limit: rng.pick([0, 1, 4, 20]), required_state: this.#state(state(id)) }
    }
    return { lists, subscriptions, states }
  }

  #state(wish: number): ClientEvent {
    const pairs = STATE_WISHES[wish]!
    if (!this.habits.stable) return pairs
    const include = pairs
      .filter(([, key]) => key !== '$LAZY')
      .map(([type, key]) => ({
        ...(type === '*' ? {} : { type }),
        ...(key === '*' ? {} : { state_key: key === '$ME' ? this.user : key }),
      }))
    return { include, lazy_members: isLazy(pairs) }
  }

  #list(range: readonly [number, number], limit: number, wish: number): ClientEvent {
    const ranges = this.habits.stable ? { range } : { ranges: [range] }
    return { ...ranges, timeline_limit: limit, required_state: this.#state(wish) }
  }

  async #ask(wish: Wish, timeoutMs: number): Promise<Outcome> {
    const { lists, subscriptions } = wish
    const pos = this.#pos
    const life = this.around.server.lives
    const body = { conn_id: 'main', lists, room_subscriptions: subscriptions, extensions: EXTENSIONS }
    const answer = await this.#request(body, pos, timeoutMs)
    if (answer?.status !== 200) {
      if (answer === undefined || answer.status === 503) this.#doubt = true
      else if (answer.status === 400 && answer.body.errcode === 'M_UNKNOWN_POS') {
        if (!this.#doubt && this.around.server.lives === this.#life && pos !== undefined) {
          throw new SimFailure(`${this.name}: the position ${pos} was forgotten`)
        }
        this.reset()
      } else if (answer.status !== 401) {
        throw new SimFailure(`${this.name}: a sliding sync was refused: ${JSON.stringify(answer.body)}`)
      }
      return 'lost'
    }
    if (this.#pos !== pos) throw new SimFailure(`${this.name}: two syncs at once`)
    this.#life = life
    this.#take(answer, wish)
    const { rooms, extensions } = answer.body
    return Object.keys(rooms).length > 0 || Object.keys(extensions).length > 0 ? 'news' : 'quiet'
  }

  #request(body: ClientEvent, pos: string | undefined, timeout: number): Promise<Answer | undefined> {
    const { stable } = this.habits
    if (stable) {
      const whole = { ...body, timeout, ...(pos === undefined ? {} : { pos }) }
      return this.ask('POST', '/sync', whole, timeout, PREFIX.stable)
    }
    const query = new URLSearchParams({ timeout: String(timeout), ...(pos === undefined ? {} : { pos }) })
    return this.ask('POST', `/sync?${query}`, body, timeout, PREFIX.today)
  }

  #take(answer: Answer, wish: Wish): void {
    const { pos, lists, rooms, extensions } = answer.body
    for (const [name, { count }] of Object.entries<ClientEvent>(lists)) this.counts[name] = count
    for (const [roomId, room] of Object.entries<ClientEvent>(rooms)) {
      this.#takeRoom(roomId, room, answer, wish)
    }
    const data = extensions.account_data ?? {}
    for (const event of data.global ?? []) this.accountData.set(event.type, JSON.stringify(event.content))
    for (const [roomId, events] of Object.entries<ClientEvent>(data.rooms ?? {})) {
      const known = this.#dataOf(roomId)
      for (const event of events) known.set(event.type, JSON.stringify(event.content))
    }
    for (const part of [extensions.receipts, extensions.typing]) {
      for (const [roomId, event] of Object.entries<ClientEvent>(part?.rooms ?? {})) {
        const view = this.rooms.get(roomId)
        if (view?.membership !== 'join') {
          throw new SimFailure(`${this.name}: ${event.type} of ${roomId}, where the client is not`)
        }
        view.takeEphemeral(event, this.user)
      }
    }
    this.#pos = pos as string
  }

  /** Account data of a room, which may be told while it is an invite. */
  #dataOf(roomId: string): Map<string, string> {
    const known = this.#data.get(roomId) ?? new Map<string, string>()
    this.#data.set(roomId, known)
    return known
  }

  #takeRoom(roomId: string, room: ClientEvent, answer: Answer, wish: Wish): void {
    const { stable } = this.habits
    const stripped = stable ? room.stripped_state : room.invite_state
    if (stripped) {
      this.takeStripped(roomId, room.membership, stripped)
      return
    }
    if (this.invites.has(roomId) || this.knocks.has(roomId)) {
      if (room.membership === undefined) return
      this.invites.delete(roomId)
      this.knocks.delete(roomId)
    }
    this.seen(roomId, room.timeline ?? [], answer, 'sliding')
    this.seen(roomId, room.required_state ?? [], answer, 'state')
    let view = this.rooms.get(roomId)
    if (room.initial) {
      view = this.newView(roomId)
      view.since = answer.position
      view.accountData = this.#dataOf(roomId)
    } else if (!view) throw new SimFailure(`${this.name}: ${roomId} is new and not initial`)
    else if (view.membership !== 'join') {
      /* The end of a refused invite, or one of a room that is told again. */
      view.missedStay = true
    }
    const left = room.membership !== 'join'
    view.membership = left ? 'leave' : 'join'
    /* Of a room that was never seen joined there is one event, or what may be seen of it now. */
    if (left && room.initial) view.missedStay = true
    this.#takeTimeline(
      view,
      room,
      [...(room.lists ?? []), roomId].flatMap((name) => wish.states.get(name) ?? []),
    )
    view.takeState(room.required_state ?? [])
    if (room.name !== undefined || room.initial) view.name = room.name ?? undefined
    if (room.is_dm !== undefined) view.direct = room.is_dm
    for (const name of ['joined_count', 'heroes', 'notification_count']) {
      if (left && room[name] !== undefined)
        throw new SimFailure(`${this.name}: ${roomId} was left, and has ${name}`)
    }
    if (room.joined_count !== undefined) {
      view.heroes = room.heroes?.map((hero: ClientEvent) => hero.user_id) ?? []
      view.summary = { joined: room.joined_count, invited: room.invited_count }
    }
    if (room.notification_count !== undefined) view.takeUnread(room)
  }

  #takeTimeline(view: RoomView, room: ClientEvent, wishes: readonly number[]): void {
    if (room.timeline === undefined) return
    const asked = wishes.map((wish) => STATE_WISHES[wish]!)
    const expanded = this.habits.stable ? room.expanded_timeline : room.unstable_expanded_timeline
    const { timeline: events, limited, prev_batch } = room
    /* What is not kept up to date is forgotten: members at a gap, and where they are not asked for. */
    const told = asked.some(isLazy) || asked.some((pairs) => matches(pairs, this.user, 'm.room.member', '*'))
    if (limited || !told) {
      view.forgetMembers((user) => asked.some((pairs) => matches(pairs, this.user, 'm.room.member', user)))
    }
    if (expanded) view.expand(events, limited, prev_batch)
    else {
      const timeline = { events, limited, prev_batch }
      view.takeTimeline(timeline, { fresh: room.initial === true, again: false, initial: true })
    }
    if (!told) view.senders.clear()
  }
}

function isLazy(pairs: readonly Pair[]): boolean {
  return pairs.some(([, key]) => key === '$LAZY')
}

function matches(pairs: readonly Pair[], user: string, type: string, stateKey: string): boolean {
  return pairs.some(([ofType, ofKey]) => {
    if (ofKey === '$LAZY') return false
    const key = ofKey === '$ME' ? user : ofKey
    if ((ofType !== '*' && ofType !== type) || (key !== '*' && key !== stateKey)) return false
    /* With lazy members an element without a type means no members. */
    return type !== 'm.room.member' || ofType !== '*' || key !== '*' || !isLazy(pairs)
  })
}
