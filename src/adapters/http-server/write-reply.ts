/** Writes an answer to a response. */
import type { ServerResponse } from 'node:http'
import type { ReplyBody, ReplyHeaders } from '#/http/reply.ts'

/** Header lists as Node takes them fastest, by the frozen objects that most answers share. */
const prepared = new WeakMap<ReplyHeaders, string[]>()

function headerList(headers: ReplyHeaders): string[] {
  const known = prepared.get(headers)
  if (known !== undefined) return known
  const list: string[] = []
  for (const [name, value] of Object.entries(headers)) list.push(name, value)
  if (Object.isFrozen(headers)) prepared.set(headers, list)
  return list
}

const isChunks = (body: ReplyBody): body is readonly (string | Uint8Array)[] => Array.isArray(body)

const lengthOf = (chunk: string | Uint8Array): number =>
  typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength

/** Writes the head. `close` announces that the connection ends with this answer. */
export function writeHead(
  response: ServerResponse,
  status: number,
  headers: ReplyHeaders,
  body: ReplyBody,
  close: boolean,
): void {
  const list = headerList(headers).slice()
  if (close) list.push('Connection', 'close')
  const bodiless = status === 204 || status === 304
  if (!bodiless && !hasLength(headers)) {
    if (body === undefined) list.push('Content-Length', '0')
    else if (typeof body === 'string' || body instanceof Uint8Array)
      list.push('Content-Length', String(lengthOf(body)))
    else if (isChunks(body))
      list.push('Content-Length', String(body.reduce((sum, chunk) => sum + lengthOf(chunk), 0)))
  }
  response.writeHead(status, list)
}

function hasLength(headers: ReplyHeaders): boolean {
  return 'Content-Length' in headers || 'content-length' in headers
}

/**
 * Writes the body without ending the response, or with, when `end` says so and it is in memory.
 * @returns a promise for bodies that are streamed; it rejects when their source fails
 */
export function writeBody(
  response: ServerResponse,
  body: ReplyBody,
  end: boolean,
): Promise<void> | undefined {
  if (body === undefined) {
    if (end) response.end()
    else response.flushHeaders()
    return undefined
  }
  if (typeof body === 'string' || body instanceof Uint8Array) {
    if (end) response.end(body)
    else response.write(body)
    return undefined
  }
  if (isChunks(body)) {
    response.cork()
    for (const chunk of body) response.write(chunk)
    if (end) response.end()
    response.uncork()
    return undefined
  }
  return pump(response, body, end)
}

async function pump(response: ServerResponse, body: AsyncIterable<Uint8Array>, end: boolean): Promise<void> {
  for await (const chunk of body) {
    if (response.destroyed) return
    if (!response.write(chunk)) await drained(response)
  }
  if (end) response.end()
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}
