/** A body on the wire: read at most once, never more than the limit in memory (adv-35). */
import type { IncomingMessage } from 'node:http'
import { tooLarge } from '#/http/body.ts'
import type { BodySource } from '#/http/request.ts'

/** The client closed the connection before its body was complete. */
export class BodyAborted extends Error {
  constructor() {
    super('the client closed the connection while sending its body')
    this.name = 'AbortError'
  }
}

export class NodeBody implements BodySource {
  readonly #message: IncomingMessage
  readonly #begin: () => void
  /** Bytes seen; the sweep for slow senders reads it. */
  received = 0
  reading = false
  begun = false

  /** `begin` runs before the first byte is wanted; it sends `100 Continue` where the client waits for it. */
  constructor(message: IncomingMessage, begin: () => void) {
    this.#message = message
    this.#begin = begin
  }

  read(limit: number): Promise<Uint8Array> {
    const message = this.#message
    if (announced(message) > limit) return Promise.reject(tooLarge(limit))
    this.#start()
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      const onData = (chunk: Buffer): void => {
        this.received += chunk.byteLength
        if (this.received > limit) stop(tooLarge(limit))
        else chunks.push(chunk)
      }
      const onEnd = (): void => {
        stop()
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
      }
      const onClose = (): void => stop(new BodyAborted())
      const stop = (error?: Error): void => {
        this.reading = false
        message.off('data', onData)
        message.off('end', onEnd)
        message.off('close', onClose)
        if (error === undefined) return
        message.pause()
        reject(error)
      }
      message.on('data', onData)
      message.on('end', onEnd)
      message.on('close', onClose)
      if (message.destroyed && !message.readableEnded) onClose()
    })
  }

  async *stream(limit: number): AsyncIterable<Uint8Array> {
    const message = this.#message
    if (announced(message) > limit) throw tooLarge(limit)
    this.#start()
    try {
      for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        this.received += chunk.byteLength
        if (this.received > limit) throw tooLarge(limit)
        yield chunk
      }
      if (!message.complete) throw new BodyAborted()
    } catch (error) {
      throw (error as { code?: unknown }).code === 'ECONNRESET' ? new BodyAborted() : error
    } finally {
      this.reading = false
    }
  }

  #start(): void {
    if (this.begun) throw new Error('a request body is read once')
    this.begun = true
    this.reading = true
    this.#begin()
  }
}

/** The announced length; Node's parser has already refused what is no number and what contradicts itself. */
function announced(message: IncomingMessage): number {
  const length = message.headers['content-length']
  return length === undefined ? 0 : Number(length)
}
