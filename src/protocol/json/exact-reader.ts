import { type Result, refuse } from '../errors.ts'
import { JSON_DEPTH_MAX, JSON_NUMBER_CHARS_MAX } from '../limits.ts'
import { type JsonValue, NumberToken, setMember } from './value.ts'

type Building = Record<string, JsonValue> | JsonValue[]

class Refusal extends Error {
  readonly rule: string
  constructor(rule: string, why: string) {
    super(why)
    this.rule = rule
  }
}

/** The slow, exact way of `readJson`: own tokenizer, own stack. */
export function readExactly(text: string, numbers: 'strict' | 'lenient'): Result<JsonValue> {
  try {
    return { ok: true, value: new Reader(text, numbers === 'strict').read() }
  } catch (error) {
    if (error instanceof Refusal) return refuse(error.rule, error.message)
    throw error
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class Reader {
  readonly #text: string
  readonly #strict: boolean
  #at = 0

  constructor(text: string, strict: boolean) {
    this.#text = text
    this.#strict = strict
  }

  /** Containers under construction live on an own stack, so that nesting costs no call depth. */
  read(): JsonValue {
    const stack: Building[] = []
    const keys: string[] = []
    for (;;) {
      let done = this.#scalarOrOpen(stack, keys)
      if (done === undefined) continue
      for (;;) {
        const top = stack.at(-1)
        if (top === undefined) return this.#end(done)
        if (Array.isArray(top)) top.push(done)
        else setMember(top, keys.pop()!, done)
        if (!this.#closes(top, keys)) break
        stack.pop()
        done = top
      }
    }
  }

  #end(value: JsonValue): JsonValue {
    this.#space()
    if (this.#at < this.#text.length) throw this.#syntax()
    return value
  }

  /** A finished scalar or empty container, or undefined after an opening that waits for its first element. */
  #scalarOrOpen(stack: Building[], keys: string[]): JsonValue | undefined {
    this.#space()
    const c = this.#text[this.#at]
    if (c !== '{' && c !== '[') return this.#scalar(c)
    if (stack.length >= JSON_DEPTH_MAX)
      throw new Refusal('json.depth', `nested deeper than ${JSON_DEPTH_MAX}`)
    this.#at++
    this.#space()
    const container: Building = c === '{' ? {} : []
    if (this.#text[this.#at] === (c === '{' ? '}' : ']')) {
      this.#at++
      return container
    }
    stack.push(container)
    if (c === '{') keys.push(this.#key(container as Record<string, JsonValue>))
    return undefined
  }

  /** After an element: true when the container ends here, false after a comma (and the next key). */
  #closes(top: Building, keys: string[]): boolean {
    this.#space()
    const c = this.#text[this.#at++]
    if (c === ',') {
      if (!Array.isArray(top)) keys.push(this.#key(top))
      return false
    }
    if (c === (Array.isArray(top) ? ']' : '}')) return true
    this.#at--
    throw this.#syntax()
  }

  #key(object: Record<string, JsonValue>): string {
    this.#space()
    if (this.#text[this.#at] !== '"') throw this.#syntax()
    const key = this.#string()
    if (Object.hasOwn(object, key)) throw new Refusal('json.duplicate_key', `duplicate key ${excerpt(key)}`)
    this.#space()
    if (this.#text[this.#at] !== ':') throw this.#syntax()
    this.#at++
    return key
  }

  #scalar(c: string | undefined): JsonValue {
    if (c === '"') return this.#string()
    if (c === 't') return this.#word('true', true)
    if (c === 'f') return this.#word('false', false)
    if (c === 'n') return this.#word('null', null)
    return this.#number()
  }

  #word<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#syntax()
    this.#at += word.length
    return value
  }

  #string(): string {
    const text = this.#text
    let start = ++this.#at
    let out = ''
    for (;;) {
      const c = text.charCodeAt(this.#at)
      if (c === 0x22) break
      // NaN, past the end, fails this comparison too.
      if (!(c >= 0x20)) throw this.#syntax()
      if (c === 0x5c) {
        out += text.slice(start, this.#at) + this.#escape()
        start = this.#at
      } else this.#at++
    }
    out += text.slice(start, this.#at++)
    if (!out.isWellFormed())
      throw new Refusal('json.lone_surrogate', `half a surrogate pair in ${excerpt(out)}`)
    return out
  }

  #escape(): string {
    const c = this.#text[this.#at + 1] ?? ''
    this.#at += 2
    if (Object.hasOwn(ESCAPES, c)) return ESCAPES[c]!
    if (c !== 'u') throw this.#syntax()
    let unit = 0
    for (let i = 0; i < 4; i++) {
      const digit = hexDigit(this.#text.charCodeAt(this.#at))
      if (digit < 0) throw this.#syntax()
      unit = unit * 16 + digit
      this.#at++
    }
    return String.fromCharCode(unit)
  }

  #number(): JsonValue {
    const start = this.#at
    if (this.#text[this.#at] === '-') this.#at++
    const first = this.#at
    const digits = this.#digits()
    if (digits === 0 || (digits > 1 && this.#text[first] === '0')) throw this.#syntax()
    let float = false
    if (this.#text[this.#at] === '.') {
      float = true
      this.#at++
      if (this.#digits() === 0) throw this.#syntax()
    }
    const e = this.#text[this.#at]
    if (e === 'e' || e === 'E') {
      float = true
      this.#at++
      const sign = this.#text[this.#at]
      if (sign === '+' || sign === '-') this.#at++
      if (this.#digits() === 0) throw this.#syntax()
    }
    return this.#numberValue(this.#text.slice(start, this.#at), float)
  }

  #numberValue(token: string, float: boolean): JsonValue {
    if (token.length > JSON_NUMBER_CHARS_MAX) {
      throw new Refusal('json.number_length', `a number of ${token.length} characters`)
    }
    const value = Number(token)
    if (!float && Number.isSafeInteger(value) && !Object.is(value, -0)) return value
    if (this.#strict) {
      const rule = float ? 'json.float' : value === 0 ? 'json.negative_zero' : 'json.range'
      throw new Refusal(rule, `number ${excerpt(token)}`)
    }
    return new NumberToken(token)
  }

  #digits(): number {
    const start = this.#at
    for (;;) {
      const c = this.#text.charCodeAt(this.#at)
      if (!(c >= 0x30 && c <= 0x39)) return this.#at - start
      this.#at++
    }
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
      this.#at++
    }
  }

  #syntax(): Refusal {
    return new Refusal('json.syntax', `not JSON at character ${this.#at}`)
  }
}

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30
  const lower = c | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** At most 40 characters of foreign text for a message. */
function excerpt(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text)
}
