/**
 * From a request to its answer, without sockets: adapters, the simulator and most tests call this. The order
 * is routing, authentication, rate limit, path, query, body, handler; a body is read only for a caller who
 * may send it, except from servers, whose signature covers it.
 */
import type { Log } from '#/base/log.ts'
import type { Metrics } from '#/base/metrics.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import { type Clock, turn } from '#/base/world.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JsonValue } from '#/protocol/json/value.ts'
import { addressKey } from './address.ts'
import { type NumberReading, parseJson, readBody, requireObject, streamBody } from './body.ts'
import {
  CLIENT_GONE,
  COMPRESSED_BODY,
  renderBug,
  renderMatrixError,
  tooManyRequests,
  UNKNOWN_PATH,
  wrongMethod,
} from './errors.ts'
import { HttpMetrics } from './http-metrics.ts'
import type { LimitName } from './limit-names.ts'
import { BODY_BYTES_PER_TURN } from './limits.ts'
import { BASE_HEADERS, JSON_HEADERS, Reply } from './reply.ts'
import { type DispatchRequest, RequestInfo } from './request.ts'
import type { Authenticator, Requester, RequestingServer } from './requester.ts'
import type { Call, Route } from './route.ts'
import { type CompiledRoute, compileRoutes, type RouteMetrics, readParams } from './route-table.ts'
import type { RouteTree } from './route-tree.ts'
import { accessToken } from './token.ts'

export type { DispatchRequest } from './request.ts'

/** Answers a request. Never rejects. */
export type Dispatch = (request: DispatchRequest) => Promise<Reply>

export interface DispatchDeps {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticator
  readonly limiter: RateLimits<LimitName>
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  /** Request ids; `requestIds(rng)` makes such a generator. */
  readonly ids: () => string
  /** Value of the metric label `server_name`. */
  readonly serverName?: string
  /**
   * Translates errors of other layers (a store that cannot write) into a refusal; undefined leaves them bugs.
   */
  readonly explain?: (error: unknown) => MatrixError | Reply | undefined
}

/** Checks the table and gives the function that serves it. Throws on a bad table. */
export function createDispatch(deps: DispatchDeps): Dispatch {
  const dispatcher = new Dispatcher(deps)
  return (request) => dispatcher.dispatch(request)
}

/** https://spec.matrix.org/v1.16/client-server-api/#web-browser-clients */
const PREFLIGHT = new Reply(204, { ...BASE_HEADERS, 'Access-Control-Max-Age': '86400' }, undefined)

type Who = Requester | RequestingServer | undefined

class Dispatcher {
  readonly #deps: DispatchDeps
  readonly #tree: RouteTree<CompiledRoute>
  readonly #metrics: HttpMetrics
  readonly #unmatched: RouteMetrics

  constructor(deps: DispatchDeps) {
    this.#deps = deps
    this.#metrics = new HttpMetrics(deps.metrics, deps.serverName ?? '')
    this.#unmatched = this.#metrics.of('', 'unmatched')
    this.#tree = compileRoutes(deps.routes, (route) => this.#metrics.ofRoute(route))
  }

  async dispatch(request: DispatchRequest): Promise<Reply> {
    if (request.method === 'OPTIONS') return PREFLIGHT
    const started = this.#deps.clock.monotonic()
    const url = originForm(request.url)
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    const found = this.#tree.find(path)
    const entry =
      found?.leaf.methods.get(request.method) ??
      (request.method === 'HEAD' ? found?.leaf.methods.get('GET') : undefined)
    const id = request.id ?? this.#deps.ids()
    if (found === undefined || entry === undefined) {
      const reply = found === undefined ? UNKNOWN_PATH : wrongMethod(found.leaf.methods.keys())
      this.#unmatched.received.inc()
      this.#finish(undefined, request, id, undefined, reply, started)
      return reply
    }
    const compiled = entry.value
    const query = mark < 0 ? '' : url.slice(mark + 1)
    const info = new RequestInfo(request, url, path, query, id, compiled.route.path, this.#deps.log)
    const state: { who: Who } = { who: undefined }
    compiled.metrics.received.inc()
    compiled.metrics.inFlight.inc()
    let reply: Reply
    try {
      reply = await this.#serve(compiled, entry.names, found.texts, request, info, state)
    } catch (error) {
      reply = this.#failed(error, compiled.route, info)
    }
    compiled.metrics.inFlight.dec()
    this.#finish(compiled, request, id, state.who, reply, started)
    return reply
  }

  async #serve(
    compiled: CompiledRoute,
    names: readonly string[],
    texts: readonly string[],
    request: DispatchRequest,
    info: RequestInfo,
    state: { who: Who },
  ): Promise<Reply> {
    const { route } = compiled
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity' && encoding !== '') return COMPRESSED_BODY
    if (route.auth !== 'none' && route.auth !== 'sharedSecret' && route.auth !== 'server') {
      const caller = this.#identify(route, info)
      state.who = caller instanceof Promise ? await caller : caller
      if (state.who !== undefined) admit(route, state.who as Requester)
    }
    if (compiled.limit !== undefined)
      this.#limit(compiled, compiled.limit, state.who as Requester | undefined, info)
    const params = readParams(compiled, names, texts)
    const query = compiled.readQuery?.(info.query)
    let body: unknown
    if (route.auth === 'server') {
      const content = await signedContent(compiled, request, this.#deps.clock)
      state.who = await this.#identifyServer(info, content)
      body = content
      if (route.body === 'event') requireObject(content)
      else compiled.checkBody?.(content)
    } else if (route.body !== undefined) {
      body = await bodyOf(compiled, request, this.#deps.clock)
    }
    const call = { who: state.who, params, query, body, request: info } as unknown as Call<
      never,
      never,
      never,
      never
    >
    const answer = await route.handle(call)
    return answer instanceof Reply ? answer : new Reply(200, JSON_HEADERS, JSON.stringify(answer))
  }

  #identify(route: Route, info: RequestInfo): Requester | undefined | Promise<Requester> {
    const token = accessToken(info)
    if (token !== undefined) return this.#deps.authenticate.user(token, info)
    if (route.auth === 'optional') return undefined
    throw new MatrixError('M_MISSING_TOKEN', 'An access token is needed for this.')
  }

  async #identifyServer(info: RequestInfo, content: JsonValue | undefined): Promise<RequestingServer> {
    const { server } = this.#deps.authenticate
    if (server === undefined)
      throw new MatrixError('M_UNAUTHORIZED', 'This server does not take part in federation.')
    return this.#deps.authenticate.server!(info, content)
  }

  #limit(compiled: CompiledRoute, name: LimitName, who: Requester | undefined, info: RequestInfo): void {
    if (who?.rateLimit === 'exempt') return
    const key = compiled.limitBy === 'user' && who !== undefined ? who.userId : addressKey(info.remote)
    // An account's own rate is for messages; Synapse takes no notice of it elsewhere.
    const own = name === 'rc_message' && typeof who?.rateLimit === 'object' ? who.rateLimit : undefined
    const waitMs = this.#deps.limiter.take(name, key, own === undefined ? undefined : { rate: own })
    if (waitMs > 0) throw tooManyRequests(waitMs)
  }

  #failed(error: unknown, route: Route, info: RequestInfo): Reply {
    const explained = error instanceof MatrixError ? error : this.#deps.explain?.(error)
    if (explained instanceof Reply) return explained
    if (explained !== undefined) return renderMatrixError(explained, route.statuses)
    if (
      info.signal.aborted &&
      (error === info.signal.reason || (error as Error | undefined)?.name === 'AbortError')
    ) {
      return CLIENT_GONE
    }
    info.log.error('a request failed', { route: route.path, method: route.method, error })
    return renderBug(info.id)
  }

  #finish(
    compiled: CompiledRoute | undefined,
    request: DispatchRequest,
    id: string,
    who: Who,
    reply: Reply,
    started: number,
  ): void {
    const ms = this.#deps.clock.monotonic() - started
    const route = compiled?.route
    const servlet = route === undefined ? 'unmatched' : (route.servlet ?? route.path)
    this.#metrics.finished(
      compiled?.metrics ?? this.#unmatched,
      route?.method ?? '',
      servlet,
      reply.status,
      ms / 1000,
    )
    const { log } = this.#deps
    const level = route?.quiet === true ? 'debug' : 'info'
    if (!log.enabled(level)) return
    log[level]('request', {
      request: id,
      method: request.method.slice(0, 10),
      route: route?.path ?? 'unmatched',
      status: reply.status,
      ms: Math.round(ms * 100) / 100,
      from: request.remote,
      user: who === undefined ? undefined : 'userId' in who ? who.userId : who.origin,
    })
  }
}

/** Strips scheme and host of a target in absolute form, as RFC 9112 section 3.2.2 demands of servers. */
export function originForm(url: string): string {
  if (url.startsWith('/')) return url
  const authority = url.indexOf('://')
  if (authority < 0) return '/'
  const slash = url.indexOf('/', authority + 3)
  return slash < 0 ? '/' : url.slice(slash)
}

function admit(route: Route, who: Requester): void {
  if (route.auth === 'admin' && !who.isAdmin) {
    throw new MatrixError('M_FORBIDDEN', 'Only a server administrator may do this.')
  }
  if (route.auth === 'user' && who.isGuest) {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may not do this.')
  }
}

async function bodyOf(compiled: CompiledRoute, request: DispatchRequest, clock: Clock): Promise<unknown> {
  const { route, bodyBytesMax } = compiled
  if (route.body === 'stream') return streamBody(request.body, bodyBytesMax)
  const bytes = await readBody(request.body, bodyBytesMax)
  if (route.body === 'bytes') return bytes
  if (bytes.byteLength === 0 && route.emptyBody === true) {
    const nothing = {}
    compiled.checkBody?.(nothing)
    return nothing
  }
  const numbers = route.body === 'event' || route.strictJson === true ? 'strict' : 'plain'
  const value = requireObject(await parseInTurn(bytes, numbers, clock))
  if (route.body !== 'event') compiled.checkBody?.(value)
  return value
}

/** Parses a body; a large one between two turns of the event loop, so that it alone keeps others waiting. */
async function parseInTurn(bytes: Uint8Array, numbers: NumberReading, clock: Clock): Promise<JsonValue> {
  if (bytes.byteLength <= BODY_BYTES_PER_TURN) return parseJson(bytes, numbers)
  await turn(clock)
  const value = parseJson(bytes, numbers)
  await turn(clock)
  return value
}

/** The body of a federation request as its signature covers it; undefined when there is none. */
async function signedContent(
  compiled: CompiledRoute,
  request: DispatchRequest,
  clock: Clock,
): Promise<JsonValue | undefined> {
  const bytes = await readBody(request.body, compiled.bodyBytesMax)
  return bytes.byteLength === 0 ? undefined : parseInTurn(bytes, 'lenient', clock)
}
