/** One simulation: everything in it follows from the seed. */
import type { Store } from '#/ports/store/store.ts'
import { Actor } from './actor.ts'
import { checkDevice } from './client-oracles.ts'
import { checkContents } from './content-oracle.ts'
import type { Device } from './device.ts'
import type { Neighbourhood } from './doer.ts'
import { Ledger } from './ledger.ts'
import { CALM, Network, type NetworkFaults } from './network.ts'
import {
  checkAcknowledged,
  checkDatabase,
  checkDeactivated,
  checkDelivered,
  checkLeaks,
  checkNames,
  checkReceipts,
  checkRooms,
  checkValues,
  type Rooms,
  storedValues,
} from './oracles.ts'
import type { SeededRng } from './seeded-rng.ts'
import { SimServer } from './sim-server.ts'
import { SimFailure, SimWorld } from './sim-world.ts'
import { readTruth } from './truth.ts'

export interface SimOptions {
  /** A bug put into the store on purpose. */
  readonly plant?: (store: Store) => Store
  /** Characters of each answer in the history. */
  readonly answerChars?: number
  /** Faults to leave out, for looking at a failure. */
  readonly without?: ReadonlySet<'crashes' | 'disk' | 'network' | 'slow reads'>
}

export interface SimResult {
  readonly history: readonly string[]
  readonly hash: string
  readonly operations: number
  readonly requests: number
  readonly events: number
  readonly crashes: number
  readonly steps: number
  readonly simulatedMs: number
}

export interface SimFailed {
  readonly error: Error
  readonly history: readonly string[]
}

const QUIET_MS = 5 * 60 * 1000
const SETTLE_ROUNDS_MAX = 400
/** Steps of the wall clock, forth and back. */
const CLOCK_STEP_MS_MAX = 120_000
/** Share of the servers whose operator purges rooms. */
const PURGING_SHARE = 0.2
/** Crashes and disk failures of one server. */
const TROUBLES_MAX = 5

interface Town {
  readonly server: SimServer
  readonly ledger: Ledger
  readonly actors: Actor[]
}

class Simulation {
  readonly world: SimWorld
  readonly #rng: SeededRng
  readonly #network: Network
  readonly #towns: Town[] = []
  readonly #options: SimOptions
  #over = false
  #crashes = 0

  constructor(seed: string, options: SimOptions) {
    this.world = new SimWorld(seed)
    this.#rng = this.world.rng.fork('plan')
    this.#options = options
    this.#network = new Network(this.world, this.#without('network') ? CALM : networkFaults(this.#rng))
    this.#network.answerChars = options.answerChars ?? this.#network.answerChars
    const neighbourhood: Neighbourhood = { rooms: [], users: [], roomsMax: this.#rng.between(1, 3) }
    for (const name of ['one.test', 'two.test']) this.#addTown(name, neighbourhood)
  }

  #without(what: 'crashes' | 'disk' | 'network' | 'slow reads'): boolean {
    return this.#options.without?.has(what) ?? false
  }

  #addTown(name: string, neighbourhood: Neighbourhood): void {
    const rng = this.#rng.fork(name)
    const share = this.#without('slow reads') ? 0 : rng.pick([0, 0, 0.1, 0.4])
    const server = new SimServer(this.world, {
      name,
      commitMsMax: rng.pick([0, 2, 10, 50]),
      slowReads: { share, msMax: rng.pick([1, 5, 40]) },
      plant: this.#options.plant,
    })
    const ledger = new Ledger()
    const around = { world: this.world, network: this.#network, server, ledger }
    const count = this.#towns.length === 0 ? rng.between(2, 4) : rng.between(1, 2)
    const actors = Array.from({ length: count }, (_, i) => {
      const who = `u${i}${name[0]}`
      return new Actor(around, neighbourhood, who, rng.fork(who))
    })
    this.#towns.push({ server, ledger, actors })
  }

  async run(): Promise<SimResult> {
    await this.world.run(this.#live())
    await this.world.run(this.#settle())
    for (const town of this.#towns) await this.world.run(this.#checkTown(town))
    const rooms = this.#towns.map(({ server }) => readTruth(server.database))
    for (const town of this.#towns) checkDelivered(town.ledger, rooms)
    for (const { server } of this.#towns) {
      await this.world.run(server.stop())
      checkDatabase(server.path)
    }
    return this.#result(rooms)
  }

  dispose(): void {
    for (const { server } of this.#towns) server.dispose()
  }

  async #live(): Promise<void> {
    await Promise.all(this.#towns.map(({ server }) => server.start()))
    const operations = this.#rng.between(30, 90)
    const actors = this.#towns.flatMap((town) => town.actors)
    const lives = actors.map((actor) => actor.live(Math.ceil(operations / actors.length)))
    for (const { server } of this.#towns) {
      this.#trouble(server, this.#rng.fork(`trouble ${server.name}`)).catch((error: unknown) =>
        this.world.fail(error),
      )
    }
    for (const town of this.#towns) {
      const rng = this.#rng.fork(`purges ${town.server.name}`)
      if (rng.chance(PURGING_SHARE)) this.#purge(town, rng).catch((error: unknown) => this.world.fail(error))
    }
    await Promise.all(lives)
    this.#over = true
  }

  /** Deletes old messages of a room now and then. */
  async #purge({ server, ledger }: Town, rng: SeededRng): Promise<void> {
    for (let left = rng.between(1, 4); left > 0; left--) {
      await this.world.sleep(rng.below(15_000))
      const purge = server.life?.server?.purge
      if (this.#over || !purge || ledger.roomIds.length === 0) continue
      const roomId = rng.pick(ledger.roomIds)
      ledger.purged.add(roomId)
      this.world.note(`${server.name} purges ${roomId}`)
      /* A crash or the disk may be in the way. */
      purge.history(roomId, this.world.clock.now() - rng.pick([0, 500, 5000])).catch(() => {})
    }
  }

  /** Crashes a server now and then, and lets its disk fail for a while. */
  async #trouble(server: SimServer, rng: SeededRng): Promise<void> {
    const often = rng.pick([3000, 10_000])
    for (let left = rng.below(TROUBLES_MAX + 1); left > 0; left--) {
      await this.world.sleep(rng.below(often))
      if (this.#over) return
      const what = rng.weighted({ between: 2, statement: 3, commit: 2, committed: 3, disk: 1, clock: 0.5 })
      if (what === 'clock') {
        this.world.clockOffset += rng.between(-CLOCK_STEP_MS_MAX, CLOCK_STEP_MS_MAX)
        this.world.note(`the clock is set, now ${this.world.clockOffset} ms off`)
      } else if (what === 'disk') {
        if (this.#without('disk')) continue
        server.diskFails = rng.pick([0.02, 0.3, 1])
        await this.world.sleep(rng.below(3000))
        server.diskFails = 0
        if (!server.life) await server.start()
      } else if (!this.#without('crashes')) {
        this.#crashes++
        if (what === 'between') server.crash('between requests')
        else server.crashLater({ point: what, countdown: rng.between(1, what === 'statement' ? 40 : 4) })
      }
    }
  }

  /** Ends all faults, lets the jobs run out, and brings every client to the end of its streams. */
  async #settle(): Promise<void> {
    this.#network.faults = CALM
    for (const { server } of this.#towns) {
      server.diskFails = 0
      server.cancelCrash()
    }
    await this.world.sleep(QUIET_MS)
    for (const town of this.#towns) {
      await town.server.start()
      await this.#drainJobs(town.server)
      const fresh = this.#rng.pick(town.actors)
      for (const actor of town.actors) {
        actor.stopping = true
        if (actor === fresh && !actor.deactivated) await freshDevice(actor)
        for (const device of [...actor.devices]) {
          if (!device.ended) await this.#settleDevice(device)
        }
      }
    }
  }

  async #drainJobs(server: SimServer): Promise<void> {
    const left = `SELECT kind, key, attempts FROM jobs WHERE kind <> 'sweep'`
    for (let i = 0; i < SETTLE_ROUNDS_MAX; i++) {
      if (server.database.prepare(left).all().length === 0) return
      await this.world.sleep(30_000)
    }
    throw new SimFailure(`jobs are left: ${JSON.stringify(server.database.prepare(left).all())}`)
  }

  async #settleDevice(device: Device): Promise<void> {
    for (let i = 0; i < SETTLE_ROUNDS_MAX; i++) {
      const outcome = await device.syncToEnd()
      if (outcome === 'quiet' || device.ended) break
      if (i === SETTLE_ROUNDS_MAX - 1) throw new SimFailure(`${device.name}: its syncs never come to rest`)
    }
    for (const view of device.rooms.values()) {
      let rounds = 0
      while (!device.ended && (await device.fillSome(view, 20))) {
        if (++rounds > SETTLE_ROUNDS_MAX) throw new SimFailure(`${device.name}: history has no beginning`)
      }
    }
  }

  async #checkTown({ server, ledger, actors }: Town): Promise<void> {
    const rooms = readTruth(server.database)
    const stored = storedValues(server.name, server.database)
    checkAcknowledged(ledger, rooms, server.database)
    checkRooms(rooms, ledger)
    checkLeaks(ledger, rooms)
    checkContents(ledger, rooms)
    checkValues(ledger, stored, server.database)
    checkNames(server.name, rooms, stored)
    checkReceipts(ledger, rooms, server.database)
    checkDeactivated(rooms, server.database)
    const truth = { rooms, ledger, database: server.database, store: server.life!.store! }
    const asked = new Set<string>()
    for (const actor of actors) {
      for (const device of actor.devices) {
        if (device.ended) continue
        await checkDevice(device, truth)
        for (const view of device.rooms.values()) {
          if (view.membership !== 'join' || asked.has(view.roomId)) continue
          asked.add(view.roomId)
          await checkAnswers(device, rooms, view.roomId)
        }
      }
    }
  }

  #result(rooms: readonly Rooms[]): SimResult {
    let events = 0
    for (const server of rooms) for (const room of server.values()) events += room.events.length
    return {
      history: this.world.history,
      hash: this.world.traceHash(),
      operations: this.#towns.reduce((sum, { ledger }) => sum + ledger.operations, 0),
      requests: this.#network.requests,
      events,
      crashes: this.#crashes,
      steps: this.world.steps,
      simulatedMs: this.world.time,
    }
  }
}

/** A new login at the end, which knows the server from one initial sync. */
async function freshDevice(actor: Actor): Promise<void> {
  if (!(await actor.login())) throw new SimFailure(`${actor.name} cannot log in at the end`)
}

/** The endpoints that read a room say the same as the database. */
async function checkAnswers(device: Device, rooms: Rooms, roomId: string): Promise<void> {
  const room = rooms.get(roomId)
  const path = `/rooms/${encodeURIComponent(roomId)}`
  const state = await device.insist('GET', `${path}/state`)
  if (device.ended) return
  const ids = ((state?.body ?? []) as { event_id: string }[]).map((event) => event.event_id).sort()
  const wanted = [...(room?.state.values() ?? [])].map((event) => event.eventId).sort()
  if (ids.join() !== wanted.join())
    throw new SimFailure(`${device.name}: GET /state of ${roomId} is not the state`)
  const members = await device.insist('GET', `${path}/joined_members`)
  const joined = Object.keys(members?.body.joined ?? {}).sort()
  if (joined.join() !== room?.users('join').join()) {
    throw new SimFailure(`${device.name}: joined_members of ${roomId} are ${joined.join()}`)
  }
}

function networkFaults(rng: SeededRng): NetworkFaults {
  return {
    delayMsMax: rng.pick([0, 5, 50, 400]),
    slow: rng.pick([0, 0.02, 0.1]),
    lostBefore: rng.pick([0, 0.01, 0.1]),
    lostAfter: rng.pick([0, 0.01, 0.1]),
  }
}

/** Runs one seed. */
export async function simulate(seed: string, options: SimOptions = {}): Promise<SimResult | SimFailed> {
  const simulation = new Simulation(seed, options)
  const onRejection = (reason: unknown): void => {
    simulation.world.fail(
      new SimFailure(`unhandled rejection: ${reason instanceof Error ? reason.stack : reason}`),
    )
  }
  process.on('unhandledRejection', onRejection)
  try {
    return await simulation.run()
  } catch (error) {
    return { error: error as Error, history: simulation.world.history }
  } finally {
    process.removeListener('unhandledRejection', onRejection)
    simulation.dispose()
  }
}
