/**
 * Glob-style matching: `*` is zero or more characters, `?` exactly one, upper and lower case are equal.
 * No regular expressions: the work grows with the text plus the pattern, never with their product.
 * https://spec.matrix.org/v1.19/appendices/#glob-style-matching
 */

import { foldCodePoint, foldText } from './fold.ts'
import { ANY, compileRun, findRun, type Run, runIsAt } from './run.ts'

/** A pattern made ready by `compileGlob` or `compileLiteral`. */
export interface Glob {
  /** The parts between the `*`; a pattern with n `*` has n + 1 of them. Empty if nothing can match. */
  readonly runs: readonly Run[]
  /** Characters a text must have at least, in code points. */
  readonly minimum: number
}

const STAR = 0x2a
const QUESTION_MARK = 0x3f
const NOTHING: Glob = { runs: [], minimum: Number.POSITIVE_INFINITY }

/**
 * Prepares a pattern. A pattern that mixes literals and `?` beyond GLOB_MIXED_RUN_MAX matches nothing;
 * `globIsTooLong` tells so beforehand.
 */
export function compileGlob(pattern: string): Glob {
  const runs: Run[] = []
  let current: number[] = []
  let minimum = 0
  let refused = false
  const close = (): void => {
    const run = compileRun(Int32Array.from(current))
    if (run === undefined) refused = true
    else runs.push(run)
    minimum += current.length
    current = []
  }
  let starred = false
  for (const character of pattern) {
    const codePoint = character.codePointAt(0) as number
    // Several `*` in a row are one.
    if (codePoint === STAR) {
      if (!starred) close()
      starred = true
      continue
    }
    starred = false
    current.push(codePoint === QUESTION_MARK ? ANY : foldCodePoint(codePoint))
  }
  close()
  return refused ? NOTHING : { runs, minimum }
}

/** Prepares a text in which `*` and `?` have no meaning, for example a display name. */
export function compileLiteral(text: string): Glob {
  const run = compileRun(foldText(text)) as Run
  return { runs: [run], minimum: run.characters.length }
}

/** Tells whether a pattern is beyond GLOB_MIXED_RUN_MAX, so that it could never match. */
export function globIsTooLong(pattern: string): boolean {
  return compileGlob(pattern).runs.length === 0
}

/** Tells whether the pattern has neither `*` nor `?`. */
export function globIsLiteral(glob: Glob): boolean {
  const [run] = glob.runs
  return glob.runs.length === 1 && run !== undefined && !run.characters.includes(ANY)
}

/** Tells whether the pattern matches the whole of a text folded by `foldText`. */
export function globMatches(glob: Glob, text: Int32Array): boolean {
  if (text.length < glob.minimum) return false
  const first = glob.runs[0] as Run
  const count = glob.runs.length
  if (count === 1) return text.length === first.characters.length && runIsAt(first, text, 0)
  if (!runIsAt(first, text, 0)) return false
  const last = glob.runs[count - 1] as Run
  const lastStart = text.length - last.characters.length
  if (!runIsAt(last, text, lastStart)) return false
  let at = first.characters.length
  for (let i = 1; i < count - 1; i += 1) {
    at = findRun(glob.runs[i] as Run, text, at, anywhere)
    if (at < 0) return false
  }
  return at <= lastStart
}

/**
 * Tells whether the pattern matches some part of a folded text that starts and ends at a word boundary:
 * the edge of the text, or a place where one of the two neighbours is not in `[A-Za-z0-9_]`.
 * https://spec.matrix.org/v1.19/client-server-api/#conditions-1
 */
export function globMatchesWords(glob: Glob, text: Int32Array): boolean {
  if (text.length < glob.minimum) return false
  const count = glob.runs.length
  const isFirst = (start: number): boolean => isBoundary(text, start)
  const isLast = (_start: number, end: number): boolean => isBoundary(text, end)
  const isBoth = (start: number, end: number): boolean => isFirst(start) && isLast(start, end)
  if (count === 1) return findRun(glob.runs[0] as Run, text, 0, isBoth) >= 0
  let at = 0
  for (let i = 0; i < count; i += 1) {
    // The earliest place of each run leaves the most room for those that follow.
    const accept = i === 0 ? isFirst : i === count - 1 ? isLast : anywhere
    at = findRun(glob.runs[i] as Run, text, at, accept)
    if (at < 0) return false
  }
  return true
}

function anywhere(): boolean {
  return true
}

function isBoundary(text: Int32Array, at: number): boolean {
  if (at === 0 || at === text.length) return true
  return !isWordCharacter(text[at - 1] as number) || !isWordCharacter(text[at] as number)
}

/** On folded text, where upper-case letters no longer occur. */
function isWordCharacter(character: number): boolean {
  return (
    (character >= 0x61 && character <= 0x7a) || (character >= 0x30 && character <= 0x39) || character === 0x5f
  )
}
