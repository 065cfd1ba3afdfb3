/**
 * A run is the part of a glob between two `*`: literal characters and `?`. This file finds runs in folded
 * text, in one pass over the text whatever the run looks like.
 */

import { GLOB_MIXED_RUN_MAX } from './limits.ts'

/** Stands for `?` in a run. */
export const ANY = -1

export interface Run {
  readonly characters: Int32Array
  /** Leading and trailing `?`, which only shift and shorten the searched range. */
  readonly lead: number
  readonly trail: number
  /** The rest, beginning and ending with a literal; empty if the run has only `?`. */
  readonly core: Int32Array
  readonly search: Search
}

type Search =
  | { readonly kind: 'none' }
  | { readonly kind: 'literal'; readonly failure: Int32Array }
  | { readonly kind: 'mixed'; readonly words: number; readonly masks: Masks }

interface Masks {
  readonly any: Uint32Array
  readonly byCharacter: ReadonlyMap<number, Uint32Array>
}

/** Prepares a run, or returns undefined if it mixes literals and `?` beyond GLOB_MIXED_RUN_MAX. */
export function compileRun(characters: Int32Array): Run | undefined {
  let lead = 0
  while (lead < characters.length && characters[lead] === ANY) lead += 1
  let end = characters.length
  while (end > lead && characters[end - 1] === ANY) end -= 1
  const core = characters.subarray(lead, end)
  const trail = characters.length - end
  if (core.length === 0) return { characters, lead, trail, core, search: { kind: 'none' } }
  if (!core.includes(ANY)) {
    return { characters, lead, trail, core, search: { kind: 'literal', failure: failureTable(core) } }
  }
  if (core.length > GLOB_MIXED_RUN_MAX) return undefined
  const words = Math.ceil(core.length / 32)
  return { characters, lead, trail, core, search: { kind: 'mixed', words, masks: bitMasks(core, words) } }
}

/** Tells whether the run stands in the text at this position, from which the text must be long enough. */
export function runIsAt(run: Run, text: Int32Array, at: number): boolean {
  const { characters } = run
  for (let i = 0; i < characters.length; i += 1) {
    const wanted = characters[i] as number
    if (wanted !== ANY && wanted !== text[at + i]) return false
  }
  return true
}

/**
 * Finds the first place at or after `from` where the run stands and `accept` agrees to its start and end.
 * Returns the end of the run (exclusive), or -1. Reads each character of the text once.
 */
export function findRun(
  run: Run,
  text: Int32Array,
  from: number,
  accept: (start: number, end: number) => boolean,
): number {
  const lastStart = text.length - run.characters.length
  if (from > lastStart) return -1
  const onCore = (coreEnd: number): boolean => {
    const start = coreEnd - run.core.length - run.lead
    return accept(start, start + run.characters.length)
  }
  const first = from + run.lead
  const limit = text.length - run.trail
  const { search } = run
  let coreEnd = -1
  if (search.kind === 'none') {
    for (let at = first; at <= limit && coreEnd < 0; at += 1) if (onCore(at)) coreEnd = at
  } else if (search.kind === 'literal') {
    coreEnd = findLiteral(run.core, search.failure, text, first, limit, onCore)
  } else {
    coreEnd = findMixed(run.core.length, search, text, first, limit, onCore)
  }
  return coreEnd < 0 ? -1 : coreEnd + run.trail
}

/** Knuth, Morris and Pratt: never goes back in the text. */
function findLiteral(
  core: Int32Array,
  failure: Int32Array,
  text: Int32Array,
  from: number,
  limit: number,
  onCore: (end: number) => boolean,
): number {
  let matched = 0
  for (let at = from; at < limit; at += 1) {
    const character = text[at]
    while (matched > 0 && core[matched] !== character) matched = failure[matched - 1] as number
    if (core[matched] === character) matched += 1
    if (matched === core.length) {
      if (onCore(at + 1)) return at + 1
      matched = failure[matched - 1] as number
    }
  }
  return -1
}

function failureTable(core: Int32Array): Int32Array {
  const table = new Int32Array(core.length)
  let matched = 0
  for (let i = 1; i < core.length; i += 1) {
    while (matched > 0 && core[matched] !== core[i]) matched = table[matched - 1] as number
    if (core[matched] === core[i]) matched += 1
    table[i] = matched
  }
  return table
}

/** Shift-And: one bit for each character of the run, all advanced together for a character of the text. */
function findMixed(
  length: number,
  search: { readonly words: number; readonly masks: Masks },
  text: Int32Array,
  from: number,
  limit: number,
  onCore: (end: number) => boolean,
): number {
  const { words, masks } = search
  const state = new Uint32Array(words)
  const lastWord = words - 1
  const lastBit = 1 << ((length - 1) & 31)
  for (let at = from; at < limit; at += 1) {
    const mask = masks.byCharacter.get(text[at] as number) ?? masks.any
    let carry = 1
    for (let word = 0; word < words; word += 1) {
      const before = state[word] as number
      state[word] = ((before << 1) | carry) & (mask[word] as number)
      carry = before >>> 31
    }
    if (((state[lastWord] as number) & lastBit) !== 0 && onCore(at + 1)) return at + 1
  }
  return -1
}

function bitMasks(core: Int32Array, words: number): Masks {
  const any = new Uint32Array(words)
  core.forEach((character, i) => {
    if (character === ANY) any[i >> 5] = (any[i >> 5] as number) | (1 << (i & 31))
  })
  const byCharacter = new Map<number, Uint32Array>()
  core.forEach((character, i) => {
    if (character === ANY) return
    const mask = byCharacter.get(character) ?? any.slice()
    mask[i >> 5] = (mask[i >> 5] as number) | (1 << (i & 31))
    byCharacter.set(character, mask)
  })
  return { any, byCharacter }
}
