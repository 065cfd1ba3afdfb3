/** How many events of each kind a thread had up to some event, packed: pairs of kind and count, by kind. */
import { packUints, unpackUints } from './varint.ts'

export const NO_TOTALS: Uint8Array = new Uint8Array(0)

/** The totals with one more event of a kind. */
export function addKind(totals: Uint8Array, kind: number): Uint8Array {
  const pairs = unpackUints(totals)
  let at = 0
  while (at < pairs.length && pairs[at]! < kind) at += 2
  if (pairs[at] === kind) pairs[at + 1] = pairs[at + 1]! + 1
  else pairs.splice(at, 0, kind, 1)
  return packUints(pairs)
}

/** How many events of each kind came between two totals of one thread. Kinds without any are left out. */
export function kindsBetween(from: Uint8Array, to: Uint8Array): Map<number, number> {
  const counts = new Map<number, number>()
  const now = unpackUints(to)
  for (let i = 0; i < now.length; i += 2) counts.set(now[i]!, now[i + 1]!)
  const before = unpackUints(from)
  for (let i = 0; i < before.length; i += 2) {
    const left = (counts.get(before[i]!) ?? 0) - before[i + 1]!
    if (left === 0) counts.delete(before[i]!)
    else counts.set(before[i]!, left)
  }
  return counts
}
