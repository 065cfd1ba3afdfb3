/** Named limits of searching. */

/** Candidates that one look into the index gives; also how far `count` counts. */
export const CANDIDATES_MAX = 1000
/** Candidates whose events are read at once. */
export const CANDIDATES_READ = 50
/** Events looked at by one request; then the page ends early with a token to go on. */
export const LOOKED_AT_MAX = 500
/** Characters of event JSON looked at by one request, likewise. */
export const LOOKED_AT_CHARS_MAX = 4_000_000
/** Looks into the index by one request, likewise. */
export const INDEX_LOOKS_MAX = 4
/** The newest candidates that are ordered by rank among themselves; older ones follow behind them. */
export const RANK_WINDOW = 200
/** Events before or after a result. */
export const CONTEXT_EVENTS_MAX = 20
export const CONTEXT_EVENTS_DEFAULT = 5
/** Words that an answer names for highlighting. */
export const HIGHLIGHTS_MAX = 50
/** State events of all rooms of an answer together. */
export const STATE_EVENTS_MAX = 20_000
/** Rooms of a filter whose predecessors are searched too, and how many upgrades back. */
export const UPGRADED_ROOMS_MAX = 20
export const PREDECESSORS_MAX = 10
/** Rooms of one search. Who is in more names those to search. */
export const SEARCH_ROOMS_MAX = 10_000
/** Searches of one user that wait or run. */
export const SEARCHES_PER_USER_MAX = 3
/** When to try again after too many searches, or while the index is being filled. */
export const RETRY_BUSY_MS = 1000
export const RETRY_FILLING_MS = 30_000
/** Characters of a `next_batch` token: a group's id in base64 and some numbers. */
export const TOKEN_CHARS_MAX = 512
/** Steps of filling the index in one run of its job, and the pause between runs. */
export const FILL_STEPS = 20
export const FILL_PAUSE_MS = 50
