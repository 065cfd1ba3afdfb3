/** Named limits of the rooms service. */

/** Times a write is planned again after the room's head moved under it. */
export const REPLAN_MAX = 5
/** Bytes of rooms whose head and state are kept ready for writing, without a setting. */
export const LIVE_ROOMS_BYTES_DEFAULT = 32 * 1024 * 1024
/** State events kept ready per room; beyond it the oldest are read again when needed. */
export const LIVE_STATE_KEYS_MAX = 2000
/** Transaction ids whose events are remembered, so that a repetition is not built and refused by the store. */
export const RECENT_TXNS_MAX = 5000
/** Events of all rooms that are built and signed in one turn of the event loop. */
export const BUILDS_PER_TURN = 16
/** Writes that may wait for one room; more are refused. */
export const ROOM_QUEUE_MAX = 5000
/** When a sender may try again in a room that is too busy. */
export const RETRY_BUSY_MS = 1000
/** State keys asked for in one read. */
export const STATE_KEYS_PER_READ = 100
/** Further creators that a request names. */
export const ADDITIONAL_CREATORS_MAX = 50
/** Initial events of a createRoom request. */
export const INITIAL_STATE_MAX = 10_000
/** Body of a createRoom request, which these are most of. */
export const CREATE_ROOM_BODY_BYTES_MAX = 2 * 1024 * 1024
/** Events of a new room that are written at once; the writer takes some milliseconds for them. */
export const ROOM_EVENTS_PER_PLAN = 30
/** Events signed before others get a turn. */
export const EVENTS_PER_TURN = 10
/** How long a room may be in the making before what was written of it is cleared away, milliseconds. */
export const UNFINISHED_ROOM_MS = 10 * 60_000
/** Invited users of a createRoom request, those in its initial events too. */
export const CREATE_INVITES_MAX = 100
/** Characters of a reason given with a membership change. */
export const REASON_CHARS_MAX = 10_000
/** Characters kept of the name and of the type of a room, for lists of rooms. */
export const ROOM_FACT_CHARS_MAX = 255
/** Kinds of relations named with a redaction that takes related events with it. */
export const REDACT_REL_TYPES_MAX = 20
/** Related events read at a time to be redacted, and most that are looked at for one redaction. */
export const REDACT_RELATED_PAGE = 100
export const REDACT_RELATED_MAX = 10_000
/** Stored events of one page that are searched for relations. */
export const INDEX_RELATIONS_PAGE = 200
/** Guests of a room that are read at once when they are let out. */
export const GUESTS_PER_READ = 100
/** Characters of the reason of a report. */
export const REPORT_REASON_CHARS_MAX = 10_000
/** Reports of one user that are kept; older ones make room. */
export const REPORTS_PER_USER_MAX = 1000
/** Characters of the content of a delayed event, as of every event. */
export const DELAYED_CONTENT_CHARS_MAX = 65_536
/** Events that one slice of a purge looks at, and slices before other jobs have their turn. */
export const PURGE_ROWS = 200
export const PURGE_SLICES_PER_RUN = 50
/** Rows that one slice of the deletion of a room takes. */
export const CLEAR_ROWS = 500
/** Retention jobs that are looked at. */
export const RETENTION_JOBS_MAX = 1000
/** Rooms that the retention jobs read at once. */
export const RETENTION_ROOMS_PER_READ = 100
