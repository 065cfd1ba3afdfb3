/**
 * Texts as words. A word is a run of letters and digits; scripts that are written without spaces (Chinese, Japanese,
 * Korean with its particles, Thai, Lao, Khmer, Burmese) and emoji give runs in which any part can be found.
 */
import { foldWord, isNothing } from './fold.ts'
import { TEXT_CHARS_MAX, WORD_CHARS_MAX } from './limits.ts'

export interface Word {
  /** As it is compared. */
  readonly folded: string
  /** A run in which any part can be found; else a whole word. */
  readonly run: boolean
  /** Where it stands in the text, in UTF-16 units; the end is exclusive. */
  readonly start: number
  readonly end: number
}

const UNKNOWN = 0
const BREAK = 1
const LETTER = 2
const RUN = 3
/** Belongs to whatever it follows. */
const MARK = 4
const NOTHING = 5

const RUN_PATTERN = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Bopo}\p{sc=Thai}\p{sc=Laoo}]/u
const RUN_MORE_PATTERN = /[\p{sc=Khmr}\p{sc=Mymr}\p{Extended_Pictographic}\p{RI}]/u
const MARK_PATTERN = /\p{M}/u
const LETTER_PATTERN = /[\p{L}\p{N}]/u

/** The long vowel of Japanese, which Unicode counts to no script. */
const PROLONGED = new Set([0x30fc, 0xff70])

function classify(codePoint: number): number {
  if (isNothing(codePoint)) return NOTHING
  if (PROLONGED.has(codePoint)) return RUN
  const character = String.fromCodePoint(codePoint)
  if (RUN_PATTERN.test(character) || RUN_MORE_PATTERN.test(character)) return RUN
  if (MARK_PATTERN.test(character)) return MARK
  return LETTER_PATTERN.test(character) ? LETTER : BREAK
}

/** Classes of the first plane, found out when first met. */
const known = new Uint8Array(0x10000)

function classOf(codePoint: number): number {
  if (codePoint > 0xffff) return classify(codePoint)
  const before = known[codePoint] as number
  if (before !== UNKNOWN) return before
  const found = classify(codePoint)
  known[codePoint] = found
  return found
}

/** The words of a text in order. Linear in its length; beyond TEXT_CHARS_MAX nothing is looked at. */
export function wordsOf(text: string): Word[] {
  const words: Word[] = []
  const length = Math.min(text.length, TEXT_CHARS_MAX)
  let current = BREAK
  let start = 0
  for (let at = 0; at <= length; ) {
    const codePoint = at < length ? (text.codePointAt(at) as number) : 0x20
    const kind = classOf(codePoint)
    const here =
      kind === NOTHING || (kind === MARK && current !== BREAK) ? current : kind === MARK ? LETTER : kind
    if (here !== current) {
      if (current !== BREAK) addWord(words, text, start, at, current === RUN)
      current = here
      start = at
    }
    at += codePoint > 0xffff ? 2 : 1
  }
  return words
}

function addWord(words: Word[], text: string, start: number, end: number, run: boolean): void {
  const folded = foldWord(text.slice(start, run ? end : Math.min(end, start + WORD_CHARS_MAX)))
  if (folded !== '') words.push({ folded: run ? folded : folded.slice(0, WORD_CHARS_MAX), run, start, end })
}
