/**
 * Case folding for globs: one character in, one character out, so that `?` keeps matching exactly one
 * character of the text as it was written.
 */

const ASCII_MAX = 0x7f
const folded = new Map<number, number>()
/** One plane of letters is all that ever has case; the rest is folded without remembering it. */
const REMEMBERED_MAX = 4096

/**
 * Folds one code point. Upper case first, then lower, so that characters with several lower-case forms
 * (final sigma) meet; characters whose case change takes more than one character stay as they are.
 */
export function foldCodePoint(codePoint: number): number {
  if (codePoint <= ASCII_MAX) return codePoint >= 0x41 && codePoint <= 0x5a ? codePoint + 32 : codePoint
  const known = folded.get(codePoint)
  if (known !== undefined) return known
  const lower = oneLower(oneUpper(codePoint))
  // The Kelvin sign and the long s must not become ASCII letters: word boundaries look at ASCII alone.
  const result = lower <= ASCII_MAX ? codePoint : lower
  if (folded.size < REMEMBERED_MAX) folded.set(codePoint, result)
  return result
}

/** Folds a text into its code points, one entry for each character. Lone surrogates stay themselves. */
export function foldText(text: string): Int32Array {
  const out = new Int32Array(text.length)
  let count = 0
  for (let at = 0; at < text.length; count += 1) {
    const codePoint = text.codePointAt(at) as number
    out[count] = foldCodePoint(codePoint)
    at += codePoint > 0xffff ? 2 : 1
  }
  return out.subarray(0, count)
}

/** Folds a text into a text; equal results mean that the texts differ in case alone. */
export function foldToString(text: string): string {
  let out = ''
  for (const codePoint of foldText(text)) out += String.fromCodePoint(codePoint)
  return out
}

function oneUpper(codePoint: number): number {
  return single(String.fromCodePoint(codePoint).toUpperCase(), codePoint)
}

function oneLower(codePoint: number): number {
  return single(String.fromCodePoint(codePoint).toLowerCase(), codePoint)
}

function single(text: string, otherwise: number): number {
  const codePoint = text.codePointAt(0) as number
  return text.length === (codePoint > 0xffff ? 2 : 1) ? codePoint : otherwise
}
