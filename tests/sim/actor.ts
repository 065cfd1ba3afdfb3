/** A user who does random things on one or two devices. */
import type { Device, Login, Surroundings } from './device.ts'
import type { SeededRng } from './seeded-rng.ts'
import { SlidingDevice, STATE_WISH_COUNT } from './sliding-device.ts'
import { SyncDevice } from './sync-device.ts'

/** A room that somebody was told of. */
export interface KnownRoom {
  readonly roomId: string
  readonly server: string
}

/** What the users of a simulation share, besides the servers. */
export interface Neighbourhood {
  readonly rooms: KnownRoom[]
  readonly users: { readonly user: string; readonly server: string }[]
  readonly roomsMax: number
}

const WEIGHTS = {
  createRoom: 5,
  join: 12,
  invite: 10,
  leave: 5,
  kick: 3,
  ban: 2,
  unban: 2,
  send: 40,
  state: 8,
  redact: 4,
  roomData: 3,
  data: 3,
  name: 3,
  fill: 8,
  look: 4,
  forget: 3,
  login: 4,
} as const

const VISIBILITIES = ['shared', 'shared', 'joined', 'invited', 'world_readable'] as const
const FILTERED_TYPES = [['m.reaction'], ['m.room.member', 'm.room.topic'], ['m.room.*'], ['*']]
const SYNC_TIMEOUTS = [0, 0, 100, 1000, 5000, 30_000]
const DEVICES_MAX = 2
/** Share of the devices that sync by sliding sync. */
const SLIDING_SHARE = 0.4
/** Share of the users who deactivate their account at the end. */
const DEACTIVATED_SHARE = 0.1
const REGISTRATION_TRIES = 30

export class Actor {
  readonly name: string
  readonly devices: Device[] = []
  /** All devices ever, for the checks at the end. */
  readonly #around: Surroundings
  readonly #town: Neighbourhood
  readonly #rng: SeededRng
  readonly #password: string
  readonly #loops: Promise<void>[] = []
  readonly #aside: Promise<void>[] = []
  /** Set when the user asked for the end of the account. */
  deactivated = false
  #user = ''
  #count = 0
  stopping = false

  constructor(around: Surroundings, town: Neighbourhood, name: string, rng: SeededRng) {
    this.#around = around
    this.#town = town
    this.name = name
    this.#rng = rng
    this.#password = `pass word of ${name}`
  }

  get user(): string {
    return this.#user
  }

  /** Registers, does `operations` random things, and stops its syncs. */
  async live(operations: number): Promise<void> {
    const { world, ledger } = this.#around
    await this.#begin()
    for (let i = 0; i < operations; i++) {
      await world.sleep(this.#rng.below(this.#rng.chance(0.1) ? 4000 : 300))
      const device = this.devices.length === 0 ? await this.login() : this.#rng.pick(this.devices)
      if (!device) continue
      ledger.operations++
      const bare = !this.#town.rooms.some((room) => room.server === this.#around.server.name)
      const act = this.#act(device, bare ? 'createRoom' : this.#rng.weighted(WEIGHTS))
      /* Some things are done side by side. */
      if (bare || this.#rng.chance(0.8)) await act
      else {
        act.catch((error: unknown) => world.fail(error))
        this.#aside.push(act)
      }
    }
    if (this.#rng.chance(DEACTIVATED_SHARE)) await this.#deactivate()
    await Promise.all(this.#aside)
    this.stopping = true
    await Promise.all(this.#loops)
  }

  /** Registers; when the answer was lost, logs in instead. */
  async #begin(): Promise<void> {
    const { network, server, world } = this.#around
    for (let i = 0; i < REGISTRATION_TRIES; i++) {
      const answer = await network.exchange(server, {
        who: this.name,
        method: 'POST',
        path: '/_matrix/client/v3/register',
        body: {
          username: this.name,
          password: this.#password,
          auth: { type: 'm.login.dummy' },
          refresh_token: this.#rng.chance(0.3),
        },
        patienceMs: 5000,
      })
      if (answer?.status === 200) {
        this.#enter(answer.body)
        return
      }
      if (answer?.status === 400 && answer.body.errcode === 'M_USER_IN_USE' && (await this.login())) return
      await world.sleep(this.#rng.below(1000))
    }
    throw new Error(`${this.name} could not register`)
  }

  async login(): Promise<Device | undefined> {
    const { network, server } = this.#around
    const answer = await network.exchange(server, {
      who: this.name,
      method: 'POST',
      path: '/_matrix/client/v3/login',
      body: {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: `@${this.name}:${server.name}` },
        password: this.#password,
        refresh_token: this.#rng.chance(0.3),
      },
      patienceMs: 5000,
    })
    return answer?.status === 200 ? this.#enter(answer.body) : undefined
  }

  #enter(login: Login): Device {
    const rng = this.#rng.fork(`device ${login.device_id}`)
    const device = rng.chance(SLIDING_SHARE) ? this.#slidingDevice(login, rng) : this.#syncDevice(login, rng)
    device.leaving = this.deactivated
    if (this.#user === '') {
      this.#user = login.user_id
      /* An account is named after its localpart at first. */
      const { server, ledger } = this.#around
      ledger.write(`${server.name} name ${login.user_id}`, this.name, 0).done = 0
      this.#town.users.push({ user: login.user_id, server: server.name })
    }
    this.devices.push(device)
    const loop = this.#syncLoop(device, rng.fork('sync'))
    loop.catch((error: unknown) => this.#around.world.fail(error))
    this.#loops.push(loop)
    return device
  }

  #syncDevice(login: Login, rng: SeededRng): Device {
    const habits = {
      limit: rng.pick([1, 2, 3, 5, 10, 20]),
      lazy: rng.chance(0.3),
      stateAfter: rng.chance(0.3),
      storedFilter: rng.chance(0.5),
      includeLeave: rng.chance(0.2),
      notTypes: rng.chance(0.25) ? rng.pick(FILTERED_TYPES) : [],
      byThread: rng.chance(0.4),
    }
    return new SyncDevice(this.#around, login, habits, rng)
  }

  #slidingDevice(login: Login, rng: SeededRng): Device {
    const habits = {
      stable: rng.chance(0.3),
      wish: rng.below(STATE_WISH_COUNT),
      limit: rng.pick([1, 2, 3, 5, 10, 20]),
      changes: rng.pick([0, 0.05, 0.3, 0.7]),
    }
    return new SlidingDevice(this.#around, login, habits, rng)
  }

  async #syncLoop(device: Device, rng: SeededRng): Promise<void> {
    const { world } = this.#around
    while (!this.stopping && !device.ended) {
      if (rng.chance(0.01)) device.reset()
      await device.sync(rng.pick(SYNC_TIMEOUTS), rng.chance(0.03))
      if (rng.chance(0.3)) await world.sleep(rng.below(2000))
      else await world.sleep(rng.below(20))
    }
    const at = this.devices.indexOf(device)
    if (device.ended && at >= 0) this.devices.splice(at, 1)
  }

  async #act(device: Device, what: keyof typeof WEIGHTS): Promise<void> {
    switch (what) {
      case 'createRoom':
        return this.#createRoom(device)
      case 'join':
      case 'invite':
      case 'leave':
      case 'kick':
      case 'ban':
      case 'unban':
        return this.#membership(device, what)
      case 'send':
        await Promise.all(Array.from({ length: this.#rng.pick([1, 1, 1, 2, 4]) }, () => this.#send(device)))
        return
      case 'state':
        return this.#setState(device)
      case 'redact':
        return this.#redact(device)
      case 'roomData':
      case 'data':
        return this.#setData(device, what === 'roomData')
      case 'name':
        return this.#setName(device)
      case 'fill':
        for (const view of device.rooms.values()) {
          if (await device.fillSome(view, this.#rng.pick([1, 2, 5, 20]))) return
        }
        return
      case 'look':
        return this.#look(device)
      case 'forget':
        return this.#forget(device)
      case 'login':
        return this.#loginOrOut(device)
    }
  }

  #marker(): string {
    return `${this.name}-${++this.#count}`
  }

  /** A room that the device is in, mostly. */
  #room(device: Device): string | undefined {
    const joined = [...device.rooms.values()].filter((view) => view.membership === 'join')
    if (joined.length > 0 && this.#rng.chance(0.95)) return this.#rng.pick(joined).roomId
    const here = this.#town.rooms.filter((room) => room.server === this.#around.server.name)
    return here.length === 0 ? undefined : this.#rng.pick(here).roomId
  }

  #someone(): string {
    const here = this.#town.users.filter((one) => one.server === this.#around.server.name)
    return this.#rng.pick(here).user
  }

  async #createRoom(device: Device): Promise<void> {
    const { rooms, roomsMax } = this.#town
    const server = this.#around.server.name
    if (rooms.filter((room) => room.server === server).length >= roomsMax) return this.#send(device)
    const visibility = this.#rng.pick(VISIBILITIES)
    const answer = await device.insist('POST', '/createRoom', {
      room_version: this.#rng.pick(['11', '11', '12', '12', '12', '1', '6', '10']),
      preset: this.#rng.pick(['public_chat', 'public_chat', 'private_chat', 'trusted_private_chat']),
      ...(this.#rng.chance(0.5) ? { name: this.#marker() } : {}),
      invite: this.#rng.chance(0.5) ? [this.#someone()].filter((user) => user !== this.#user) : [],
      initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: visibility } }],
    })
    if (answer?.status !== 200) return
    rooms.push({ roomId: answer.body.room_id as string, server })
    this.#around.ledger.roomIds.push(answer.body.room_id as string)
    const created = { roomId: answer.body.room_id as string, sender: this.#user, target: this.#user }
    this.#around.ledger.memberships.push({ ...created, membership: 'join' })
  }

  async #membership(
    device: Device,
    what: 'join' | 'invite' | 'leave' | 'kick' | 'ban' | 'unban',
  ): Promise<void> {
    let roomId = this.#room(device)
    if (what === 'join') {
      const invited = [...device.invites.keys()]
      const here = this.#town.rooms.filter((room) => room.server === this.#around.server.name)
      if (invited.length > 0 && this.#rng.chance(0.6)) roomId = this.#rng.pick(invited)
      else if (here.length > 0) roomId = this.#rng.pick(here).roomId
    } else if (what === 'leave' && device.invites.size > 0 && this.#rng.chance(0.4)) {
      roomId = this.#rng.pick([...device.invites.keys()])
    }
    if (roomId === undefined) return
    const own = what === 'join' || what === 'leave'
    const target = own ? this.#user : this.#someone()
    const path = `/rooms/${encodeURIComponent(roomId)}/${what}`
    const answer = await device.insist('POST', path, own ? {} : { user_id: target })
    if (what === 'join') {
      const { joins } = this.#around.ledger
      const key = `${roomId} ${this.#user}`
      joins.set(key, (joins.get(key) ?? 0) + (answer?.tries ?? Number.POSITIVE_INFINITY))
    }
    if (answer?.status !== 200) return
    const membership = what === 'kick' || what === 'unban' ? 'leave' : what
    this.#around.ledger.memberships.push({ roomId, sender: this.#user, target, membership })
  }

  async #send(device: Device): Promise<void> {
    const roomId = this.#room(device)
    if (roomId === undefined) return
    const { ledger } = this.#around
    const marker = this.#marker()
    ledger.markers.set(marker, this.#user)
    const type = this.#rng.pick(['m.room.message', 'm.reaction'])
    const path = `/rooms/${encodeURIComponent(roomId)}/send/${type}/${marker}`
    const answer = await device.insist('PUT', path, { marker, body: marker })
    if (answer?.status !== 200) return
    ledger.events.push({ roomId, eventId: answer.body.event_id as string, sender: this.#user, type, marker })
  }

  async #setState(device: Device): Promise<void> {
    const roomId = this.#room(device)
    if (roomId === undefined) return
    const type = this.#rng.pick(['m.room.topic', 'm.room.name', 'org.example.note'])
    const stateKey = type === 'org.example.note' ? this.#rng.pick(['', 'a', 'b']) : ''
    /* Few values, so that setting what is set already happens. */
    const marker = this.#rng.chance(0.4) ? `value-${this.#rng.below(2)}` : this.#marker()
    const answer = await device.insist(
      'PUT',
      `/rooms/${encodeURIComponent(roomId)}/state/${type}/${stateKey}`,
      this.#rng.chance(0.15) && type === 'm.room.topic'
        ? { marker, topic: marker, extra: 'x'.repeat(10) }
        : { marker, name: marker },
    )
    if (answer?.status !== 200) return
    const eventId = answer.body.event_id as string
    this.#around.ledger.events.push({ roomId, eventId, sender: this.#user, type, marker, stateKey })
  }

  async #redact(device: Device): Promise<void> {
    const { ledger } = this.#around
    const own = ledger.events.filter((event) => event.type === 'm.room.message')
    const roomId = this.#room(device)
    const candidates = own.filter((event) => event.roomId === roomId)
    if (candidates.length === 0 || roomId === undefined) return
    const { eventId: redacts } = this.#rng.pick(candidates)
    const path = `/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(redacts)}/${this.#marker()}`
    const answer = await device.insist('PUT', path, {})
    if (answer?.status !== 200) return
    const eventId = answer.body.event_id as string
    ledger.events.push({ roomId, eventId, sender: this.#user, type: 'm.room.redaction', redacts })
  }

  async #setData(device: Device, inRoom: boolean): Promise<void> {
    const { ledger, world, server } = this.#around
    const roomId = inRoom ? this.#room(device) : undefined
    if (inRoom && roomId === undefined) return
    const type = this.#rng.pick(['org.example.a', 'org.example.b'])
    const value = this.#marker()
    const name = `${server.name} data ${this.#user} ${type}${roomId === undefined ? '' : ` ${roomId}`}`
    const entry = ledger.write(name, value, world.time)
    const where = roomId === undefined ? '' : `/rooms/${encodeURIComponent(roomId)}`
    const path = `/user/${encodeURIComponent(this.#user)}${where}/account_data/${type}`
    const answer = await device.insist('PUT', path, { value })
    if (answer) entry.repeated = answer.tries > 1
    if (answer?.status === 200) entry.done = world.time
  }

  async #setName(device: Device): Promise<void> {
    const { ledger, world, server } = this.#around
    const value = this.#marker()
    const entry = ledger.write(`${server.name} name ${this.#user}`, value, world.time)
    const path = `/profile/${encodeURIComponent(this.#user)}/displayname`
    const answer = await device.insist('PUT', path, { displayname: value })
    if (answer) entry.repeated = answer.tries > 1
    if (answer?.status === 200) entry.done = world.time
  }

  /** Reads this and that, which must not show what the user may not see. */
  async #look(device: Device): Promise<void> {
    const here = this.#town.rooms.filter((room) => room.server === this.#around.server.name)
    if (here.length === 0) return
    const { roomId } = this.#rng.pick(here)
    const room = `/rooms/${encodeURIComponent(roomId)}`
    const what = this.#rng.pick(['messages', 'event', 'state'])
    if (what === 'messages') {
      const answer = await device.ask('GET', `${room}/messages?dir=${this.#rng.pick(['b', 'f'])}&limit=30`)
      if (answer?.status === 200) device.seen(roomId, answer.body.chunk, answer, 'messages without a token')
    } else if (what === 'event') {
      const events = this.#around.ledger.events.filter((event) => event.roomId === roomId)
      if (events.length === 0) return
      const { eventId } = this.#rng.pick(events)
      const answer = await device.ask('GET', `${room}/event/${encodeURIComponent(eventId)}`)
      if (answer?.status === 200) device.seen(roomId, [answer.body], answer, 'event')
    } else await device.ask('GET', `${room}/state`)
  }

  /** Ends the account, while other things of this user may be under way. */
  async #deactivate(): Promise<void> {
    const [device] = this.devices
    if (!device) return
    this.deactivated = true
    for (const one of this.devices) one.leaving = true
    const identifier = { type: 'm.id.user', user: this.#user }
    const auth = { type: 'm.login.password', identifier, password: this.#password }
    const answer = await device.insist('POST', '/account/deactivate', { auth })
    const session = answer?.status === 401 ? (answer.body.session as string | undefined) : undefined
    if (session !== undefined) {
      await device.insist('POST', '/account/deactivate', { auth: { ...auth, session } })
    }
  }

  async #forget(device: Device): Promise<void> {
    const left = [...device.rooms.values()].filter((view) => view.membership === 'leave')
    if (left.length === 0) return
    const { roomId } = this.#rng.pick(left)
    await device.insist('POST', `/rooms/${encodeURIComponent(roomId)}/forget`, {})
  }

  async #loginOrOut(device: Device): Promise<void> {
    if (this.devices.length < DEVICES_MAX) {
      await this.login()
      return
    }
    if (this.#rng.chance(0.5)) return device.refresh()
    device.leaving = true
    const answer = await device.insist('POST', '/logout', {})
    if (answer?.status === 200) device.ended = true
  }
}
