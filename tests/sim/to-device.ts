/**
 * Messages to devices, exactly once: servers that crash, a disk that fails, answers that are lost, syncs that are
 * repeated. Everything follows from the seed.
 */
import { CALM, Network, type NetworkFaults } from './network.ts'
import { checkDatabase } from './oracles.ts'
import type { SeededRng } from './seeded-rng.ts'
import { SimServer } from './sim-server.ts'
import { SimFailure, SimWorld } from './sim-world.ts'
import type { SimFailed } from './simulation.ts'

const V3 = '/_matrix/client/v3'
const SLIDING = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
const QUIET_MS = 60_000
const TRIES_MAX = 500

export interface ToDeviceResult {
  readonly sent: number
  readonly received: number
  readonly crashes: number
  readonly requests: number
}

/** A client that keeps what it applied together with its place, as a real one does in one transaction of its store. */
class Client {
  readonly user: string
  readonly sliding: boolean
  id = ''
  token = ''
  since: string | undefined
  pos: string | undefined
  /** `sender number` of each message, in the order in which they came. */
  readonly log: string[] = []

  constructor(user: string, sliding: boolean) {
    this.user = user
    this.sliding = sliding
  }
}

interface Sent {
  readonly name: string
  readonly from: string
  readonly to: ReadonlySet<Client>
  acknowledged: boolean
}

class ToDeviceSimulation {
  readonly world: SimWorld
  readonly #rng: SeededRng
  readonly #network: Network
  readonly #server: SimServer
  readonly #clients: Client[] = []
  readonly #sent: Sent[] = []
  #over = false
  #crashes = 0

  constructor(seed: string) {
    this.world = new SimWorld(`to-device ${seed}`)
    this.#rng = this.world.rng.fork('plan')
    this.#network = new Network(this.world, faultsOf(this.#rng))
    this.#server = new SimServer(this.world, {
      name: 'one.test',
      commitMsMax: this.#rng.pick([0, 2, 10, 50]),
      slowReads: { share: this.#rng.pick([0, 0, 0.2]), msMax: this.#rng.pick([1, 40]) },
    })
  }

  async run(): Promise<ToDeviceResult> {
    await this.world.run(this.#live())
    await this.world.run(this.#settle())
    this.#check()
    await this.world.run(this.#server.stop())
    checkDatabase(this.#server.path)
    const received = this.#clients.reduce((sum, { log }) => sum + log.length, 0)
    return { sent: this.#sent.length, received, crashes: this.#crashes, requests: this.#network.requests }
  }

  dispose(): void {
    this.#server.dispose()
  }

  async #live(): Promise<void> {
    await this.#server.start()
    const calm = this.#network.faults
    this.#network.faults = CALM
    const users = this.#rng.between(2, 3)
    for (let u = 0; u < users; u++) await this.#join(`u${u}`, this.#rng.between(1, 3))
    this.#network.faults = calm
    const count = this.#rng.between(10, 60)
    const readers = this.#clients.map((client) => this.#read(client, this.#rng.fork(`read ${client.id}`)))
    const senders = this.#clients.map((client) =>
      this.#write(client, count, this.#rng.fork(`write ${client.id}`)),
    )
    this.#trouble(this.#rng.fork('trouble')).catch((error: unknown) => this.world.fail(error))
    await Promise.all(senders)
    this.#over = true
    await Promise.all(readers)
  }

  async #join(name: string, devices: number): Promise<void> {
    for (let d = 0; d < devices; d++) {
      const user = `@${name}:one.test`
      const client = new Client(user, this.#rng.chance(0.3))
      const auth = { type: 'm.login.dummy' }
      const identifier = { type: 'm.id.user', user: name }
      const [path, body] =
        d === 0
          ? [`${V3}/register`, { username: name, password: 'a password', auth }]
          : [`${V3}/login`, { type: 'm.login.password', identifier, password: 'a password' }]
      const answer = await this.#call(client, 'POST', path, body)
      if (answer?.status !== 200) throw new SimFailure(`${name} cannot get in: ${answer?.status}`)
      client.id = answer.body.device_id
      client.token = answer.body.access_token
      this.#clients.push(client)
    }
  }

  #call(client: Client, method: 'GET' | 'POST' | 'PUT', path: string, body?: object, waitMs = 0) {
    const who = `${client.user.slice(0, 3)}/${client.id}`
    const { token } = client
    return this.#network.exchange(this.#server, {
      who,
      token,
      method,
      path,
      body,
      waitMs,
      patienceMs: 60_000 + waitMs,
    })
  }

  async #write(client: Client, count: number, rng: SeededRng): Promise<void> {
    for (let n = 0; n < count && rng.chance(0.98); n++) {
      await this.world.sleep(rng.below(rng.pick([5, 2000])))
      const name = `${client.id} ${n}`
      const { to, messages } = this.#addresses(name, rng)
      const sent: Sent = { name, from: client.id, to, acknowledged: false }
      this.#sent.push(sent)
      for (let tries = 0; !sent.acknowledged; tries++) {
        if (tries > TRIES_MAX) throw new SimFailure(`${name} was never taken`)
        const path = `${V3}/sendToDevice/m.test/t${n}`
        const answer = await this.#call(client, 'PUT', path, { messages })
        sent.acknowledged = answer?.status === 200
        if (!sent.acknowledged || rng.chance(0.05)) await this.world.sleep(rng.below(1000))
        if (sent.acknowledged && rng.chance(0.05)) await this.#call(client, 'PUT', path, { messages })
      }
    }
  }

  #addresses(
    name: string,
    rng: SeededRng,
  ): { to: Set<Client>; messages: Record<string, Record<string, object>> } {
    const to = new Set<Client>()
    const messages: Record<string, Record<string, object>> = {}
    const target = rng.pick(this.#clients)
    if (rng.chance(0.4)) {
      messages[target.user] = { '*': { name } }
      for (const client of this.#clients) if (client.user === target.user) to.add(client)
    } else {
      for (const client of new Set([target, rng.pick(this.#clients)])) {
        const devices = messages[client.user] ?? {}
        devices[client.id] = rng.chance(0.5) ? { name } : { name, for: client.id }
        messages[client.user] = devices
        to.add(client)
      }
    }
    return { to, messages }
  }

  async #read(client: Client, rng: SeededRng): Promise<void> {
    const pause = rng.pick([0, 200, 5000])
    while (!this.#over) {
      await this.world.sleep(rng.below(pause + 1))
      await this.#sync(client, rng.pick([0, 2000]), rng.chance(0.1))
    }
  }

  /** One sync; with `forgets` the client falls over before it has kept the answer. Gives how many messages came. */
  async #sync(client: Client, waitMs: number, forgets = false): Promise<number | undefined> {
    const answer = client.sliding ? await this.#slide(client, waitMs) : await this.#pull(client, waitMs)
    if (!answer || forgets) return undefined
    for (const event of answer.events) client.log.push(event.content.name)
    client.since = answer.next
    return answer.events.length
  }

  async #pull(client: Client, waitMs: number): Promise<Given | undefined> {
    const since = client.since === undefined ? '' : `&since=${client.since}`
    const answer = await this.#call(client, 'GET', `${V3}/sync?timeout=${waitMs}${since}`, undefined, waitMs)
    if (answer?.status !== 200) return undefined
    return { events: answer.body.to_device?.events ?? [], next: answer.body.next_batch }
  }

  async #slide(client: Client, waitMs: number): Promise<Given | undefined> {
    const pos = client.pos === undefined ? '' : `&pos=${client.pos}`
    const toDevice = {
      enabled: true,
      limit: 10,
      ...(client.since === undefined ? {} : { since: client.since }),
    }
    const body = { lists: {}, extensions: { to_device: toDevice } }
    const answer = await this.#call(client, 'POST', `${SLIDING}?timeout=${waitMs}${pos}`, body, waitMs)
    client.pos = answer?.status === 200 ? answer.body.pos : undefined
    if (answer?.status !== 200) return undefined
    const { events, next_batch: next } = answer.body.extensions.to_device
    return { events, next }
  }

  async #trouble(rng: SeededRng): Promise<void> {
    const often = rng.pick([500, 3000])
    for (let left = rng.below(7); left > 0; left--) {
      await this.world.sleep(rng.below(often))
      if (this.#over) return
      const what = rng.weighted({ between: 2, statement: 3, commit: 2, committed: 3, disk: 1 })
      if (what === 'disk') {
        this.#server.diskFails = rng.pick([0.05, 0.5])
        await this.world.sleep(rng.below(2000))
        this.#server.diskFails = 0
        if (!this.#server.life) await this.#server.start()
      } else {
        this.#crashes++
        if (what === 'between') this.#server.crash('between requests')
        else
          this.#server.crashLater({ point: what, countdown: rng.between(1, what === 'statement' ? 30 : 4) })
      }
    }
  }

  /** Ends all faults; every client reads to its end, and comes back once more, so that all is known to be delivered. */
  async #settle(): Promise<void> {
    this.#network.faults = CALM
    this.#server.diskFails = 0
    this.#server.cancelCrash()
    await this.world.sleep(QUIET_MS)
    await this.#server.start()
    for (const client of this.#clients) {
      for (let round = 0; ; round++) {
        if (round > TRIES_MAX) throw new SimFailure(`${client.id} never comes to the end`)
        if ((await this.#sync(client, 0)) === 0) break
      }
    }
    await this.world.sleep(QUIET_MS)
  }

  #check(): void {
    for (const client of this.#clients) {
      const wanted = this.#sent.filter(({ to }) => to.has(client)).map(({ name }) => name)
      const counts = new Map<string, number>()
      for (const name of client.log) counts.set(name, (counts.get(name) ?? 0) + 1)
      for (const name of wanted) {
        if (counts.get(name) !== 1)
          throw new SimFailure(`${client.id} got ${name} ${counts.get(name) ?? 0} times`)
      }
      if (client.log.length !== wanted.length) throw new SimFailure(`${client.id} got what was not for it`)
      for (const { id } of this.#clients) {
        const from = client.log
          .filter((name) => name.startsWith(`${id} `))
          .map((name) => Number(name.split(' ')[1]))
        if (from.some((n, i) => i > 0 && n <= from[i - 1]!))
          throw new SimFailure(`${client.id}: out of order: ${from}`)
      }
    }
    const left = this.#server.database.prepare('SELECT COUNT(*) AS n FROM inbox_messages').get()
    if (left?.['n'] !== 0) throw new SimFailure(`${left?.['n']} delivered messages are still there`)
  }
}

interface Given {
  // biome-ignore lint/suspicious/noExplicitAny: messages are what the clients made of them
  readonly events: any[]
  readonly next: string
}

function faultsOf(rng: SeededRng): NetworkFaults {
  return {
    delayMsMax: rng.pick([3, 30, 300]),
    slow: rng.pick([0, 0.02]),
    lostBefore: rng.pick([0, 0.05]),
    lostAfter: rng.pick([0, 0.05, 0.2]),
  }
}

export async function simulateToDevice(seed: string): Promise<ToDeviceResult | SimFailed> {
  const simulation = new ToDeviceSimulation(seed)
  try {
    return await simulation.run()
  } catch (error) {
    return { error: error as Error, history: simulation.world.history }
  } finally {
    simulation.dispose()
  }
}
