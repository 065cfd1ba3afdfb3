/** Named limits of the job scheduler. */

/** Jobs that run at once. */
export const JOBS_AT_ONCE = 4
/** Jobs read per look. */
export const JOBS_PER_LOOK = 50
/** Longest sleep between looks: another process may have added a job. */
export const LOOK_MS_MAX = 60_000
/** First pause after a failed attempt; it doubles with each further one. */
export const RETRY_MS_FIRST = 5_000
export const RETRY_MS_MAX = 60 * 60 * 1000
/** Time between sweeps of rows whose time is over. */
export const SWEEP_MS = 10 * 60 * 1000
/** Time from the start to the first sweep. */
export const SWEEP_FIRST_MS = 60_000
/** Rows per table that one sweep deletes; when it meets the limit the next sweep follows at once. */
export const SWEEP_ROWS = 1000
/** How often devices that nobody uses are looked for, and how many are deleted at a time. */
export const STALE_DEVICES_MS = 24 * 3_600_000
export const STALE_DEVICES_AT_ONCE = 100
