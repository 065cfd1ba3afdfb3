/** Named limits of verification, backup and restore. */

/** Rows read in one statement. */
export const VERIFY_PAGE_ROWS = 500
/** Findings kept in full; all are counted. */
export const VERIFY_FINDINGS_MAX = 200
/** Lines that SQLite's own integrity check may give. */
export const INTEGRITY_LINES_MAX = 100
