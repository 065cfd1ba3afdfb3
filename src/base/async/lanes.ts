/** Batches of a list, some of them worked on at a time. */

/**
 * Takes `list` in batches of `size`, in order, of which at most `lanes` are under way. After the first error no more
 * is begun, and it is thrown.
 */
export async function inLanes<T>(
  list: readonly T[],
  { lanes, size }: { readonly lanes: number; readonly size: number },
  work: (batch: readonly T[]) => Promise<void>,
): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < list.length) {
      const batch = list.slice(next, next + size)
      next += size
      try {
        await work(batch)
      } catch (error) {
        next = list.length
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
