/** Terms: the numbers by which an index knows words. Different words may share one; who finds one looks at the text. */
import { EVENT_TERMS_MAX, TEXT_CHARS_MAX, WORD_CHARS_MAX } from './limits.ts'
import { type Word, wordsOf } from './words.ts'

/** Terms are below this. */
export const TERM_BITS = 24

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** FNV-1a over UTF-16 units, its high bits folded in. */
function termOf(text: string): number {
  let hash = FNV_OFFSET
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME)
  return foldHash(hash)
}

function foldHash(fnv: number): number {
  const hash = Math.imul(fnv ^ (fnv >>> 15), 0x2c1b3c6d)
  return (hash ^ (hash >>> 13)) & ((1 << TERM_BITS) - 1)
}

/** Terms of a text, ascending and different. */
export function termsOfText(text: string): number[] {
  const terms = asciiTerms(text) ?? termsOfWords(text)
  return [...terms].sort((a, b) => a - b)
}

/** As `termsOfWords`, for a text of ASCII alone, whose words are hashed where they stand; undefined for others. */
function asciiTerms(text: string): Set<number> | undefined {
  const terms = new Set<number>()
  const length = Math.min(text.length, TEXT_CHARS_MAX)
  let hash = FNV_OFFSET
  let chars = 0
  for (let at = 0; at <= length; at++) {
    const unit = at < length ? text.charCodeAt(at) : SPACE
    if (unit > 0x7f) return undefined
    const folded = asciiFold(unit)
    if (folded !== 0) {
      if (chars++ < WORD_CHARS_MAX) hash = Math.imul(hash ^ folded, FNV_PRIME)
    } else if (chars > 0) {
      if (terms.size >= EVENT_TERMS_MAX) return terms
      terms.add(foldHash(hash))
      hash = FNV_OFFSET
      chars = 0
    }
  }
  return terms
}

const SPACE = 0x20

/** A digit or a letter in lower case; 0 for what stands between words. */
function asciiFold(unit: number): number {
  if ((unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39)) return unit
  return unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : 0
}

function termsOfWords(text: string): Set<number> {
  const terms = new Set<number>()
  for (const word of wordsOf(text)) {
    if (terms.size >= EVENT_TERMS_MAX) break
    if (!word.run) terms.add(termOf(word.folded))
    else addParts(word.folded, terms)
  }
  return terms
}

/** Single characters and pairs of neighbours. */
function addParts(run: string, terms: Set<number>): void {
  let before = ''
  for (const character of run) {
    if (terms.size >= EVENT_TERMS_MAX) return
    terms.add(termOf(character))
    if (before !== '') terms.add(termOf(before + character))
    before = character
  }
}

/** Terms that a text must have where it has the word. */
export function termsToFind({ folded, run }: Pick<Word, 'folded' | 'run'>): number[] {
  if (!run) return [termOf(folded)]
  const characters = [...folded]
  if (characters.length === 1) return [termOf(folded)]
  return characters.slice(1).map((character, at) => termOf(characters[at] + character))
}
