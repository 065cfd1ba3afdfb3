/**
 * From names to the terms by which people are found: words folded in case, width and accents; for scripts without
 * spaces every tail of a word, so that a beginning finds the middle too; and trigrams, for slips of the keyboard.
 */
import {
  NAME_CHARS_MAX,
  PERSON_TERMS_MAX,
  QUESTION_GRAMS_MAX,
  QUESTION_WORDS_MAX,
  TERM_CHARS_MAX,
} from './limits.ts'

/** Rises when terms are made in another way, so that the index is built anew. */
export const DIRECTORY_VERSION = 1

/** Letters that are no letter with an accent, as people type them. */
const PLAIN = new Map(
  Object.entries({ ø: 'o', đ: 'd', ł: 'l', æ: 'ae', œ: 'oe', þ: 'th', ð: 'd', ħ: 'h', ς: 'σ' }),
)

/** Marks that people leave out when they type: accents, and the vowel points of Arabic and Hebrew. */
const ACCENTS = /[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u0652\u0670]/g
const WORDS = /[\p{L}\p{N}\p{M}]+|\p{Extended_Pictographic}/gu
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u

/** A text without differences of case, width and accents. Twice folded is once folded. */
export function foldName(text: string): string {
  const bare = text.slice(0, NAME_CHARS_MAX).toWellFormed().normalize('NFKD').replace(ACCENTS, '')
  const folded = bare.toUpperCase().toLowerCase().normalize('NFKC')
  let out = ''
  for (const char of folded) out += PLAIN.get(char) ?? char
  return out
}

/** The folded words of a text, in order. */
export function wordsOf(text: string): string[] {
  return (foldName(text).match(WORDS) ?? []).map((word) => cut([...word]))
}

function cut(chars: readonly string[]): string {
  return chars.slice(0, TERM_CHARS_MAX).join('')
}

/** What a person is found by. Trigrams begin with a `~`, which no word has. */
export function termsOf(localpart: string, displayName: string | null): string[] {
  const terms = new Set<string>()
  const words = [...wordsOf(displayName ?? ''), ...wordsOf(localpart)]
  for (const word of words) {
    if (UNSPACED.test(word)) {
      const chars = [...word]
      for (let at = 0; at < chars.length; at++) terms.add(cut(chars.slice(at)))
    } else terms.add(word)
  }
  for (const word of words) for (const gram of gramsOf(word)) terms.add(gram)
  return [...terms].slice(0, PERSON_TERMS_MAX)
}

/** The trigrams of a word; a shorter word has none. */
export function gramsOf(word: string): string[] {
  if (UNSPACED.test(word)) return []
  const chars = [...word]
  const grams: string[] = []
  for (let at = 0; at + 3 <= chars.length; at++) grams.push(`~${chars.slice(at, at + 3).join('')}`)
  return [...new Set(grams)]
}

/** A question as the index takes it. */
export interface Question {
  /** Beginnings of words, all of which must be found. */
  readonly words: readonly string[]
  /** Trigrams of the words. */
  readonly grams: readonly string[]
  /** A user id that was written out. */
  readonly userId: string | undefined
}

/** Reads a search term. A user id counts by its localpart, and finds its owner by itself. */
export function questionOf(term: string): Question {
  const text = term.trim()
  const colon = text.indexOf(':')
  const isId = text.startsWith('@') && colon > 0
  const words = [...new Set(wordsOf(isId ? text.slice(1, colon) : text))].slice(0, QUESTION_WORDS_MAX)
  const grams = [...new Set(words.flatMap(gramsOf))].slice(0, QUESTION_GRAMS_MAX)
  return { words, grams, userId: isId ? text : undefined }
}
