/** The HTTP/1.1 server of one listening address: limits, timeouts, exchanges, shutdown. */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { BASE_HEADERS } from '#/http/reply.ts'
import { Exchange, type ExchangeContext } from './exchange.ts'
import {
  ABORT_MS_MAX,
  ANSWER_STALL_MS_MAX,
  BODY_BYTES_PER_SECOND_MIN,
  BODY_GRACE_MS,
  CONNECTIONS_MAX,
  HEAD_BYTES_MAX,
  HEAD_MS_MAX,
  HEADERS_MAX,
  IDLE_MS_MAX,
  REQUEST_MS_MAX,
  SWEEP_MS,
} from './limits.ts'
import type { TlsMaterial } from './tls.ts'

/* Not by import: that reads every export, and so loads the whole of fetch, for 80 ms of processor time at each start. */
const { createServer } = process.getBuiltinModule('node:http')

const SERVER_OPTIONS: ServerOptions = {
  maxHeaderSize: HEAD_BYTES_MAX,
  headersTimeout: HEAD_MS_MAX,
  requestTimeout: REQUEST_MS_MAX,
  keepAliveTimeout: IDLE_MS_MAX,
  connectionsCheckingInterval: SWEEP_MS,
  noDelay: true,
  insecureHTTPParser: false,
}

/** Times that tests shorten. */
export interface FrontTimes {
  readonly sweepMs?: number
  readonly bodyGraceMs?: number
  readonly answerStallMs?: number
}

/** A server that is not listening yet. */
export class Front {
  readonly server: Server | TlsServer
  readonly #context: ExchangeContext
  readonly #active = new Set<Exchange>()
  readonly #sweep: NodeJS.Timeout
  readonly #times: Required<FrontTimes>
  #draining = false

  constructor(
    context: Omit<ExchangeContext, 'draining'>,
    tls: TlsMaterial | undefined,
    times: FrontTimes = {},
  ) {
    this.#context = { ...context, draining: () => this.#draining }
    this.#times = {
      sweepMs: times.sweepMs ?? SWEEP_MS,
      bodyGraceMs: times.bodyGraceMs ?? BODY_GRACE_MS,
      answerStallMs: times.answerStallMs ?? ANSWER_STALL_MS_MAX,
    }
    const server =
      tls === undefined ? createServer(SERVER_OPTIONS) : createTlsServer({ ...SERVER_OPTIONS, ...tls })
    server.maxHeadersCount = HEADERS_MAX
    server.maxConnections = CONNECTIONS_MAX
    server.on('request', (message, response) => this.#exchange(message, response, false))
    server.on('checkContinue', (message, response) => this.#exchange(message, response, true))
    server.on('clientError', (error, socket) => this.#badRequest(error, socket))
    this.server = server
    this.#sweep = setInterval(() => this.#cutSlow(), this.#times.sweepMs)
    this.#sweep.unref()
  }

  /** Requests that are being answered. */
  get inFlight(): number {
    return this.#active.size
  }

  /**
   * Stops accepting, lets requests finish for `graceMs`, then aborts their signals, then cuts the
   * connections.
   * @returns when no connection is left
   */
  async close(graceMs: number): Promise<void> {
    this.#draining = true
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    const timers = [
      setTimeout(() => {
        for (const exchange of this.#active) exchange.abort()
      }, graceMs),
      setTimeout(() => this.server.closeAllConnections(), graceMs + ABORT_MS_MAX),
    ]
    await closed
    for (const timer of timers) clearTimeout(timer)
    clearInterval(this.#sweep)
  }

  #exchange(message: IncomingMessage, response: ServerResponse, waits: boolean): void {
    const exchange = new Exchange(message, response, this.#context, waits)
    this.#active.add(exchange)
    response.on('close', () => {
      this.#active.delete(exchange)
      if (!response.writableFinished) exchange.abort()
    })
    response.on('error', (error) => this.#context.log.debug('an answer could not be written', { error }))
    void exchange.run(this.#context)
  }

  /** Ends peers that send their body or take their answer too slowly (adv-35, slow loris). */
  #cutSlow(): void {
    const now = performance.now()
    for (const exchange of this.#active) {
      const { body, response, message } = exchange
      if (body?.reading === true) {
        const lateMs = now - exchange.startedAt - this.#times.bodyGraceMs
        if (lateMs > 0 && body.received < (lateMs / 1000) * BODY_BYTES_PER_SECOND_MIN) message.destroy()
      } else if (response.headersSent && response.writableLength > 0) {
        const written = message.socket.bytesWritten - message.socket.writableLength
        if (written !== exchange.bytesWritten) {
          exchange.bytesWritten = written
          exchange.stalledSince = now
        } else if (now - exchange.stalledSince > this.#times.answerStallMs) message.destroy()
      }
    }
  }

  /**
   * Answers what the parser refused. Not while another request of the connection waits for its answer: the
   * client would take this for that one (adv-88).
   */
  #badRequest(error: Error & { code?: string }, socket: Duplex): void {
    const waiting = [...this.#active].some((exchange) => exchange.message.socket === (socket as Socket))
    if (waiting || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const [status, sentence] =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'The head of the request is too large.']
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? ['408 Request Timeout', 'The request took too long to arrive.']
          : ['400 Bad Request', 'This is not a valid HTTP request.']
    const body = JSON.stringify({ errcode: 'M_UNKNOWN', error: sentence })
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': String(body.length),
      ...BASE_HEADERS,
    }
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.end(`HTTP/1.1 ${status}\r\n${head.join('')}Connection: close\r\n\r\n${body}`)
  }
}
