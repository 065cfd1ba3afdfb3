/** gzip for answers, where a listener's `compress` asks for it. */
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Reply } from '#/http/reply.ts'
import { COMPRESS_BYTES_MIN } from './limits.ts'

const gzipAsync = promisify(gzip)

/**
 * Text answers in memory from `COMPRESS_BYTES_MIN` on; media is compressed already and streams stay as they
 * are.
 */
export function gzipReply(reply: Reply, message: IncomingMessage): Reply | Promise<Reply> {
  const { body, headers } = reply
  if (body === undefined || !isText(headers['Content-Type']) || 'Content-Encoding' in headers) return reply
  if (!acceptsGzip(message.headers['accept-encoding'])) return reply
  if (typeof body !== 'string' && !(body instanceof Uint8Array) && !Array.isArray(body)) return reply
  const chunks = (Array.isArray(body) ? body : [body]) as readonly (string | Uint8Array)[]
  const bytes = Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)))
  if (bytes.byteLength < COMPRESS_BYTES_MIN) return reply
  return gzipAsync(bytes).then(
    (small) =>
      new Reply(reply.status, { ...headers, 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' }, small),
  )
}

const isText = (type: string | undefined): boolean =>
  type !== undefined && (type.startsWith('application/json') || type.startsWith('text/'))

/** `gzip` in the list, unless with q=0. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const list = typeof header === 'string' ? header : ''
  return list.split(',').some((item) => {
    const [name = '', ...params] = item.split(';').map((part) => part.trim().toLowerCase())
    return (name === 'gzip' || name === '*') && !params.some((param) => /^q=0(\.0{0,3})?$/.test(param))
  })
}
