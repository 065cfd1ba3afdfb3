/** A request as dispatch takes it and as handlers see it. No sockets. */
import { type ClientSignal, clientSignalOf } from '#/base/client-signal.ts'
import type { Log } from '#/base/log.ts'
import { parseQuery, type Query } from './query.ts'

/** Header values as Node gives them: names in lower case, repeated ones joined or listed. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>

/** A body that is still on the wire. It is read at most once, and only after the route has been found. */
export interface BodySource {
  /** The whole body. Throws M_TOO_LARGE as soon as more than `limit` bytes are announced or seen. */
  read(limit: number): Promise<Uint8Array>
  /** The body in pieces; the iteration throws M_TOO_LARGE at the same moment. */
  stream(limit: number): AsyncIterable<Uint8Array>
}

export interface DispatchRequest {
  readonly method: string
  /** The request target as sent: path and query, still encoded. */
  readonly url: string
  readonly headers: RequestHeaders
  /** Absent when the request has none. */
  readonly body?: Uint8Array | BodySource | undefined
  /** Address of the client, after trusted proxies. */
  readonly remote: string
  /** Aborts when the client has gone or the server stops. */
  readonly signal: AbortSignal
  /** The same in the form for requests that wait; absent where there is the signal alone. */
  readonly client?: ClientSignal
  /** Every value of a header, where `headers` keeps only the first of a repeated one. */
  headerAll?(name: string): readonly string[]
  /** A request id given by a trusted proxy. */
  readonly id?: string | undefined
}

/** What handlers and authenticators may know about a request besides its typed parts. */
export class RequestInfo {
  readonly method: string
  /** Path without the query, still encoded. */
  readonly path: string
  /** Characters after the `?`. May hold an access token: never log it. */
  readonly queryText: string
  /** Path and query as sent; what an X-Matrix signature covers. */
  readonly url: string
  readonly headers: RequestHeaders
  readonly remote: string
  readonly id: string
  /** Template of the matched route, for example `/_matrix/client/v3/rooms/:roomId/join`. */
  readonly route: string
  readonly #request: DispatchRequest
  readonly #log: Log
  #child: Log | undefined
  #query: Query | undefined

  constructor(
    request: DispatchRequest,
    url: string,
    path: string,
    queryText: string,
    id: string,
    route: string,
    log: Log,
  ) {
    this.method = request.method
    this.path = path
    this.queryText = queryText
    this.url = url
    this.headers = request.headers
    this.remote = request.remote
    this.#request = request
    this.id = id
    this.route = route
    this.#log = log
  }

  /** Query parameters, decoded on first use. Throws M_INVALID_PARAM on broken encoding. */
  get query(): Query {
    this.#query ??= parseQuery(this.queryText)
    return this.#query
  }

  /** Log whose lines carry the request id. */
  get log(): Log {
    this.#child ??= this.#log.child({ request: this.id })
    return this.#child
  }

  /** Aborts when the client has gone or the server stops. Made on first use, because few handlers wait. */
  get signal(): AbortSignal {
    return this.#request.signal
  }

  /** Tells of the same, for handlers that wait and are many. */
  get client(): ClientSignal {
    return this.#request.client ?? clientSignalOf(this.#request.signal)
  }

  /** All values of a header that may be repeated, such as Authorization between servers. */
  headerAll(name: string): readonly string[] {
    const all = this.#request.headerAll?.(name)
    if (all !== undefined) return all
    const value = this.headers[name]
    return value === undefined ? [] : typeof value === 'string' ? [value] : value
  }

  /** A header that may appear once; a repeated one gives its first value. */
  header(name: string): string | undefined {
    const value = this.headers[name]
    return typeof value === 'string' ? value : value?.[0]
  }
}
