/** Named limits of backup and restore. */

/**
 * How far positions jump at a restore. Whatever the lost server gave out after the backup stays below: at 1,000
 * positions a second it is two years' worth. Packed state holds positions below 2^52, so 2^15 restores fit.
 */
export const RESTORE_POSITIONS_AHEAD = 2 ** 36
/** Positions from which no further restore is possible. */
export const RESTORE_POSITION_MAX = 2 ** 51
/** Pages copied in one step of SQLite's backup: all, since a write between two steps would begin it anew. */
export const BACKUP_PAGES_PER_STEP = 2 ** 31 - 1
/** Bytes of a manifest that are read. A million media files take 200 MB. */
export const MANIFEST_BYTES_MAX = 1024 * 1024 * 1024
/** Characters of a PostgreSQL program's error output that are kept. */
export const PROGRAM_ERROR_CHARS_MAX = 4000
