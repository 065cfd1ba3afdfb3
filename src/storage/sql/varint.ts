/** Unsigned LEB128 numbers up to 2^53-1, for the packed columns. */

const SPARE_BYTES = 4096
const NOTHING = new Uint8Array(0)

/** Room for what is being packed, kept for the next writer: most of what is packed is far smaller than a new buffer. */
let spare: Uint8Array | undefined

/** Grows as it is written; `bytes()` gives what was written and ends the writer. */
export class ByteWriter {
  #buffer: Uint8Array
  #length = 0

  constructor() {
    this.#buffer = spare ?? new Uint8Array(SPARE_BYTES)
    spare = undefined
  }

  uint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`)
    if (this.#length + 8 > this.#buffer.length) this.#grow()
    let rest = value
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#length++] = rest
    return this
  }

  bytes(): Uint8Array {
    const written = this.#buffer.slice(0, this.#length)
    if (this.#buffer.length === SPARE_BYTES) spare = this.#buffer
    this.#buffer = NOTHING
    this.#length = 0
    return written
  }

  #grow(): void {
    const larger = new Uint8Array(Math.max(SPARE_BYTES, this.#buffer.length * 2))
    larger.set(this.#buffer)
    this.#buffer = larger
  }
}

/** Reads what ByteWriter wrote. Throws a RangeError when the bytes end inside a number. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get done(): boolean {
    return this.#at >= this.#end
  }

  /** Offset of the next byte. */
  get at(): number {
    return this.#at
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  uint(): number {
    const first = this.#at < this.#end ? this.#bytes[this.#at] : undefined
    if (first !== undefined && first < 0x80) {
      this.#at++
      return first
    }
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.#at < this.#end ? this.#bytes[this.#at++] : undefined
      if (byte === undefined) throw new RangeError('packed number is cut short')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
      if (scale > Number.MAX_SAFE_INTEGER) throw new RangeError('packed number is too long')
    }
  }
}

/** Bytes that a number takes. */
export function uintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++
  return length
}

export function packUints(values: readonly number[]): Uint8Array {
  const writer = new ByteWriter()
  for (const value of values) writer.uint(value)
  return writer.bytes()
}

export function unpackUints(bytes: Uint8Array): number[] {
  const reader = new ByteReader(bytes)
  const values: number[] = []
  while (!reader.done) values.push(reader.uint())
  return values
}
