/** Named limits of the storage layer. */

/** Rows that a read on the calling thread may return; more goes to a reader thread. */
export const READ_ROWS_SMALL = 200
/** Rows per message from a reader thread. */
export const READ_PAGE_ROWS = 1000
/** Plans in one group commit. */
export const GROUP_PLANS_MAX = 1000
/** A group waits for no more than this many plans ... */
export const GATHER_PLANS_MAX = 32
/** ... and no longer than this, milliseconds. */
export const GATHER_MS = 1
/** Plans that are answered in one turn of the event loop; each answer makes somebody go on. */
export const ANSWERS_PER_TURN = 16
/** Plans that may wait for the writer; more are refused as busy. */
export const QUEUED_PLANS_MAX = 20_000
/** Bytes of a state key's older events kept in its row; more spill into rows of their own. */
export const STATE_OLDER_INLINE_BYTES = 1024
/** State changes in the tail of a branch's log before it becomes a chunk. */
export const STATE_TAIL_ROWS = 128
/** Branches above a state branch; a deeper one is laid flat on the current state's line. */
export const STATE_BRANCH_DEPTH_MAX = 8
/** Events of whole states that one read makes texts of, though always those of one state. */
export const STATE_TEXT_ROWS_AT_ONCE = 5000
/** Holders of a key in a stretch that are told one by one. */
export const TURNS_MAX = 100
/** Reader threads of the embedded engine. */
export const READER_THREADS_DEFAULT = 2
/** Questions that may wait for the reader threads. */
export const QUEUED_READS_MAX = 10_000
/** Prepared statements kept per connection. */
export const STATEMENTS_MAX = 500
/** Pages of the write-ahead log before a checkpoint begins. */
export const WAL_PAGES = 2000
/** Bytes to which the write-ahead log is cut back after a checkpoint. */
export const WAL_BYTES_MAX = 16 * 1024 * 1024
/** PostgreSQL connections that write. Plans of one lane always take the same one. */
export const POSTGRES_WRITERS_DEFAULT = 3
/** PostgreSQL connections for reads. */
export const POSTGRES_READERS_DEFAULT = 6
/** Plans in one PostgreSQL transaction. */
export const BATCH_PLANS_MAX = 200
/** How often a batch is run again after a deadlock before its plans are refused. */
export const BATCH_RETRIES_MAX = 20
/** Milliseconds that such a batch waits at most before it runs again. */
export const BATCH_RETRY_MS_MAX = 500
/** Events that a read of relations of relations may gather. */
export const RELATION_TREE_ROWS_MAX = 50_000
/** Positions reserved at once: of PostgreSQL's sequence, and in the embedded database. */
export const POSITIONS_RESERVED = 5000
/** Interned ids kept per writing connection; beyond it they are forgotten and read again. */
export const INTERNED_MAX = 20_000
/** Changes of a user's push rules kept per room and for all rooms; events before the oldest count as under it. */
export const PROFILE_STEPS_MAX = 100
/** Notifications that wait for one pusher; of more the oldest go. */
export const PUSH_QUEUE_MAX = 1000
/** Threads of a room counted for one user, those with the newest events first. */
export const THREADS_COUNTED_MAX = 500
/** Events counted again at a time, and differences reported of one room. */
export const RECOUNT_PAGE_ROWS = 500
export const RECOUNT_FINDINGS_MAX = 20
/** Events of a room that wait in its tail before they become a segment of the search index. */
export const SEARCH_TAIL_EVENTS = 64
/** Segments of one size that stand next to each other before they are merged. */
export const SEARCH_MERGE_SEGMENTS = 8
/** Postings below which a segment counts as small; a medium one has at most SEARCH_MERGE_SEGMENTS times as many. */
export const SEARCH_SMALL_POSTINGS = 4096
/** Postings of the largest merged segment: what the writer thread merges at once in some milliseconds. */
export const SEARCH_SEGMENT_POSTINGS = 65_536
/** Postings of one page of a segment. */
export const SEARCH_PAGE_POSTINGS = 1024
/** Pages of one segment. */
export const SEARCH_PARTS_MAX = 64
/** Events of a room that one step of filling the index looks at. */
export const SEARCH_FILL_EVENTS = 200
/** Pages of the index that one search reads; then it is gone on with by its token. */
export const SEARCH_PAGES_MAX = 4096
/** Messages that go at once from an inbox that is full. */
export const INBOX_DROP_ROWS = 200
/** Waiting requests for keys that one cancellation takes back. */
export const KEY_REQUESTS_TAKEN_BACK = 20
/**
 * Claimed one-time keys that are remembered for a device, besides those claimed since its last upload: as many as one
 * upload may bring. A row takes about 40 bytes.
 */
export const CLAIMED_KEYS_KEPT = 500
