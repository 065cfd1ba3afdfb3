/** In which processes test files run, and in which order: the same on every run, decided by these tables alone. */

/**
 * Files that take long, the longest first: they start first, each in a process of its own, so that none is left for
 * the end. To be brought up to date from the list of slowest files that a run ends with.
 */
const LONG: readonly string[] = []

/** Folders whose files take what they need from modules, not from the process, and so share one. */
const SHARING = /^(src|tests\/(api|contract|docs|spec|support|tidy[^/]*))\//

/** Enough that the price of a process is small against what runs in it, and few enough to fill every core. */
const BATCH_FILES_MAX = 24

/** What measures time or memory has the machine for itself. */
export const isSolo = (file: string): boolean => file.endsWith('.solo.test.ts')

/**
 * The batches in the order in which they start: the long files, the others that stay by themselves, then those that
 * share a process, by folder.
 */
export function batchesOf(files: readonly string[]): string[][] {
  const long = LONG.filter((file) => files.includes(file))
  const others = files.filter((file) => !LONG.includes(file)).toSorted()
  const shares = (file: string) => SHARING.test(file) && !isSolo(file)
  const alone = others.filter((file) => !shares(file))
  const groups = Map.groupBy(others.filter(shares), (file) => file.split('/').slice(0, 2).join('/'))
  return [...[...long, ...alone].map((file) => [file]), ...chunks([...groups.values()].flat())]
}

/** As few pieces as the limit allows, of about the same length. */
function chunks(files: readonly string[]): string[][] {
  const count = Math.ceil(files.length / BATCH_FILES_MAX)
  const cut = (index: number) => Math.round((index * files.length) / count)
  return Array.from({ length: count }, (_, index) => files.slice(cut(index), cut(index + 1)))
}
