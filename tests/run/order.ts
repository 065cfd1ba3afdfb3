/** In which processes test files run, and in which order: the same on every run, decided by these tables alone. */

/**
 * Files that work long, the longest first: they start first, each in a process of its own, so that none is left for
 * the end. To be brought up to date from the list of slowest files that a run ends with.
 */
const LONG: readonly string[] = [
  'tests/sim/sim.test.ts',
  'tests/crash/faults.test.ts',
  'tests/sim/planted.test.ts',
  'tests/api/rooms/large-rooms.test.ts',
  'tests/interop/browser.test.ts',
  'tests/interop/js-sdk-crypto-sqlite.test.ts',
  'tests/interop/js-sdk-crypto-postgres.test.ts',
  'tests/server/refusals.test.ts',
  'src/storage/verify/verify.test.ts',
  'tests/server/commands.test.ts',
  'tests/api/rooms/visibility.test.ts',
  'tests/sim/to-device.test.ts',
  'tests/fuzz/fuzz.test.ts',
]

/**
 * Files that for the most part wait: for clients that try a dead server again after seconds, for lines of a log that
 * come late. They run beside all others, and would leave a core idle in their place.
 */
const WAITING: readonly string[] = [
  'tests/crash/to-device-kill.test.ts',
  'tests/contract/state.test.ts',
  'tests/contract/claims-together.test.ts',
  'tests/interop/js-sdk-features.test.ts',
  'tests/interop/js-sdk-killed-sqlite.test.ts',
  'tests/interop/js-sdk-killed-postgres.test.ts',
  'tests/interop/js-sdk.test.ts',
  'tests/interop/bot-sdk.test.ts',
  'tests/interop/nio.test.ts',
  'tests/interop/js-sdk-late-postgres.test.ts',
  'tests/interop/js-sdk-late-sqlite.test.ts',
  'tests/interop/nio-crypto-backlog-postgres.test.ts',
  'tests/interop/nio-crypto-backlog-sqlite.test.ts',
  'tests/interop/nio-crypto-devices-postgres.test.ts',
  'tests/interop/nio-crypto-devices-sqlite.test.ts',
  'tests/interop/nio-crypto-keys-postgres.test.ts',
  'tests/interop/nio-crypto-keys-sqlite.test.ts',
  'src/storage/postgres/store.test.ts',
  'tests/server/reload.test.ts',
  'tests/run/pool.test.ts',
]

/** Waiting files at a time. */
export const WAITING_JOBS = 3

/** Folders whose files take what they need from modules, not from the process, and so share one. */
const SHARING = /^(src|tests\/(api|contract|docs|spec|support))\/|^tests\/[^/]*$/

/** Enough that the price of a process is small against what runs in it, and few enough to fill every core. */
const BATCH_FILES_MAX = 24

/** What runs one after the other, in batches of one process each. */
export interface Order {
  /** As many at a time as there are cores. */
  readonly working: string[][]
  /** WAITING_JOBS at a time, beside those. */
  readonly waiting: string[][]
  /** When all that has ended, each with the machine for itself: what measures time or memory. */
  readonly solo: string[][]
}

/** Puts the files in order: first the long ones, then the others that stay by themselves, then those that share. */
export function orderOf(files: readonly string[]): Order {
  const solo = files.filter((file) => file.endsWith('.solo.test.ts')).toSorted()
  const waiting = WAITING.filter((file) => files.includes(file))
  const long = LONG.filter((file) => files.includes(file))
  const placed = new Set([...solo, ...waiting, ...long])
  const others = files.filter((file) => !placed.has(file)).toSorted()
  const alone = others.filter((file) => !SHARING.test(file))
  const shared = others.filter((file) => SHARING.test(file))
  const each = (some: readonly string[]) => some.map((file) => [file])
  return {
    /* From the last: tests of the store on PostgreSQL take longest, those of single functions least. */
    working: [...each([...long, ...alone]), ...chunks(shared).toReversed()],
    waiting: each(waiting),
    solo: each(solo),
  }
}

/** The names in the tables, so that a test can show that they exist. */
export const NAMED: readonly string[] = [...LONG, ...WAITING]

/** As few pieces as the limit allows, of about the same length. */
function chunks(files: readonly string[]): string[][] {
  const count = Math.ceil(files.length / BATCH_FILES_MAX)
  const cut = (index: number) => Math.round((index * files.length) / count)
  return Array.from({ length: count }, (_, index) => files.slice(cut(index), cut(index + 1)))
}
