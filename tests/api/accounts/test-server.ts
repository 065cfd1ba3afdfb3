/** A server with the endpoints of accounts alone: a real store, a clock that can be moved, no sockets. */
import assert from 'node:assert/strict'
import { ARGON2_COST_TESTS, createPasswords } from '#/adapters/passwords.ts'
import { type Accounts, type AccountsDeps, createAccounts } from '#/api/client/accounts/create-accounts.ts'
import { type LogLine, memoryLog } from '#/base/log.ts'
import { noMetrics } from '#/base/metrics.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import { createDispatch, type Dispatch } from '#/http/dispatch.ts'
import { LIMITS, type LimitName } from '#/http/limit-names.ts'
import { RateLimiter, unlimited } from '#/http/rate-limiter.ts'
import { requestIds } from '#/http/request-ids.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { AccountOp } from '#/ports/store/accounts.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { parseServerName } from '#/protocol/ids/server-name.ts'
import type { AccountHooks, AccountOptions } from '#/services/accounts/options.ts'
import { validateResponse } from '../../spec/validate.ts'
import { called, serves } from '../../support/covers.ts'
import { ShiftedWorld } from '../../support/shifted-world.ts'
import { type TestDatabase, testDatabaseOf } from '../../support/test-database.ts'

export const SERVER = parseServerName('home.test') as NonNullable<ReturnType<typeof parseServerName>>

/** A JSON answer; tests know what is in it. */
// biome-ignore lint/suspicious/noExplicitAny: the members of an answer are what a test is about
export type Body = any

export interface Answer {
  readonly status: number
  readonly body: Body
}

export interface CallOptions {
  readonly token?: string | undefined
  readonly body?: unknown
  readonly from?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface TestOptions {
  readonly registration?: Partial<AccountOptions['registration']>
  readonly passwords?: Partial<AccountOptions['passwords']>
  readonly sessions?: Partial<AccountOptions['sessions']>
  readonly profile?: Partial<AccountOptions['profile']>
  /** Further groups of options. */
  readonly more?: Partial<AccountOptions>
  readonly discovery?: Partial<AccountsDeps['discovery']>
  readonly hooks?: AccountHooks
  /** Real rate limits with Synapse's defaults. */
  readonly limited?: boolean
  readonly pepper?: string
  /** A wrapper around the hashing of passwords. */
  readonly wrapPasswords?: (passwords: Passwords) => Passwords
  /** A wrapper around the store. */
  readonly wrap?: (store: Store) => Store
}

export class TestServer implements AsyncDisposable {
  readonly store: Store
  accounts!: Accounts
  readonly log: LogLine[] = []
  #dispatch!: Dispatch
  readonly #options: TestOptions
  readonly #world: ShiftedWorld
  readonly #database: TestDatabase

  private constructor(options: TestOptions, world: ShiftedWorld, store: Store, database: TestDatabase) {
    this.#options = options
    this.#world = world
    this.store = store
    this.#database = database
  }

  static async start(options: TestOptions = {}): Promise<TestServer> {
    const database = await testDatabaseOf(SERVER)
    const world = new ShiftedWorld()
    const real = await database.open(world)
    const server = new TestServer(options, world, options.wrap?.(real) ?? real, database)
    server.restart()
    return server
  }

  /** Builds services and routes anew on the same store, as a restart of the process does. */
  restart(): void {
    const options = this.#options
    const world = this.#world
    this.accounts?.close()
    const limits: RateLimits<LimitName> = options.limited ? new RateLimiter(world.clock, LIMITS) : unlimited
    const passwords = createPasswords({
      rng: world.rng,
      pepper: options.pepper ?? '',
      cost: ARGON2_COST_TESTS,
      waitingMax: 10_000,
    })
    this.accounts = createAccounts({
      store: this.store,
      world,
      passwords: options.wrapPasswords?.(passwords) ?? passwords,
      limits,
      hooks: options.hooks ?? {},
      options: {
        serverName: SERVER,
        registration: {
          enabled: true,
          withoutVerification: true,
          requiresToken: false,
          sharedSecret: undefined,
          underscorePrefix: false,
          guests: false,
          ...options.registration,
        },
        passwords: { forLogin: true, forReauth: true, policy: undefined, ...options.passwords },
        sessions: {
          lifetimeMs: undefined,
          refreshableAccessTokenMs: 300_000,
          refreshTokenMs: undefined,
          nonrefreshableAccessTokenMs: undefined,
          ...options.sessions,
        },
        profile: {
          setDisplayname: true,
          setAvatarUrl: true,
          requireAuth: false,
          sharedRoomsOnly: false,
          ...options.profile,
        },
        ...options.more,
      },
      discovery: {
        defaultRoomVersion: '12',
        publicBaseurl: undefined,
        identityServer: undefined,
        extraClientWellKnown: {},
        serverWellKnown: false,
        rtcTransports: [],
        support: undefined,
        ...options.discovery,
      },
    })
    serves(this.accounts.routes)
    this.#dispatch = createDispatch({
      routes: this.accounts.routes,
      authenticate: this.accounts.authenticator,
      limiter: limits,
      log: memoryLog(this.log),
      metrics: noMetrics,
      clock: world.clock,
      ids: requestIds(world.rng),
    })
  }

  /** Moves the clock ahead. */
  pass(ms: number): void {
    this.#world.pass(ms)
  }

  now(): number {
    return this.#world.clock.now()
  }

  /** Sends a request. The answer must be as the specification says, and nothing may be a bug. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { token, body, from = '192.0.2.1', headers = {} } = options
    const reply = await this.#dispatch({
      method,
      url: path,
      headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
      remote: from,
      signal: AbortSignal.timeout(60_000),
    })
    const text = Array.isArray(reply.body) ? Buffer.concat(reply.body.map(bytes)).toString() : `${reply.body}`
    const json = JSON.parse(text) as Body
    called(method, path, reply.status, json?.errcode)
    const bugs = this.log.filter((line) => line.level === 'error')
    assert.deepEqual(bugs, [], `${method} ${path} met a bug`)
    assert.deepEqual(validateResponse(method, path, reply.status, json), [])
    return { status: reply.status, body: json }
  }

  /** As `call`, and the answer must have this status. Gives its body. */
  async expect(status: number, method: string, path: string, options?: CallOptions): Promise<Body> {
    const answer = await this.call(method, path, options)
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  /** As `expect`, for refusals: the error code is compared too. */
  async refused(
    status: number,
    errcode: string,
    method: string,
    path: string,
    options?: CallOptions,
  ): Promise<Body> {
    const body = await this.expect(status, method, path, options)
    assert.equal(body.errcode, errcode, JSON.stringify(body))
    return body
  }

  /** Registers through the open door. */
  async register(username: string, password = 'wordpass', more: object = {}): Promise<Body> {
    const body = { username, password, auth: { type: 'm.login.dummy' }, ...more }
    return this.expect(200, 'POST', `${V3}/register`, { body })
  }

  async login(user: string, password = 'wordpass', more: object = {}): Promise<Body> {
    return this.expect(200, 'POST', `${V3}/login`, { body: loginBody(user, password, more) })
  }

  /** Applies operations that must not be refused. */
  async commit(...ops: (Op | AccountOp)[]): Promise<void> {
    const result = await this.store.commit({ lane: 'test', ops })
    assert.ok(result.ok, JSON.stringify(result))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.accounts.close()
    await this.store[Symbol.asyncDispose]()
    await this.#database[Symbol.asyncDispose]()
  }
}

export const V3 = '/_matrix/client/v3'

export function loginBody(user: string, password: string, more: object = {}): object {
  return { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password, ...more }
}

function bytes(part: string | Uint8Array): Uint8Array {
  return typeof part === 'string' ? Buffer.from(part) : part
}
