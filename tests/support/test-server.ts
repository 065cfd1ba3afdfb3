/** A whole server in this process, without sockets, for tests of its API. */
import { type AssembledServer, assemble } from '#/app/assemble.ts'
import type { ServerOptions } from '#/app/server-options.ts'
import { type LogLine, memoryLog } from '#/base/log.ts'
import { noMetrics } from '#/base/metrics.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import { realWorld, type World } from '#/base/world.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { unlimited } from '#/http/rate-limiter.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { Store } from '#/ports/store/store.ts'
import { signingKeyFromSeed } from '#/protocol/crypto/ed25519.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { PRESENCE_DEFAULTS } from '#/services/ephemeral/presence.ts'
import { ROOM_OPTIONS_DEFAULT } from '#/services/rooms/options.ts'
import type { SqlValue } from '#/storage/sql/sql.ts'
import { verifyStore } from '#/storage/verify/verify-store.ts'
import { ApiClient } from './api-client.ts'
import { busyStore } from './busy-store.ts'
import { serves } from './covers.ts'
import { ManualWorld } from './manual-world.ts'
import { PLAIN_PEOPLE } from './people-options.ts'
import { type Ask, type TestDatabase, testDatabaseOf } from './test-database.ts'

export interface TestServerOptions {
  readonly limits?: RateLimits<LimitName>
  readonly world?: World
  /** Milliseconds that originals of redacted events are kept. */
  readonly redactionRetentionMs?: number
  /** Stands between the server and its store. */
  readonly wrapStore?: (store: Store) => Store
  /** Changes what the configuration says. */
  readonly configure?: (options: ServerOptions) => ServerOptions
}

export const SERVER_NAME = 'test.example' as ServerName

const CACHE_BYTES = 32 * 1024 * 1024

/** Hashing that costs nothing: the real one is tested with its adapter. */
const passwords: Passwords = {
  hash: async (password) => `plain:${password}`,
  verify: async (password, hash) => hash === `plain:${password}`,
  outdated: () => false,
}

/** A rule of the directory that lets everyone. */
const ALLOW_ALL = { userId: '*', alias: '*', roomId: '*', action: 'allow' } as const

export class TestServer {
  readonly #options: TestServerOptions
  readonly #database: TestDatabase
  #server!: AssembledServer
  #store!: Store
  /** Everything that was logged. */
  readonly log: LogLine[] = []
  #users = 0

  private constructor(options: TestServerOptions, database: TestDatabase) {
    this.#options = options
    this.#database = database
  }

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options, await testDatabaseOf(SERVER_NAME))
    await server.#begin()
    return server
  }

  get store(): Store {
    return this.#store
  }

  /** Runs a statement on the database beside the server. */
  get ask(): Ask {
    return this.#database.ask
  }

  /** A number that a statement counts as `n`. */
  async count(text: string, ...params: SqlValue[]): Promise<number> {
    const [row] = await this.ask(text, ...params)
    return Number(row?.['n'])
  }

  /** What `myelin verify` says of the database, a text for each finding. */
  async verify(): Promise<string[]> {
    const found: string[] = []
    const { engine } = this.#database
    await this.#database.run(verifyStore(engine, (finding) => void found.push(JSON.stringify(finding))))
    return found
  }

  get assembled(): AssembledServer {
    return this.#server
  }

  /** A caller without an account. */
  anonymous(): ApiClient {
    return new ApiClient((request) => this.#server.dispatches.client(request))
  }

  /** A new account with its first device; the name is a prefix. */
  async user(name: string): Promise<ApiClient> {
    const client = this.anonymous()
    const body = {
      username: `${name}-${++this.#users}`,
      password: 'a password',
      auth: { type: 'm.login.dummy' },
    }
    client.become(await client.post('/_matrix/client/v3/register', body))
    return client
  }

  /** Another device of an account that `user` made. */
  async device(of: ApiClient): Promise<ApiClient> {
    const client = this.anonymous()
    const identifier = { type: 'm.id.user', user: of.userId }
    const body = { type: 'm.login.password', identifier, password: 'a password' }
    client.become(await client.post('/_matrix/client/v3/login', body))
    return client
  }

  /** The server object goes, another one comes on the same database; clients keep their tokens. */
  async restart(between: (ask: Ask) => unknown = () => {}): Promise<void> {
    await this.#end()
    await between(this.ask)
    await this.#begin()
  }

  async close(): Promise<void> {
    await this.#end()
    await this.#database[Symbol.asyncDispose]()
  }

  async #begin(): Promise<void> {
    const world = this.#options.world ?? realWorld
    this.#store = await this.#database.open(world)
    if (world instanceof ManualWorld) {
      const busy = busyStore(this.#store)
      world.rests = busy.rests
      this.#store = busy.store
    }
    const plain = optionsOf(this.#options.redactionRetentionMs)
    this.#server = await assemble({
      store: this.#options.wrapStore?.(this.#store) ?? this.#store,
      world,
      log: memoryLog(this.log),
      metrics: noMetrics,
      limits: this.#options.limits ?? unlimited,
      serverName: SERVER_NAME,
      signingKey: signingKeyFromSeed('test', new Uint8Array(32).fill(7)),
      passwords,
      options: this.#options.configure?.(plain) ?? plain,
    })
    serves(this.#server.routes)
    this.#server.start()
  }

  async #end(): Promise<void> {
    this.#server.wakeWaiting()
    await this.#server.close()
    await this.#store[Symbol.asyncDispose]()
  }
}

function optionsOf(redactionRetentionMs = 7 * 24 * 3600 * 1000): ServerOptions {
  return {
    experimental: { redactsRelated: true, threadSubscriptions: true, dehydratedDevices: true },
    accounts: {
      serverName: SERVER_NAME,
      registration: {
        enabled: true,
        withoutVerification: true,
        requiresToken: false,
        sharedSecret: 'a shared secret',
        underscorePrefix: false,
        guests: true,
      },
      passwords: { forLogin: true, forReauth: true, policy: undefined },
      sessions: {
        lifetimeMs: undefined,
        refreshableAccessTokenMs: 300_000,
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
    delayedEvents: { maxDelayMs: 24 * 3600 * 1000, perUserMax: 10 },
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
    rooms: { ...ROOM_OPTIONS_DEFAULT, publicationRules: [ALLOW_ALL] },
    redactionRetentionMs,
    enableSearch: true,
    cacheBytes: CACHE_BYTES,
    presence: PRESENCE_DEFAULTS,
  }
}
