/** Helpers of the socket tests: a server with some routes, and a client that writes bytes. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type LogLine, memoryLog } from '#/base/log.ts'
import { noMetrics } from '#/base/metrics.ts'
import { realWorld } from '#/base/world.ts'
import { createDispatch, type Dispatch } from '#/http/dispatch.ts'
import { unlimited } from '#/http/rate-limiter.ts'
import { content } from '#/http/reply.ts'
import { requestIds } from '#/http/request-ids.ts'
import { type Route, route } from '#/http/route.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { type HttpListeners, type ListenerOptions, openListeners } from './listeners.ts'

/** Things that happened in handlers, for tests to wait for. */
export class Events {
  readonly #seen = new Set<string>()
  readonly #waiting = new Map<string, () => void>()
  tell(name: string): void {
    this.#seen.add(name)
    this.#waiting.get(name)?.()
  }
  saw(name: string): boolean {
    return this.#seen.has(name)
  }
  /** Resolves when `name` has happened; rejects after two seconds. */
  async of(name: string): Promise<void> {
    if (this.#seen.has(name)) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${name} did not happen`)), 2000)
      this.#waiting.set(name, () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

const open = { method: 'POST', spec: 'own', auth: 'none', limit: 'none' } as const

export function testRoutes(events: Events): Route[] {
  return [
    route({
      ...open,
      path: '/echo',
      body: 'bytes',
      bodyBytesMax: 1000,
      handle: ({ body }) => content(200, 'text/plain', body),
    }),
    route({ ...open, path: '/event', body: 'event', handle: ({ body }) => ({ body }) }),
    route({ ...open, path: '/ignore', handle: () => ({ ok: true }) }),
    route({
      ...open,
      path: '/stream',
      body: 'stream',
      bodyBytesMax: 100_000,
      async handle({ body }) {
        let size = 0
        for await (const chunk of body) size += chunk.byteLength
        return { size }
      },
    }),
    route({
      ...open,
      method: 'GET',
      path: '/who',
      handle: ({ request }) => ({ remote: request.remote, id: request.id }),
    }),
    route({
      ...open,
      method: 'GET',
      path: '/after/:ms',
      async handle({ params, request }) {
        events.tell('started')
        await new Promise((resolve, reject) => {
          const timer = setTimeout(resolve, Number(params.ms))
          request.signal.addEventListener('abort', () => {
            events.tell('aborted')
            clearTimeout(timer)
            reject(request.signal.reason)
          })
        })
        return { waited: params.ms }
      },
    }),
    route({
      ...open,
      method: 'GET',
      path: '/large/:bytes',
      handle: ({ params }) => ({ x: 'x'.repeat(Number(params.bytes)) }),
    }),
    route({
      ...open,
      method: 'GET',
      path: '/pieces/:count',
      handle: ({ params }) =>
        content(
          200,
          'application/octet-stream',
          pieces(Number(params.count), () => events.tell('source released')),
        ),
    }),
  ]
}

/** A source of `count` pieces that fails after fifty and tells when it is released. */
function pieces(count: number, released: () => void): AsyncIterable<Uint8Array> {
  let at = 0
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (at === 50) throw new Error('the disk went away')
        return at < count
          ? { done: false, value: Buffer.alloc(65_536, at++) }
          : { done: true, value: undefined }
      },
      async return() {
        released()
        return { done: true, value: undefined }
      },
    }),
  }
}

export function testDispatch(events = new Events(), lines: LogLine[] = []): Dispatch {
  return createDispatch({
    routes: testRoutes(events),
    authenticate: {
      user: () => {
        throw new MatrixError('M_UNKNOWN_TOKEN', 'Nobody is known here.', { soft_logout: false })
      },
    },
    limiter: unlimited,
    log: memoryLog(lines),
    metrics: noMetrics,
    clock: realWorld.clock,
    ids: requestIds(realWorld.rng),
  })
}

export interface TestServer extends AsyncDisposable {
  readonly port: number
  readonly listeners: HttpListeners
  readonly events: Events
  readonly lines: LogLine[]
}

export async function serve(options: Partial<ListenerOptions> = {}): Promise<TestServer> {
  const events = new Events()
  const lines: LogLine[] = []
  const at = { port: 0, addresses: ['127.0.0.1'] }
  const log = memoryLog(lines)
  const listeners = await openListeners([{ at, dispatch: testDispatch(events, lines), ...options }], log)
  const [bound] = listeners.bound
  const port = bound !== undefined && 'port' in bound ? bound.port : 0
  return { port, listeners, events, lines, [Symbol.asyncDispose]: () => listeners.close(0) }
}

/** A connection that writes what it is told and collects what comes back. */
export class Wire implements Disposable {
  readonly socket: Socket
  text = ''
  ended: Promise<unknown>
  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (data) => {
      this.text += data.toString('latin1')
      socket.emit('more')
    })
    socket.on('error', () => {})
    this.ended = new Promise((resolve) => socket.on('close', resolve))
  }
  static async to(where: number | string): Promise<Wire> {
    const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where)
    await once(socket, 'connect')
    return new Wire(socket)
  }
  send(...text: string[]): this {
    for (const part of text) this.socket.write(part)
    return this
  }
  /** Waits until the answer matches; fails after two seconds. */
  async until(pattern: RegExp): Promise<string> {
    const deadline = AbortSignal.timeout(2000)
    while (!pattern.test(this.text)) {
      await Promise.race([once(this.socket, 'more', { signal: deadline }), this.ended]).catch(() => {
        throw new Error(`no ${pattern} in ${JSON.stringify(this.text.slice(0, 500))}`)
      })
      if (this.socket.closed && !pattern.test(this.text)) {
        throw new Error(`closed without ${pattern}: ${JSON.stringify(this.text.slice(0, 500))}`)
      }
    }
    return this.text
  }
  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

/** A request as text. */
export function request(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): string {
  const all: Record<string, string> = { Host: 'test', ...headers }
  if (body !== undefined && !('Transfer-Encoding' in headers) && !('Content-Length' in headers)) {
    all['Content-Length'] = String(Buffer.byteLength(body))
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return `${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** Chunked transfer coding of some pieces. */
export function chunked(...pieces: string[]): string {
  return `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
