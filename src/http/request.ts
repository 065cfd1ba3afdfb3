/** A request as dispatch takes it and as handlers see it. No sockets. */
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
  readonly signal: AbortSignal
  readonly id: string
  /** Template of the matched route, for example `/_matrix/client/v3/rooms/:roomId/join`. */
  readonly route: string
  #log: Log
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
    this.signal = request.signal
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

  /** A header that may appear once; a repeated one gives its first value. */
  header(name: string): string | undefined {
    const value = this.headers[name]
    return typeof value === 'string' ? value : value?.[0]
  }
}
