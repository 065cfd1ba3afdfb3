/**
 * A search term as people write it: all words must be there, `"words in quotes"` next to each other, and `-word` must
 * not be. Words that are joined without a space (`example.com`) count as quoted.
 */
import { type Result, refuse } from '../errors.ts'
import { OCCURRENCES_MAX, SEARCH_TERM_CHARS_MAX, SEARCH_TERMS_MAX, SEARCH_WORDS_MAX } from './limits.ts'
import { termsToFind } from './terms.ts'
import { type Word, wordsOf } from './words.ts'

type Phrase = readonly Pick<Word, 'folded' | 'run'>[]

export interface SearchTerm {
  /** Terms that an index must have for an event, SEARCH_TERMS_MAX at most; empty when nothing can be found. */
  readonly terms: readonly number[]
  readonly wanted: readonly Phrase[]
  readonly unwanted: readonly Phrase[]
}

export interface TextMatch {
  /** The more and the denser the words, the higher; from 0 to 1. */
  readonly rank: number
  /** The words that were found, as the text has them. */
  readonly found: readonly string[]
}

/** Reads a search term. Refuses one that is too long or has too many words. */
export function parseSearchTerm(text: string): Result<SearchTerm> {
  if (text.length > SEARCH_TERM_CHARS_MAX) {
    return refuse('search.length', `it is longer than ${SEARCH_TERM_CHARS_MAX} characters`)
  }
  const wanted: Phrase[] = []
  const unwanted: Phrase[] = []
  let words = 0
  for (const { part, not } of partsOf(text)) {
    const phrase = wordsOf(part)
    if (phrase.length === 0) continue
    words += phrase.length
    ;(not ? unwanted : wanted).push(phrase)
  }
  if (words > SEARCH_WORDS_MAX) return refuse('search.words', `it has more than ${SEARCH_WORDS_MAX} words`)
  const terms = new Set(wanted.flat().flatMap(termsToFind))
  return { ok: true, value: { terms: [...terms].slice(0, SEARCH_TERMS_MAX), wanted, unwanted } }
}

/** Cuts at spaces outside of quotes. A quotation that is not closed goes to the end. */
function* partsOf(text: string): Generator<{ part: string; not: boolean }> {
  let at = 0
  while (at < text.length) {
    if (isSpace(text[at])) {
      at++
      continue
    }
    const not = text[at] === '-' && at + 1 < text.length && !isSpace(text[at + 1])
    if (not) at++
    const quoted = text[at] === '"'
    let end = quoted ? at + 1 : at
    while (end < text.length && !(quoted ? text[end] === '"' : isSpace(text[end]) || text[end] === '"')) end++
    yield { part: text.slice(quoted ? at + 1 : at, end), not }
    at = quoted ? end + 1 : end
  }
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && character.trim() === ''
}

/** Whether a text has all that the term wants. Linear in the text for each word of the term. */
export function matchText(term: SearchTerm, text: string): TextMatch | undefined {
  const words = wordsOf(text)
  if (term.wanted.length === 0) return undefined
  if (term.unwanted.some((phrase) => places(phrase, words).length > 0)) return undefined
  const found = new Set<string>()
  let rank = 0
  for (const phrase of term.wanted) {
    const at = places(phrase, words)
    if (at.length === 0) return undefined
    for (const place of at) addFound(found, phrase, words, place, text)
    rank += at.length / (at.length + 1 + words.length / 64)
  }
  return { rank: rank / term.wanted.length, found: [...found] }
}

/** Where a phrase begins, as indexes of words; the first ones. */
function places(phrase: Phrase, words: readonly Word[]): number[] {
  const at: number[] = []
  for (let start = 0; start + phrase.length <= words.length && at.length < OCCURRENCES_MAX; start++) {
    if (phrase.every((part, i) => fits(part, words[start + i]!, i === 0, i === phrase.length - 1)))
      at.push(start)
  }
  return at
}

/** Parts of a run may be found anywhere in it, but inside of a phrase without a gap to its neighbours. */
function fits(part: Phrase[number], word: Word, first: boolean, last: boolean): boolean {
  if (part.run !== word.run) return false
  if (!part.run) return part.folded === word.folded
  if (first && last) return word.folded.includes(part.folded)
  if (first) return word.folded.endsWith(part.folded)
  return last ? word.folded.startsWith(part.folded) : part.folded === word.folded
}

function addFound(
  found: Set<string>,
  phrase: Phrase,
  words: readonly Word[],
  place: number,
  text: string,
): void {
  for (const [i, part] of phrase.entries()) {
    const word = words[place + i]!
    found.add(part.run ? part.folded : text.slice(word.start, word.end))
  }
}
