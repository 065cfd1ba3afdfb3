/**
 * Where the log's lines go: a file or a descriptor. Our own, because the library's never gives up on a full disk and
 * holds the whole server meanwhile. Here a log that cannot be written loses lines and nothing else.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Bytes that are kept while they cannot be written; lines beyond are lost and counted. */
export const LOG_KEPT_BYTES_MAX = 1024 * 1024
/** Milliseconds between two attempts. */
export const LOG_FLUSH_MS = 1000

const STDERR = 2

export interface LogSinkOptions {
  /** A file path, or a file descriptor. */
  readonly to: string | number
  /** Collects this many characters before it writes; 0 writes each line at once. */
  readonly bufferBytes: number
  /** For tests. */
  readonly write?: (fd: number, bytes: Uint8Array, offset: number) => number
}

export class LogSink {
  readonly #options: LogSinkOptions
  readonly #write: (fd: number, bytes: Uint8Array, offset: number) => number
  #fd: number
  /** Lines that no attempt was made to write. */
  #lines: string[] = []
  #chars = 0
  /** What an attempt left, from `#written` on. */
  #left: Uint8Array | undefined
  #written = 0
  #lost = 0
  #failing = false

  /** @throws when the file cannot be opened */
  constructor(options: LogSinkOptions) {
    this.#options = options
    this.#write = options.write ?? writeSync
    this.#fd = typeof options.to === 'number' ? options.to : openLog(options.to)
    setInterval(() => this.flush(), LOG_FLUSH_MS).unref()
  }

  /** Takes one line with its newline. Never throws and never waits for a disk that is full. */
  write(line: string): void {
    if (this.#chars + this.#leftBytes() > LOG_KEPT_BYTES_MAX) {
      this.#lost++
      return
    }
    this.#lines.push(line)
    this.#chars += line.length
    if (this.#chars > this.#options.bufferBytes && !this.#failing) this.flush()
  }

  /** Writes what is there, as far as it can be written now. */
  flush(): void {
    try {
      if (!this.#writeLeft()) return
      if (this.#lost > 0) this.#lines.push(lostLine(this.#lost))
      if (this.#lines.length === 0) return
      this.#left = Buffer.from(this.#lines.join(''))
      this.#written = 0
      this.#lines = []
      this.#chars = 0
      this.#lost = 0
      this.#writeLeft()
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  /** Opens the file again, after log rotation has moved it. Does nothing for descriptors. */
  reopen(): void {
    const { to } = this.#options
    if (typeof to !== 'string') return
    this.flush()
    const old = this.#fd
    this.#fd = openLog(to)
    closeSync(old)
  }

  #leftBytes(): number {
    return this.#left === undefined ? 0 : this.#left.byteLength - this.#written
  }

  /** True when nothing is left. A line of which a part is written goes on where it stopped. */
  #writeLeft(): boolean {
    const left = this.#left
    if (left === undefined) return true
    while (this.#written < left.byteLength) {
      const count = this.#write(this.#fd, left, this.#written)
      if (count <= 0) return false
      this.#written += count
    }
    this.#left = undefined
    this.#failing = false
    return true
  }

  #failed(error: Error): void {
    if (this.#failing) return
    this.#failing = true
    if (this.#fd === STDERR) return
    const text = `The log cannot be written (${error.message}). The server goes on; later lines may be lost.\n`
    try {
      writeSync(STDERR, text)
    } catch {
      // There is nobody left to tell.
    }
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true })
  return openSync(path, 'a')
}

function lostLine(count: number): string {
  const fields = { level: 'warn', time: new Date().toISOString(), lines: count, msg: 'log lines were lost' }
  return `${JSON.stringify(fields)}\n`
}
