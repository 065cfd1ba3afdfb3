/** Values for requests: what a schema wants, and everything that it does not. */

import type { SeededRng } from '../sim/seeded-rng.ts'
import type { Json } from '../support/api-client.ts'

/** Characters of the longest texts. */
const LONG_CHARS = 64 * 1024
/** How deep generated values go before they end. */
const DEPTH_MAX = 5

/** A JSON schema as routes have it. */
export interface Schema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly additionalProperties?: Schema | boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
}

/** JSON that is written as it stands, because no value would be written so. */
class Raw {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

const TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  '\udfff\ud800',
  '\ufeff',
  '\uffff',
  '\u{10ffff}',
  '\u202e\u2066right to left',
  '日本語の文字列',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '%',
  '%00',
  '%s%n',
  "' OR 1=1 --",
  '"; DROP TABLE events',
  '../../etc/passwd',
  '*',
  '?*?*?*?*?*?*?*?*?*?*b',
  '(a+)+$',
  '.m.rule.master',
  '$',
  '!',
  '@',
  '#',
  ':',
  '@:',
  '@a:',
  '!a:b:c',
  '@user:[::1]:99999',
  '0',
  '-1',
  'NaN',
  '1e400',
  'true',
  'null',
  '[]',
  '{}',
  '{"room":{"timeline":{"limit":-1}}}',
  'm.room.message',
  'm.*',
] as const

const NUMBERS = [
  0,
  1,
  -1,
  100,
  255,
  65_536,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  -(2 ** 53) + 1,
  0.5,
  -0.1,
  new Raw('-0'),
  new Raw('1.0'),
  new Raw('1e3'),
  new Raw('9007199254740992'),
  new Raw('9223372036854775807'),
  new Raw('-9223372036854775809'),
  new Raw('1e308'),
  new Raw('1e400'),
  new Raw('123456789012345678901234567890123456789012345678901234567890'),
] as const

const RAWS = ['NaN', 'Infinity', '"\\ud800"', '{"a":1,"a":2}', '"\\u0000"', "'x'", 'undefined', '01', '"\t"']

/** Draws values; `known` are texts that mean something on the server, by kind. */
export class Values {
  readonly rng: SeededRng
  readonly #known: (kind: string) => readonly string[]

  constructor(rng: SeededRng, known: (kind: string) => readonly string[]) {
    this.rng = rng
    this.#known = known
  }

  /** A text that nobody asked for. */
  text(): string {
    const { rng } = this
    const kind = rng.weighted({ odd: 10, known: 6, long: 1, random: 2, many: 1 })
    if (kind === 'odd') return rng.pick(TEXTS)
    if (kind === 'known')
      return this.#any(rng.pick(['room', 'event', 'user', 'alias', 'type', 'token', 'device']))
    if (kind === 'long')
      return rng.pick(['x', '"', '\\', '\0', '界', '😀']).repeat(rng.between(200, LONG_CHARS))
    if (kind === 'many') return '*a?'.repeat(rng.between(1, 300))
    return String.fromCharCode(...Array.from({ length: rng.below(40) }, () => rng.below(0x10000)))
  }

  /** A text of a kind; one of the server's where there is one. */
  known(kind: string): string {
    const list = this.#known(kind)
    return list.length > 0 && this.rng.chance(0.85) ? this.rng.pick(list) : this.text()
  }

  #any(kind: string): string {
    const list = this.#known(kind)
    return list.length > 0 ? this.rng.pick(list) : 'x'
  }

  /** Anything at all. */
  junk(depth = 0): Json {
    const { rng } = this
    const leaf = depth >= DEPTH_MAX
    const kind = rng.weighted({
      text: 5,
      number: 5,
      word: 3,
      array: leaf ? 0 : 2,
      object: leaf ? 0 : 3,
      raw: 0.3,
      deep: 0.3,
    })
    if (kind === 'text') return this.text()
    if (kind === 'number') return rng.pick(NUMBERS)
    if (kind === 'word') return rng.pick([true, false, null])
    if (kind === 'array') return Array.from({ length: rng.below(5) }, () => this.junk(depth + 1))
    if (kind === 'raw') return new Raw(rng.pick(RAWS))
    if (kind === 'deep') {
      const levels = rng.pick([20, 90, 110, 600, 20_000])
      return new Raw(
        rng.chance(0.5)
          ? '['.repeat(levels) + ']'.repeat(levels)
          : `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`,
      )
    }
    const entries = Array.from({ length: rng.below(5) }, () => [this.#name(), this.junk(depth + 1)])
    return Object.fromEntries(entries)
  }

  #name(): string {
    return this.rng.chance(0.5) ? this.#any('field') : this.text()
  }

  /** What a schema wants, most of the time. */
  of(schema: Schema | undefined, name = '', depth = 0): Json {
    const { rng } = this
    if (schema === undefined || depth > DEPTH_MAX || rng.chance(0.03)) return this.junk(depth)
    if (schema.enum !== undefined) return rng.pick(schema.enum)
    if (schema.const !== undefined) return schema.const
    if (schema.anyOf !== undefined) return this.of(rng.pick(schema.anyOf), name, depth)
    if (schema.type === 'string') return this.#textOf(schema, name)
    if (schema.type === 'boolean') return rng.chance(0.5)
    if (schema.type === 'integer' || schema.type === 'number') {
      const { minimum = -10, maximum = 1000 } = schema
      return rng.pick([minimum, maximum, 0, 1, 10, rng.between(0, 50)])
    }
    if (schema.type === 'array') {
      return Array.from({ length: rng.below(4) }, () => this.of(schema.items, name, depth + 1))
    }
    return schema.type === 'object' ? this.#objectOf(schema, depth) : this.junk(depth)
  }

  #objectOf(schema: Schema, depth: number): Json {
    const { rng } = this
    const out: [string, Json][] = []
    const required = new Set(schema.required ?? [])
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      if (rng.chance(required.has(name) ? 0.97 : 0.5)) out.push([name, this.of(field, name, depth + 1)])
    }
    const more = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
    if (more !== undefined || schema.properties === undefined) {
      for (let i = rng.below(4); i > 0; i--) out.push([this.#name(), this.of(more, '', depth + 1)])
    }
    return Object.fromEntries(out)
  }

  #textOf({ maxLength = 100 }: Schema, name: string): string {
    if (this.rng.chance(0.05)) return 'x'.repeat(Math.min(maxLength, LONG_CHARS))
    const kind = /room/.test(name)
      ? 'room'
      : /event|root/.test(name)
        ? 'event'
        : /user|target/.test(name)
          ? 'user'
          : ''
    if (kind !== '') return this.known(kind)
    if (/from|to|since|pos|batch|at$/.test(name)) return this.known('token')
    return this.known(this.rng.pick(['type', 'field', 'device', 'alias']))
  }

  /** A value with something in it replaced, removed or added. */
  mutated(value: Json, depth = 0): Json {
    const { rng } = this
    if (value === null || typeof value !== 'object' || value instanceof Raw || rng.chance(0.15))
      return this.junk(depth)
    if (Array.isArray(value)) {
      if (value.length === 0 || rng.chance(0.2)) return [...value, this.junk(depth + 1)]
      const at = rng.below(value.length)
      return value.with(at, this.mutated(value[at], depth + 1))
    }
    const entries = Object.entries(value)
    if (entries.length === 0 || rng.chance(0.2)) return { ...value, [this.#name()]: this.junk(depth + 1) }
    const [key, child] = rng.pick(entries)
    if (rng.chance(0.15)) return Object.fromEntries(entries.filter(([name]) => name !== key))
    return { ...value, [key]: this.mutated(child, depth + 1) }
  }
}

/** The text of a value. Keys and texts are written as JSON has them, lone surrogates as escapes. */
export function written(value: Json): string {
  if (value instanceof Raw) return value.text
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value).map(([key, child]) => `${JSON.stringify(key)}:${written(child)}`)
  return `{${members.join(',')}}`
}

/** A query value as text. */
export function plain(value: Json): string {
  return typeof value === 'string' ? value : written(value)
}
