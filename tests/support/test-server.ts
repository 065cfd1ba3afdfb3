/** A whole server in this process, without sockets, for tests of its API. */
import { DatabaseSync } from 'node:sqlite'
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
import { openSqliteInline } from '#/storage/sqlite/store.ts'
import { ApiClient } from './api-client.ts'
import { serves } from './covers.ts'
import { PLAIN_PEOPLE } from './people-options.ts'

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

let databases = 0

export class TestServer {
  readonly #options: TestServerOptions
  readonly #path: string
  readonly #spare: DatabaseSync
  #server!: AssembledServer
  #store!: Store
  /** Everything that was logged. */
  readonly log: LogLine[] = []
  #users = 0

  private constructor(options: TestServerOptions) {
    this.#options = options
    this.#path = `file:/api-${process.pid}-${++databases}?vfs=memdb`
    this.#spare = new DatabaseSync(this.#path)
  }

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options)
    await server.#begin()
    return server
  }

  get store(): Store {
    return this.#store
  }

  /** Names the database for further connections. */
  get path(): string {
    return this.#path
  }

  /** A connection to the database beside the server's. */
  get database(): DatabaseSync {
    return this.#spare
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
  async restart(between: (database: DatabaseSync) => void = () => {}): Promise<void> {
    await this.#end()
    between(this.#spare)
    await this.#begin()
  }

  async close(): Promise<void> {
    await this.#end()
    this.#spare.close()
  }

  async #begin(): Promise<void> {
    const world = this.#options.world ?? realWorld
    const open = { path: this.#path, serverName: SERVER_NAME, world, pauseMsMax: 0 }
    this.#store = openSqliteInline(open)
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
