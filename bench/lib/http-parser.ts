import { HEAD_BYTES_MAX, RESPONSE_BYTES_MAX } from './limits.ts'

/**
 * One complete response. `bytes[start, end)` is the body; it is only valid during the call, because the bytes may
 * belong to a read buffer that the next read overwrites.
 */
export type OnResponse = (status: number, bytes: Buffer, start: number, end: number, close: boolean) => void

type State = 'head' | 'length' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailer'

const EMPTY = Buffer.alloc(0)

/**
 * Reads HTTP/1.1 responses from a byte stream cut at any place: bodies with a Content-Length, chunked bodies, and
 * answers without a body (204, 304, 1xx are skipped or empty). A response that arrives whole in one read is handed
 * on without a copy. Anything else in the framing throws.
 */
export class ResponseParser {
  readonly #onResponse: OnResponse
  /** Bytes of an unfinished response, from earlier reads. */
  #held = EMPTY
  #heldLength = 0
  #state: State = 'head'
  #status = 0
  #close = false
  /** Length of the body, or of the current chunk. */
  #need = 0
  #body: Buffer[] = []
  #bodyLength = 0

  constructor(onResponse: OnResponse) {
    this.#onResponse = onResponse
  }

  /** True between two responses: the connection may be dropped without loss. */
  get idle(): boolean {
    return this.#state === 'head' && this.#heldLength === 0
  }

  /** Takes the next `length` bytes of the stream; calls back for every response that they complete. */
  push(bytes: Buffer, length: number): void {
    let from = bytes
    let end = length
    if (this.#heldLength > 0) {
      this.#hold(bytes, 0, length)
      from = this.#held
      end = this.#heldLength
    }
    let start = 0
    while (start < end) {
      const next = this.#step(from, start, end)
      if (next < 0) break
      start = next
    }
    if (from === this.#held) {
      this.#held.copyWithin(0, start, end)
      this.#heldLength = end - start
    } else if (start < end) {
      this.#hold(from, start, end)
    }
  }

  /** One step from `start`: the place to go on at, or -1 when more bytes are needed. */
  #step(bytes: Buffer, start: number, end: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes, start, end)
      case 'length':
        return this.#readBody(bytes, start, end)
      default:
        return this.#readChunked(bytes, start, end)
    }
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    const headEnd = bytes.indexOf('\r\n\r\n', start, 'latin1')
    // The buffer holds bytes of earlier reads after `end`.
    if (headEnd < 0 || headEnd + 4 > end) {
      if (end - start > HEAD_BYTES_MAX) throw new Error('response head too long')
      return -1
    }
    const head = bytes.toString('latin1', start, headEnd)
    if (!head.startsWith('HTTP/1.')) throw new Error(`not HTTP/1: ${JSON.stringify(head.slice(0, 40))}`)
    this.#status = Number(head.slice(9, 12))
    const lower = head.toLowerCase()
    this.#close = headerOf(lower, 'connection') === 'close'
    const bodyStart = headEnd + 4
    if (this.#status < 200) return bodyStart
    if (headerOf(lower, 'transfer-encoding') === 'chunked') {
      this.#state = 'chunk-size'
      return bodyStart
    }
    const length = headerOf(lower, 'content-length')
    const bodiless = this.#status === 204 || this.#status === 304
    if (length === undefined && !bodiless) throw new Error('response without a length')
    this.#need = length === undefined ? 0 : Number(length)
    if (!(this.#need >= 0 && this.#need <= RESPONSE_BYTES_MAX)) throw new Error(`response length ${length}`)
    if (this.#need === 0) {
      this.#finish(bytes, bodyStart, bodyStart)
      return bodyStart
    }
    this.#state = 'length'
    return bodyStart
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    if (end - start < this.#need) return -1
    const bodyEnd = start + this.#need
    this.#state = 'head'
    this.#finish(bytes, start, bodyEnd)
    return bodyEnd
  }

  #readChunked(bytes: Buffer, start: number, end: number): number {
    if (this.#state === 'chunk-data') {
      const take = Math.min(this.#need, end - start)
      this.#body.push(Buffer.from(bytes.subarray(start, start + take)))
      this.#need -= take
      if (this.#need === 0) this.#state = 'chunk-end'
      return start + take
    }
    const lineEnd = bytes.indexOf('\r\n', start, 'latin1')
    if (lineEnd < 0 || lineEnd + 2 > end) {
      if (end - start > HEAD_BYTES_MAX) throw new Error('chunk line too long')
      return -1
    }
    if (this.#state === 'chunk-size') {
      const size = Number.parseInt(bytes.toString('latin1', start, lineEnd), 16)
      this.#bodyLength += size
      if (!(size >= 0 && this.#bodyLength <= RESPONSE_BYTES_MAX)) throw new Error('bad chunk size')
      this.#need = size
      this.#state = size === 0 ? 'trailer' : 'chunk-data'
    } else if (this.#state === 'chunk-end') {
      this.#state = 'chunk-size'
    } else if (lineEnd === start) {
      const body = this.#body.length === 1 ? this.#body[0]! : Buffer.concat(this.#body)
      this.#body = []
      this.#bodyLength = 0
      this.#state = 'head'
      this.#finish(body, 0, body.length)
    }
    return lineEnd + 2
  }

  #finish(bytes: Buffer, start: number, end: number): void {
    this.#onResponse(this.#status, bytes, start, end, this.#close)
  }

  #hold(bytes: Buffer, start: number, end: number): void {
    const length = this.#heldLength + end - start
    if (length > RESPONSE_BYTES_MAX + HEAD_BYTES_MAX) throw new Error('response too long')
    if (length > this.#held.length) {
      // A known body length says how much will come; without it the buffer doubles.
      const wanted = this.#state === 'length' ? this.#need : length
      const wider = Buffer.allocUnsafeSlow(Math.max(length * 2, wanted, 16_384))
      this.#held.copy(wider, 0, 0, this.#heldLength)
      this.#held = wider
    }
    bytes.copy(this.#held, this.#heldLength, start, end)
    this.#heldLength = length
  }
}

/** The value of header `name` in a lower-cased head, or undefined. */
function headerOf(head: string, name: string): string | undefined {
  const at = head.indexOf(`\r\n${name}:`)
  if (at < 0) return undefined
  const from = at + name.length + 3
  const to = head.indexOf('\r\n', from)
  return head.slice(from, to < 0 ? undefined : to).trim()
}
