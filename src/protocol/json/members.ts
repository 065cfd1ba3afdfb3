/**
 * Large bodies in slices: the outer objects are walked through, each value below them stays text until it is its turn.
 * Whoever reads a body of some megabytes so can let others go first between two values.
 */
import { type Result, refuse } from '../errors.ts'
import { decodeUtf8, readJson } from './reader.ts'

/** A value that is not walked into. */
export interface Member {
  /** Names of the members that lead to it, the outermost first. */
  readonly path: readonly string[]
  readonly text: string
}

/**
 * What becomes of the member at a path: `enter` where it must be an object whose members come one by one, `give` to be
 * given as text, `skip` to be left out.
 */
export type Walk = (path: readonly string[]) => 'enter' | 'give' | 'skip'

/**
 * Walks through a JSON object. Texts that are given or skipped are only bracket-matched: `readJson` judges them. The
 * rest is as strict as `readJson`: no name twice in an object, nothing behind the end.
 * @param valueBytesMax bytes of a text that is given or skipped
 * @returns (of the generator) undefined at the end, else the rule that is broken: `json.syntax`, `json.duplicate_key`,
 * `json.object`, `json.size`, `json.utf8`, or those of `readJson` for names
 */
export function* walkMembers(
  bytes: Uint8Array,
  walk: Walk,
  valueBytesMax = Number.MAX_SAFE_INTEGER,
): Generator<Member, Refusal | undefined> {
  const path: string[] = []
  /** Names seen in the objects that are entered, the innermost last. */
  const seen: Set<string>[] = [new Set()]
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== OPEN) return syntax(at)
  at = skipSpace(bytes, at + 1)
  for (;;) {
    const names = seen.at(-1)!
    if (bytes[at] === CLOSE) {
      seen.pop()
      if (seen.length === 0) break
      path.pop()
      at = skipSpace(bytes, at + 1)
      continue
    }
    if (names.size > 0) {
      if (bytes[at] !== COMMA) return syntax(at)
      at = skipSpace(bytes, at + 1)
    }
    const end = skipString(bytes, at)
    if (end < 0) return syntax(at)
    const name = textOf(bytes, at, end)
    if (!name.ok) return name
    if (names.has(name.value)) return refuse('json.duplicate_key', 'a name appears twice in an object')
    names.add(name.value)
    const colon = skipSpace(bytes, end)
    if (bytes[colon] !== COLON) return syntax(colon)
    at = skipSpace(bytes, colon + 1)
    path.push(name.value)
    const what = walk(path)
    if (what === 'enter') {
      if (bytes[at] !== OPEN) return refuse('json.object', 'a member that must be an object is none')
      seen.push(new Set())
      at = skipSpace(bytes, at + 1)
      continue
    }
    const after = skipValue(bytes, at, at + valueBytesMax)
    if (after === TOO_LONG) return refuse('json.size', `a value of more than ${valueBytesMax} bytes`)
    if (after < 0) return syntax(at)
    if (what === 'give') {
      const text = decodeUtf8(bytes.subarray(at, after))
      if (text === undefined) return refuse('json.utf8', 'not valid UTF-8')
      yield { path: [...path], text }
    }
    path.pop()
    at = skipSpace(bytes, after)
  }
  return skipSpace(bytes, at + 1) === bytes.length ? undefined : syntax(at)
}

/** Which rule is broken, and how. */
export type Refusal = ReturnType<typeof refuse>

const [OPEN, CLOSE, COMMA, COLON, QUOTE, BACKSLASH] = [0x7b, 0x7d, 0x2c, 0x3a, 0x22, 0x5c]

function syntax(at: number): Refusal {
  return refuse('json.syntax', `at byte ${at}`)
}

function textOf(bytes: Uint8Array, start: number, end: number): Result<string> {
  const text = decodeUtf8(bytes.subarray(start, end))
  if (text === undefined) return refuse('json.utf8', 'not valid UTF-8')
  return readJson(text, 'strict') as Result<string>
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  for (;;) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at
    at++
  }
}

/** The index behind the string that starts at `at`, or -1. */
function skipString(bytes: Uint8Array, start: number, end = bytes.length): number {
  if (bytes[start] !== QUOTE) return -1
  /* Long strings are what makes bodies large, so the next quote is looked for at once. */
  for (let at = bytes.indexOf(QUOTE, start + 1); at >= 0 && at < end; at = bytes.indexOf(QUOTE, at + 1)) {
    let before = at - 1
    while (bytes[before] === BACKSLASH) before--
    if ((at - before) % 2 === 1) return at + 1
  }
  return -1
}

const TOO_LONG = -2

/**
 * The index behind the value that starts at `start`: a string, brackets that match, or what stands between. -1 for no
 * value, TOO_LONG where it does not end before `limit`.
 */
function skipValue(bytes: Uint8Array, start: number, limit: number): number {
  const end = Math.min(bytes.length, limit)
  const none = end < bytes.length ? TOO_LONG : -1
  if (bytes[start] === QUOTE) return endOf(skipString(bytes, start, end), none)
  let depth = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at = skipString(bytes, at, end) - 1
      if (at < 0) return none
    } else if (byte === OPEN || byte === 0x5b) depth++
    else if (byte === CLOSE || byte === 0x5d) {
      if (depth === 0) return at === start ? -1 : at
      if (--depth === 0) return at + 1
    } else if (byte === COMMA && depth === 0) return at === start ? -1 : at
  }
  return none
}

function endOf(at: number, none: number): number {
  return at < 0 ? none : at
}
