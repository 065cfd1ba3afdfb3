/** Many rows in few statements, of few sizes, so that there are few texts to prepare. */

const SIZES = [32, 8, 1] as const

/** Cuts rows into pieces of 32, 8 and 1. */
export function* pieces<T>(rows: readonly T[]): Generator<readonly T[]> {
  let at = 0
  for (const size of SIZES) for (; rows.length - at >= size; at += size) yield rows.slice(at, at + size)
}

/** `(?from, …), (…)`: marks for `count` rows of some columns. */
export function rowMarks(count: number, columns: number, from = 1): string {
  const row = (at: number) =>
    `(${Array.from({ length: columns }, (_, i) => `?${from + at * columns + i}`).join(', ')})`
  return Array.from({ length: count }, (_, at) => row(at)).join(', ')
}

/** Statements by the number of their rows, each made when it is first needed. */
export function byCount(text: (count: number) => string): (count: number) => string {
  const known = new Map<number, string>()
  return (count) => {
    let found = known.get(count)
    if (found === undefined) {
      found = text(count)
      known.set(count, found)
    }
    return found
  }
}
