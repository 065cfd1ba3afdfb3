/** A user who does random things on one or two devices. */
import type { Device, Login, Surroundings } from './device.ts'
import { Doer, type Neighbourhood } from './doer.ts'
import { ignore, read, setData, setName, sort, type } from './own-deeds.ts'
import { changeMembership, createRoom, forget, look, redact, send, setState, upgrade } from './room-deeds.ts'
import type { SeededRng } from './seeded-rng.ts'
import { SlidingDevice, STATE_WISH_COUNT } from './sliding-device.ts'
import { SyncDevice } from './sync-device.ts'

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
  knock: 4,
  upgrade: 1,
  read: 14,
  type: 4,
  sort: 4,
  ignore: 5,
} as const

const DEEDS = {
  createRoom,
  upgrade,
  state: setState,
  redact,
  name: setName,
  read,
  type,
  sort,
  look,
  forget,
}
const FILTERED_TYPES = [['m.reaction'], ['m.room.member', 'm.room.topic'], ['m.room.*'], ['*']]
const SYNC_TIMEOUTS = [0, 0, 100, 1000, 5000, 30_000]
const DEVICES_MAX = 2
/** Share of the devices that sync by sliding sync. */
const SLIDING_SHARE = 0.4
/** Share of the users who deactivate their account at the end. */
const DEACTIVATED_SHARE = 0.1
const REGISTRATION_TRIES = 30
/** Share of the users who ignore others. */
const GRUMPY_SHARE = 0.35

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
  readonly #doer: Doer
  readonly #grumpy: boolean
  stopping = false

  constructor(around: Surroundings, town: Neighbourhood, name: string, rng: SeededRng) {
    this.#around = around
    this.#town = town
    this.name = name
    this.#rng = rng
    this.#password = `pass word of ${name}`
    this.#doer = new Doer(around, town, name, rng.fork('deeds'))
    this.#grumpy = rng.fork('mood').chance(GRUMPY_SHARE)
  }

  get user(): string {
    return this.#doer.user
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
      const bare = ledger.roomIds.length === 0
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
    if (this.user === '') {
      this.#doer.user = login.user_id
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
    const doer = this.#doer
    switch (what) {
      case 'send': {
        const count = this.#rng.pick([1, 1, 1, 2, 4])
        await Promise.all(Array.from({ length: count }, () => send(doer, device)))
        return
      }
      case 'join':
      case 'invite':
      case 'leave':
      case 'kick':
      case 'ban':
      case 'unban':
      case 'knock':
        return changeMembership(doer, device, what)
      case 'roomData':
      case 'data':
        return setData(doer, device, what === 'roomData')
      case 'fill':
        for (const view of device.rooms.values()) {
          if (await device.fillSome(view, this.#rng.pick([1, 2, 5, 20]))) return
        }
        return
      case 'login':
        return this.#loginOrOut(device)
      case 'ignore':
        if (this.#grumpy) await ignore(doer, device)
        return
      default:
        return DEEDS[what](doer, device)
    }
  }

  /** Ends the account, while other things of this user may be under way. */
  async #deactivate(): Promise<void> {
    const [device] = this.devices
    if (!device) return
    this.deactivated = true
    for (const one of this.devices) one.leaving = true
    const identifier = { type: 'm.id.user', user: this.user }
    const auth = { type: 'm.login.password', identifier, password: this.#password }
    const answer = await device.insist('POST', '/account/deactivate', { auth })
    const session = answer?.status === 401 ? (answer.body.session as string | undefined) : undefined
    if (session !== undefined) {
      await device.insist('POST', '/account/deactivate', { auth: { ...auth, session } })
    }
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
