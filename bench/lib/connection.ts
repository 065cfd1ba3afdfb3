import { connect, type Socket } from 'node:net'
import { ResponseParser } from './http-parser.ts'
import { REQUEST_MS_MAX } from './limits.ts'

/** Where the server listens; always loopback (see `loopbackTarget`). */
export interface Target {
  readonly host: string
  readonly port: number
}

/**
 * The answer to one request. Status 0 means that no answer came; the text is then the reason. `bytes[start, end)`
 * is only valid during the call.
 */
export type OnAnswer = (status: number, bytes: Buffer, start: number, end: number) => void

// One buffer serves every socket: libuv reads into it and hands it on before the next read.
const READ_BUFFER = Buffer.allocUnsafeSlow(256 * 1024)

/**
 * One keep-alive HTTP/1.1 connection with at most one request in flight, as a client device has. It connects when
 * first used and again after the server closed it; a request that went out on a reused connection and met its close
 * is sent once more (sends carry a transaction id, so the server counts them once).
 */
export class Connection {
  readonly #target: Target
  readonly #msMax: number
  #socket: Socket | null = null
  #parser: ResponseParser | null = null
  #pending: OnAnswer | null = null
  #request = ''
  #sentAt = 0
  #reused = false
  /** Requests sent a second time because the server had closed the connection. */
  retries = 0

  /** A request without an answer after `msMax` has failed. */
  constructor(target: Target, msMax: number = REQUEST_MS_MAX) {
    this.#msMax = msMax
    this.#target = target
    open.add(this)
  }

  /** Sends a whole request (head and body; characters U+0000 to U+00FF only) and calls back once. */
  send(request: string, onAnswer: OnAnswer): void {
    if (this.#pending) throw new Error('a request is in flight')
    this.#pending = onAnswer
    this.#request = request
    this.#sentAt = performance.now()
    this.#reused = this.#socket !== null
    this.#socket ??= this.#connect()
    this.#socket.write(request, 'latin1')
  }

  /** Drops the connection; a request in flight is answered with status 0. */
  close(): void {
    open.delete(this)
    this.#drop()
    this.#answer(0, 'closed')
  }

  /** Fails a request that has waited longer than allowed. */
  expire(now: number): void {
    if (!this.#pending || now - this.#sentAt < this.#msMax) return
    this.#drop()
    this.#answer(0, `no answer within ${this.#msMax} ms`)
  }

  #connect(): Socket {
    let socket: Socket | null = null
    const parser = new ResponseParser((status, bytes, start, end, close) => {
      const onAnswer = this.#pending
      if (close) this.#drop()
      this.#pending = null
      onAnswer?.(status, bytes, start, end)
    })
    this.#parser = parser
    const onread = {
      buffer: READ_BUFFER,
      callback: (length: number, buffer: Uint8Array): boolean => {
        if (this.#socket !== socket) return false
        try {
          parser.push(buffer as Buffer, length)
        } catch (error) {
          this.#drop()
          this.#answer(0, String(error))
        }
        return true
      },
    }
    socket = connect({ ...this.#target, noDelay: true, onread })
    const lost = (reason: string) => {
      if (this.#socket === socket) this.#lost(reason)
    }
    socket.on('error', (error) => lost(error.message))
    socket.on('end', () => lost('the server closed the connection'))
    socket.on('close', () => lost('the connection is closed'))
    return socket
  }

  #lost(reason: string): void {
    const clean = this.#parser?.idle ?? true
    this.#drop()
    if (this.#pending && clean && this.#reused) {
      this.#reused = false
      this.retries++
      this.#socket = this.#connect()
      this.#socket.write(this.#request, 'latin1')
      return
    }
    this.#answer(0, reason)
  }

  #drop(): void {
    this.#socket?.destroy()
    this.#socket = null
  }

  #answer(status: number, text: string): void {
    const onAnswer = this.#pending
    this.#pending = null
    const bytes = Buffer.from(text)
    onAnswer?.(status, bytes, 0, bytes.length)
  }
}

const open = new Set<Connection>()

// One sweep per second instead of a timer per request.
setInterval(() => {
  const now = performance.now()
  for (const connection of open) connection.expire(now)
}, 1_000).unref()

/**
 * The host and port of `url`. Throws for anything but plain HTTP to this machine: 127.0.0.0/8, [::1] or localhost,
 * since a load test has no business elsewhere.
 */
export function loopbackTarget(url: string): Target {
  const { protocol, hostname, port } = new URL(url)
  if (protocol !== 'http:') throw new Error(`${url}: only http: is spoken`)
  const host = hostname === '[::1]' ? '::1' : hostname
  const isLoopback = host === '::1' || host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host)
  if (!isLoopback) throw new Error(`${url}: only a server on this machine's loopback address may be loaded`)
  return { host: host === 'localhost' ? '127.0.0.1' : host, port: Number(port || 80) }
}
