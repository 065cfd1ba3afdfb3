/** One request and its answer on a connection: the bridge between node:http and dispatch. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientSignal } from '#/base/client-signal.ts'
import type { Log } from '#/base/log.ts'
import type { Dispatch } from '#/http/dispatch.ts'
import type { Reply, ReplyBody } from '#/http/reply.ts'
import type { DispatchRequest, RequestHeaders } from '#/http/request.ts'
import { NodeBody } from './body-source.ts'
import { LINGER_BYTES_MAX, LINGER_MS_MAX, SMALL_REST_BYTES } from './limits.ts'
import { writeBody, writeHead } from './write-reply.ts'

/** What an exchange needs to know of its listener. */
export interface ExchangeContext {
  readonly dispatch: Dispatch
  readonly log: Log
  /** Address of the client behind the peer. */
  remote(message: IncomingMessage): string
  /** Request id from a trusted proxy. */
  requestId(message: IncomingMessage): string | undefined
  /** True once the listener is closing: answers then end their connection. */
  draining(): boolean
  /** Last change to an answer before it is written (compression). */
  encode?(reply: Reply, message: IncomingMessage): Reply | Promise<Reply>
}

export class Exchange implements DispatchRequest, ClientSignal {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  readonly url: string
  readonly headers: RequestHeaders
  readonly remote: string
  readonly id: string | undefined
  readonly body: NodeBody | undefined
  /**
   * For the sweep: when the request came, and the bytes the socket had written when it was last looked at.
   */
  readonly startedAt: number
  stalledSince = 0
  bytesWritten = -1
  readonly #waits: boolean
  #abort: AbortController | undefined
  #listeners: (() => void)[] | undefined
  aborted = false

  constructor(message: IncomingMessage, response: ServerResponse, context: ExchangeContext, waits: boolean) {
    this.message = message
    this.#waits = waits
    this.response = response
    this.method = message.method ?? ''
    this.url = message.url ?? '/'
    this.headers = message.headers
    this.remote = context.remote(message)
    this.id = context.requestId(message)
    this.startedAt = performance.now()
    const { headers } = message
    const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
    this.body = hasBody ? new NodeBody(message, waits ? () => response.writeContinue() : () => {}) : undefined
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.aborted) this.#abort.abort()
    }
    return this.#abort.signal
  }

  get client(): ClientSignal {
    return this
  }

  throwIfAborted(): void {
    if (this.aborted) this.signal.throwIfAborted()
  }

  onAbort(listener: () => void): void {
    if (this.#listeners) this.#listeners.push(listener)
    else this.#listeners = [listener]
  }

  offAbort(listener: () => void): void {
    this.#listeners = this.#listeners?.filter((each) => each !== listener)
  }

  headerAll(name: string): readonly string[] {
    return this.message.headersDistinct[name] ?? []
  }

  /** Tells the handler that nobody waits for the answer any more. */
  abort(): void {
    this.aborted = true
    this.#abort?.abort()
    const listeners = this.#listeners
    this.#listeners = undefined
    for (const listener of listeners ?? []) listener()
    if (this.body?.reading === true) this.message.destroy()
  }

  /** Runs the request. Never rejects. */
  async run(context: ExchangeContext): Promise<void> {
    try {
      let reply = await context.dispatch(this)
      if (context.encode !== undefined) reply = await context.encode(reply, this.message)
      if (this.response.destroyed) return await discard(reply.body)
      const rest = this.#unread()
      const close = rest !== 'none' && rest !== 'small'
      writeHead(this.response, reply.status, reply.headers, reply.body, close || context.draining())
      const body = this.method === 'HEAD' ? undefined : reply.body
      if (body !== reply.body) await discard(reply.body)
      const streaming = writeBody(this.response, body, rest !== 'large')
      if (streaming !== undefined) await streaming
      if (rest === 'large') await this.#linger()
      if (rest === 'small') this.#expectRest()
    } catch (error) {
      // A source that fails in the middle: only a broken connection tells the client that the answer is not
      // whole.
      context.log.warn('an answer was broken off', { error, method: this.method })
      this.response.destroy()
    }
  }

  /**
   * What is left of the body: nothing; little, which is thrown away so that the connection can go on; much;
   * or all of it, held back by a client that waits for `100 Continue`.
   */
  #unread(): 'none' | 'small' | 'large' | 'held' {
    if (this.body === undefined || this.message.complete) return 'none'
    if (this.#waits && !this.body.begun) return 'held'
    const length = this.headers['content-length']
    return typeof length === 'string' && Number(length) <= SMALL_REST_BYTES ? 'small' : 'large'
  }

  /** Node throws the rest away; a sender that does not send it loses the connection. */
  #expectRest(): void {
    const timer = setTimeout(() => {
      if (!this.message.complete) this.message.destroy()
    }, LINGER_MS_MAX)
    timer.unref()
    this.message.on('close', () => clearTimeout(timer))
  }

  /**
   * Reads on for a moment before it ends the connection: closing it on a sender in full flow would reset it,
   * and the answer would be lost with it.
   */
  #linger(): Promise<void> {
    const { message, response } = this
    return new Promise((resolve) => {
      let left = LINGER_BYTES_MAX
      const done = (): void => {
        clearTimeout(timer)
        message.off('data', onData)
        message.off('end', done)
        message.off('close', done)
        message.pause()
        response.end()
        resolve()
      }
      const onData = (chunk: Buffer): void => {
        left -= chunk.byteLength
        if (left < 0) done()
      }
      const timer = setTimeout(done, LINGER_MS_MAX)
      message.on('data', onData)
      message.on('end', done)
      message.on('close', done)
      message.resume()
    })
  }
}

/** Releases what stands behind a body that will not be sent, such as an open file. */
async function discard(body: ReplyBody): Promise<void> {
  if (typeof body !== 'object' || !(Symbol.asyncIterator in body)) return
  await body[Symbol.asyncIterator]().return?.()
}
