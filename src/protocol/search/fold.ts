/**
 * What makes two spellings one for a search: case, width, compatibility forms, and the marks that readers of Latin,
 * Greek, Cyrillic, Hebrew and Arabic may leave out. Marks that are vowels of their script (Thai, Devanagari) stay.
 */

/** Letters without a decomposition whose plain form is what people type. */
const PLAIN: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  ı: 'i',
  ł: 'l',
  þ: 'th',
  ŋ: 'n',
  ς: 'σ',
  ى: 'ي',
  ة: 'ه',
  ک: 'ك',
  ی: 'ي',
}

/** Marks that are left out: first and last code point of each range. */
const MARKS: readonly (readonly [number, number])[] = [
  [0x0300, 0x036f],
  [0x0483, 0x0487],
  [0x0591, 0x05c7],
  [0x0610, 0x061a],
  [0x064b, 0x065f],
  [0x0670, 0x0670],
  [0x06d6, 0x06ed],
  [0x1ab0, 0x1aff],
  [0x1dc0, 0x1dff],
  [0x20d0, 0x20ff],
  [0xfe20, 0xfe2f],
]

/** Characters without a meaning of their own: joiners, directions, variation selectors, skin tones, tags. */
const NOTHING: readonly (readonly [number, number])[] = [
  [0x00ad, 0x00ad],
  [0x0640, 0x0640],
  [0x200b, 0x200f],
  [0x202a, 0x202e],
  [0x2060, 0x2069],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0x1f3fb, 0x1f3ff],
  [0xe0020, 0xe007f],
  [0xe0100, 0xe01ef],
]

function within(codePoint: number, ranges: readonly (readonly [number, number])[]): boolean {
  for (const [from, to] of ranges) {
    if (codePoint < from) return false
    if (codePoint <= to) return true
  }
  return false
}

/** Whether a character is skipped wherever it stands. */
export function isNothing(codePoint: number): boolean {
  return codePoint >= 0xad && within(codePoint, NOTHING)
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

/** The form of a word that is compared. Equal results mean that a search takes the words for the same. */
export function foldWord(text: string): string {
  if (isAscii(text)) return text.toLowerCase()
  let out = ''
  for (const character of text.normalize('NFKD').toLowerCase()) {
    const codePoint = character.codePointAt(0) as number
    if (codePoint > 0x7f && (within(codePoint, MARKS) || isNothing(codePoint))) continue
    out += PLAIN[character] ?? character
  }
  return out.normalize('NFKC')
}
