/** Named limits of sliding sync. */

/** Lists of one request, and the characters of a list's name. */
export const LISTS_MAX = 100
export const LIST_NAME_CHARS_MAX = 64
/** Ranges of one list. */
export const RANGES_MAX = 100
/** Room subscriptions of one request. */
export const SUBSCRIPTIONS_MAX = 100
/** Elements of one `required_state`. */
export const REQUIRED_STATE_MAX = 500
/** Events of a room's timeline that may be asked for; more are refused. */
export const TIMELINE_ASKED_MAX = 1000
/** Entries of a list in a filter, and characters of a name in one. */
export const FILTER_ENTRIES_MAX = 500
export const FILTER_NAME_CHARS_MAX = 255
/** Characters of a connection's name, and of the text that a client may give a request. */
export const CONN_ID_CHARS_MAX = 64
export const TXN_ID_CHARS_MAX = 255
/** Characters of a position. */
export const POS_CHARS_MAX = 100
/** Connections of one device; the one used longest ago goes. */
export const CONNECTIONS_PER_DEVICE_MAX = 10
/** Bytes of all connections of all devices, roughly; those used longest ago go. */
export const CONNECTION_BYTES_MAX = 128 * 1024 * 1024
/** Answers to the same position that are remembered, since any of them may be the one that arrived. */
export const ANSWERS_PER_POSITION_MAX = 4
/** Characters of the rooms of one answer, after which the others wait for the next. */
export const ANSWER_CHARS_MAX = 8 * 1024 * 1024
/** Answers that may be so large which are made at once, one of each user. */
export const LARGE_ANSWERS_AT_ONCE = 16
/** Rooms of one answer. */
export const ANSWER_ROOMS_MAX = 5000
/** Members per room of which a connection remembers that they were told. */
export const MEMBERS_TOLD_MAX = 200
/** Rooms whose facts are kept ready. */
export const FACTS_KNOWN_MAX = 100_000
/** Rooms whose facts are asked for at once. */
export const FACTS_AT_ONCE = 500
/** Reads of room facts that one list has under way: as many as there are reader threads by default. */
export const FACTS_READS_AT_ONCE = 2
/** State keys other than members that are remembered of one room; with more they are read each time. */
export const STATE_KEYS_MAX = 500
/** Rooms whose state keys are remembered. */
export const STATE_KEYS_ROOMS_MAX = 5000
/** Bytes of ordered lists kept ready, roughly. */
export const LIST_BYTES_MAX = 64 * 1024 * 1024
/** Users whose direct rooms and tags are kept ready. */
export const LABELS_KNOWN_MAX = 2000
/** State events read by one question. */
export const STATE_READ_MAX = 200
/** Changes of thread subscriptions in one answer. */
export const THREAD_SUBSCRIPTIONS_GIVEN_MAX = 100
