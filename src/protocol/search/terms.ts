/** Terms: the numbers by which an index knows words. Different words may share one; who finds one looks at the text. */
import { EVENT_TERMS_MAX } from './limits.ts'
import { type Word, wordsOf } from './words.ts'

/** Terms are below this. */
export const TERM_BITS = 24

/** FNV-1a over UTF-16 units, its high bits folded in. */
function termOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return (hash ^ (hash >>> 13)) & ((1 << TERM_BITS) - 1)
}

/** Terms of a text, ascending and different. */
export function termsOfText(text: string): number[] {
  const terms = new Set<number>()
  for (const word of wordsOf(text)) {
    if (terms.size >= EVENT_TERMS_MAX) break
    if (!word.run) terms.add(termOf(word.folded))
    else addParts(word.folded, terms)
  }
  return [...terms].sort((a, b) => a - b)
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
