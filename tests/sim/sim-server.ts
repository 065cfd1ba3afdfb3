/** A whole server that can crash at any point and start again on the same database. */
import { DatabaseSync } from 'node:sqlite'
import { ARGON2_COST_TESTS, createPasswords } from '#/adapters/passwords.ts'
import { type AssembledServer, assemble } from '#/app/assemble.ts'
import type { ServerOptions } from '#/app/server-options.ts'
import { type LogLine, memoryLog } from '#/base/log.ts'
import { noMetrics } from '#/base/metrics.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import type { World } from '#/base/world.ts'
import type { Reply } from '#/http/reply.ts'
import type { DispatchRequest } from '#/http/request.ts'
import type { Store } from '#/ports/store/store.ts'
import { signingKeyFromSeed } from '#/protocol/crypto/ed25519.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { PRESENCE_DEFAULTS } from '#/services/ephemeral/presence.ts'
import { ROOM_OPTIONS_DEFAULT } from '#/services/rooms/options.ts'
import type { FaultPoint } from '#/storage/faults.ts'
import { openSqliteInline } from '#/storage/sqlite/store.ts'
import { DiskFault } from '#/storage/sqlite/writer-core.ts'
import { PLAIN_PEOPLE } from '../support/people-options.ts'
import type { SeededRng } from './seeded-rng.ts'
import type { SimWorld } from './sim-world.ts'
import { type SlowReads, slowStore } from './slow-store.ts'
import { keepPurged } from './truth.ts'

/** SQLite's codes for a disk that fails and one that is full. */
const DISK_ERRORS = [10, 13]
const REDACTION_RETENTION_MS = 5 * 60 * 1000
/** Longer than any simulation, so that no token ends by itself. */
const SESSION_MS = 365 * 24 * 3600 * 1000
const CACHE_BYTES = 1_000_000

export interface SimServerOptions {
  readonly name: string
  /** Longest pause before a group is applied. */
  readonly commitMsMax: number
  readonly slowReads: SlowReads
  /** Replaces the store of each life; for bugs planted on purpose. */
  readonly plant?: ((store: Store) => Store) | undefined
}

/** Longest time from a crash to the next start. */
const DOWN_MS_MAX = 3000

/** When a server falls over by itself: at the Nth time that it comes to this point of a write. */
export interface CrashPlan {
  readonly point: FaultPoint
  readonly countdown: number
}

/** From a start to a crash. */
class Life {
  alive = true
  readonly number: number
  server: AssembledServer | undefined
  store: Store | undefined
  readonly #died = new AbortController()

  constructor(number: number) {
    this.number = number
  }

  get died(): AbortSignal {
    return this.#died.signal
  }

  die(): void {
    this.alive = false
    this.#died.abort()
  }
}

export type { Life }

const noLimits: RateLimits = { take: () => 0, record: () => {} }

let databases = 0

export class SimServer {
  readonly name: string
  readonly path: string
  readonly #world: SimWorld
  readonly #options: SimServerOptions
  readonly #rng: SeededRng
  /** Keeps the database in memory while no server is running. */
  readonly #spare: DatabaseSync
  readonly #lines: LogLine[] = []
  readonly #closing: Promise<void>[] = []
  #life: Life | undefined
  #lives = 0
  #crash: { point: FaultPoint; countdown: number } | undefined
  /** Share of the writes that the disk refuses now. */
  diskFails = 0
  #diskErrors = 0
  #stopped = false

  constructor(world: SimWorld, options: SimServerOptions) {
    this.name = options.name
    this.#world = world
    this.#options = options
    this.#rng = world.rng.fork(`server ${options.name}`)
    this.path = `file:/sim-${++databases}-${options.name}?vfs=memdb`
    this.#spare = new DatabaseSync(this.path)
  }

  /** The life that answers now. */
  get life(): Life | undefined {
    return this.#life?.server && this.#life.alive ? this.#life : undefined
  }

  get lives(): number {
    return this.#lives
  }

  /** Whether a 503 may be explained by the disk. */
  get diskErrors(): number {
    return this.#diskErrors
  }

  /** A connection that sees what is committed. */
  get database(): DatabaseSync {
    return this.#spare
  }

  /** What was logged as a warning or worse. */
  get complaints(): LogLine[] {
    return this.#lines.filter((line) => ['warn', 'error', 'fatal'].includes(line.level))
  }

  crashLater(plan: CrashPlan): void {
    this.#crash = { ...plan }
  }

  cancelCrash(): void {
    this.#crash = undefined
  }

  /** Starts a new life. Resolves when it answers, or when it died before. */
  async start(): Promise<void> {
    if (this.#life?.alive || this.#stopped) return
    const life = new Life(++this.#lives)
    this.#life = life
    this.#world.note(`${this.name} starts, life ${life.number}`)
    const rng = this.#rng.fork(`life ${life.number}`)
    const store = openSqliteInline({
      path: this.path,
      serverName: this.name,
      world: { clock: this.#world.clock, rng: rng.fork('store') },
      pauseMsMax: this.#options.commitMsMax,
      faults: (point) => this.#faultPoint(life, point),
    })
    life.store = store
    if (life.number === 1) keepPurged(this.#spare)
    const slow = slowStore(store, life, this.#world, rng.fork('reads'), this.#options.slowReads)
    const seen = this.#options.plant?.(slow) ?? slow
    const died = new Promise<undefined>((resolve) => {
      life.died.addEventListener('abort', () => resolve(undefined))
    })
    try {
      life.server = await Promise.race([this.#assemble(seen, this.#worldOf(life, rng)), died])
    } catch (error) {
      /* With a failing disk a server does not come up; whoever started it tries again. */
      if (this.diskFails === 0) throw error
      this.crash('while it starts')
    }
    const { server } = life
    if (!server) return
    server.start()
    this.#world.note(`${this.name} is ready`)
  }

  #assemble(store: Store, world: World): Promise<AssembledServer> {
    const serverName = this.name as ServerName
    return assemble({
      store,
      world,
      log: memoryLog(this.#lines, { server: this.name }),
      metrics: noMetrics,
      limits: noLimits,
      serverName,
      signingKey: signingKeyFromSeed('sim', this.#rng.fork('key').bytes(32)),
      passwords: createPasswords({ rng: world.rng, pepper: '', cost: ARGON2_COST_TESTS, inline: true }),
      options: optionsOf(serverName),
    })
  }

  /** Time and randomness of one life: its timers end with it. */
  #worldOf(life: Life, rng: SeededRng): World {
    const { clock } = this.#world
    const guarded = (fn: () => void) => () => {
      if (life.alive) fn()
    }
    return {
      rng: rng.fork('world'),
      clock: {
        now: clock.now,
        monotonic: clock.monotonic,
        after: (ms, fn) => clock.after(ms, guarded(fn)),
        defer: (fn) => clock.defer(guarded(fn)),
      },
    }
  }

  #faultPoint(life: Life, point: FaultPoint): void {
    /* Groups that a dead server had waiting are not written. */
    if (!life.alive) throw new DiskFault(DISK_ERRORS[0]!)
    const crash = this.#crash
    if (crash?.point === point && --crash.countdown <= 0) {
      this.crash(`at '${point}' of a write`)
      throw new DiskFault(DISK_ERRORS[0]!)
    }
    if (point !== 'committed' && this.diskFails > 0 && this.#rng.chance(this.diskFails)) {
      this.#diskErrors++
      this.#world.note(`${this.name}: the disk fails at '${point}'`)
      throw new DiskFault(this.#rng.pick(DISK_ERRORS))
    }
  }

  /** Drops the server object with all that it had in memory. The database stays. */
  crash(why: string): void {
    const life = this.#life
    if (!life?.alive) return
    this.#crash = undefined
    this.#world.note(`${this.name} CRASHES ${why}`)
    life.die()
    if (life.store) this.#closing.push(Promise.resolve(life.store[Symbol.asyncDispose]()))
    const pause = this.#rng.below(DOWN_MS_MAX)
    this.#world.after(pause, () => {
      this.start().catch((error: unknown) => this.#world.fail(error))
    })
  }

  /** Gives a request to the server. */
  async dispatch(life: Life, request: DispatchRequest): Promise<Reply> {
    return life.server!.dispatches.client(request)
  }

  /** Ends the server in order. The database stays readable until `dispose`. */
  async stop(): Promise<void> {
    this.#stopped = true
    const life = this.#life
    if (life?.alive) {
      life.server?.wakeWaiting()
      await life.server?.close()
      life.die()
      await life.store?.[Symbol.asyncDispose]()
    }
    await Promise.all(this.#closing)
  }

  dispose(): void {
    this.#spare.close()
  }
}

function optionsOf(serverName: ServerName): ServerOptions {
  return {
    experimental: { redactsRelated: true, threadSubscriptions: true },
    accounts: {
      serverName,
      registration: {
        enabled: true,
        withoutVerification: true,
        requiresToken: false,
        sharedSecret: undefined,
        underscorePrefix: false,
        guests: false,
      },
      passwords: { forLogin: true, forReauth: true, policy: undefined },
      sessions: {
        lifetimeMs: undefined,
        refreshableAccessTokenMs: SESSION_MS,
        refreshTokenMs: undefined,
        nonrefreshableAccessTokenMs: undefined,
      },
      profile: {
        setDisplayname: true,
        setAvatarUrl: true,
        requireAuth: false,
        sharedRoomsOnly: false,
      },
    },
    delayedEvents: { maxDelayMs: undefined, perUserMax: 10 },
    discovery: {
      defaultRoomVersion: '12',
      publicBaseurl: undefined,
      identityServer: undefined,
      extraClientWellKnown: {},
      serverWellKnown: false,
      rtcTransports: [],
      support: undefined,
    },
    people: PLAIN_PEOPLE,
    defaultRoomVersion: '12',
    rooms: ROOM_OPTIONS_DEFAULT,
    redactionRetentionMs: REDACTION_RETENTION_MS,
    enableSearch: true,
    cacheBytes: CACHE_BYTES,
    presence: PRESENCE_DEFAULTS,
  }
}
