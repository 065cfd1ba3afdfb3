/**
 * Bodies that carry events of others, such as a transaction: the envelope is read, each event stays text, so that
 * one bad event is refused alone and never spoils the whole body.
 */
import { type Result, refuse } from '../errors.ts'
import { JSON_TEXT_CHARS_MAX } from '../limits.ts'
import { readJson } from './reader.ts'
import { type JsonValue, setMember } from './value.ts'

/** What `readEnvelope` gives. */
export interface Envelope {
  /** The members that were not asked for as text. */
  readonly members: { readonly [key: string]: JsonValue }
  /** Per raw key: the text of each element if it is an array, else the one text of its value. */
  readonly raw: ReadonlyMap<string, string | readonly string[]>
}

/**
 * Reads a JSON object whose members named in `rawKeys` stay text, for example `pdus`, `state`, `auth_chain`, `event`.
 * A raw text is only bracket-matched; `readJson` judges it later.
 * @returns rules `json.syntax`, `json.duplicate_key`, `json.size`, and those of `readJson` for other members.
 */
export function readEnvelope(text: string, rawKeys: ReadonlySet<string>): Result<Envelope> {
  if (text.length > JSON_TEXT_CHARS_MAX) return refuse('json.size', `${text.length} characters`)
  const members: Record<string, JsonValue> = {}
  const raw = new Map<string, string | readonly string[]>()
  let at = skipSpace(text, 0)
  if (text[at] !== '{') return syntax(at)
  at = skipSpace(text, at + 1)
  if (text[at] === '}') return atEnd(text, at + 1) ? { ok: true, value: { members, raw } } : syntax(at)
  for (;;) {
    const key = readKey(text, at)
    if (!key.ok) return key
    const { name, next } = key.value
    if (Object.hasOwn(members, name) || raw.has(name)) {
      return refuse('json.duplicate_key', 'a key of the body appears twice')
    }
    const end = skipValue(text, next)
    if (end < 0) return syntax(next)
    if (rawKeys.has(name)) {
      const value = rawValue(text, next, end)
      if (value === undefined) return syntax(next)
      raw.set(name, value)
    } else {
      const value = readJson(text.slice(next, end), 'lenient')
      if (!value.ok) return value
      setMember(members, name, value.value)
    }
    at = skipSpace(text, end)
    if (text[at] === '}') break
    if (text[at] !== ',') return syntax(at)
    at = skipSpace(text, at + 1)
  }
  return atEnd(text, at + 1) ? { ok: true, value: { members, raw } } : syntax(at)
}

/** The string that starts at `at` and the index of the value after its colon. */
function readKey(text: string, at: number): Result<{ name: string; next: number }> {
  if (text[at] !== '"') return syntax(at)
  const end = skipString(text, at)
  if (end < 0) return syntax(at)
  const name = readJson(text.slice(at, end), 'strict')
  if (!name.ok) return name
  const colon = skipSpace(text, end)
  if (text[colon] !== ':') return syntax(colon)
  return { ok: true, value: { name: name.value as string, next: skipSpace(text, colon + 1) } }
}

/** The elements of an array as texts, or the one text of anything else; undefined for a bad array. */
function rawValue(text: string, start: number, end: number): string | string[] | undefined {
  if (text[start] !== '[') return text.slice(start, end)
  const items: string[] = []
  let at = skipSpace(text, start + 1)
  if (text[at] === ']') return items
  for (;;) {
    const next = skipValue(text, at)
    if (next < 0) return undefined
    items.push(text.slice(at, next))
    at = skipSpace(text, next)
    if (text[at] === ']' && at === end - 1) return items
    if (text[at] !== ',') return undefined
    at = skipSpace(text, at + 1)
  }
}

/** Index after the value at `at`: a string, a bracketed text, or a run of other characters; -1 if there is none. */
function skipValue(text: string, at: number): number {
  let depth = 0
  for (let i = at; i < text.length; ) {
    const c = text.charCodeAt(i)
    if (c === 0x22) {
      i = skipString(text, i)
      if (i < 0) return -1
      if (depth === 0) return i
    } else if (c === 0x7b || c === 0x5b) {
      depth++
      i++
    } else if (c === 0x7d || c === 0x5d) {
      if (depth === 0) return i > at ? i : -1
      i++
      if (--depth === 0) return i
    } else if (depth === 0 && (c === 0x2c || isSpace(c))) return i > at ? i : -1
    else i++
  }
  return -1
}

/** Index after the closing quote, or -1. */
function skipString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 0x5c) i++
    else if (c === 0x22) return i + 1
  }
  return -1
}

function skipSpace(text: string, at: number): number {
  let i = at
  while (isSpace(text.charCodeAt(i))) i++
  return i
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
}

function atEnd(text: string, at: number): boolean {
  return skipSpace(text, at) === text.length
}

function syntax(at: number): { readonly ok: false; readonly rule: string; readonly why: string } {
  return refuse('json.syntax', `not JSON at character ${at}`)
}
