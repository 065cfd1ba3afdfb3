/** Named limits of reading rooms. */

/** Events of one `/messages` page without a limit. */
export const MESSAGES_LIMIT_DEFAULT = 10
/** Most events of one page, whatever is asked. */
export const MESSAGES_LIMIT_MAX = 1000
/** Events looked at to fill a filtered or partly hidden page; then the page ends early with a token to go on. */
export const MESSAGES_SCAN_MAX = 3000
/** Events of a room's timeline without a filter. */
export const TIMELINE_LIMIT_DEFAULT = 10
/** Most events of a room's timeline, whatever the filter asks. */
export const TIMELINE_LIMIT_MAX = 100
/** Bytes of a stored or inline filter. */
export const FILTER_CHARS_MAX = 32 * 1024
/** Entries of one list in a filter. */
export const FILTER_LIST_MAX = 1000
/** Changes of a reader's own member event that are followed back to the time when they were in the room. */
export const OWN_CHANGES_BACK_MAX = 20
/** Events around an event without a limit, and whatever is asked. */
export const CONTEXT_LIMIT_DEFAULT = 10
export const CONTEXT_LIMIT_MAX = 1000
/** Events looked at for the one nearest to a time; when the reader may see none of them there is none. */
export const TIMESTAMP_SCAN_MAX = 3000
/** Member events of one read. */
export const MEMBERS_PER_READ = 100
