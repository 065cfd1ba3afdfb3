/** Texts with words as frequent as in a language: the k-th word comes with a chance of about 1/k. */

/** A generator of numbers in [0, 1), the same ones each time. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** The number of a word out of `vocabulary`. */
export function rankOf(next: () => number, vocabulary: number): number {
  return Math.floor(vocabulary ** next()) - 1
}

export function wordOf(rank: number): string {
  let text = ''
  for (let rest = rank + 1; rest > 0; rest = Math.floor(rest / 18))
    text += 'bcdfghklmnprstvwxz'[rest % 18] + 'aeiou'[rest % 5]!
  return text
}

export function textOf(next: () => number, words: number, vocabulary = 60_000): string {
  return Array.from({ length: words }, () => wordOf(rankOf(next, vocabulary))).join(' ')
}
