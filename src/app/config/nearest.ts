import { CONFIG_NEAREST_EDITS_MAX } from './limits.ts'

/**
 * The number of single-character edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
 * @returns the distance, or `max + 1` as soon as it is known to be larger than `max`.
 */
export function editDistance(a: string, b: string, max: number): number {
  if (Math.abs(a.length - b.length) > max) return max + 1
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, beforePrevious[j - 2]! + 1)
      row.push(cost)
    }
    if (Math.min(...row) > max) return max + 1
    beforePrevious = previous
    previous = row
  }
  return previous[b.length]!
}

/**
 * The known name nearest to a mistyped one, or undefined when none is near. Short names allow fewer edits: one in
 * four characters.
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  let max = Math.min(CONFIG_NEAREST_EDITS_MAX, Math.max(1, Math.floor(name.length / 4)))
  let best: string | undefined
  for (const candidate of known) {
    const distance = editDistance(name, candidate, max)
    if (distance > max || (best !== undefined && distance === max)) continue
    best = candidate
    max = distance
  }
  return best
}
