/** Limits of connections and messages. Milliseconds and bytes. */

/**
 * Head of a request: request line and headers. A filter in a query string may be long. Node's default is 16
 * kB.
 */
export const HEAD_BYTES_MAX = 64 * 1024
export const HEADERS_MAX = 200
/** Connections of one listening address; more are closed at once. */
export const CONNECTIONS_MAX = 20_000
/** From the first byte of a request to the end of its head. */
export const HEAD_MS_MAX = 20_000
/**
 * From the first byte of a request to the end of its body; `BODY_BYTES_PER_SECOND_MIN` ends slow ones
 * earlier.
 */
export const REQUEST_MS_MAX = 3_600_000
/**
 * An idle connection. Longer than the 60 s for which nginx and HAProxy keep theirs, so that they close first.
 */
export const IDLE_MS_MAX = 75_000
/** How often slow peers are looked for. */
export const SWEEP_MS = 5_000
/** A body that is being read must arrive at this rate, after a grace. */
export const BODY_BYTES_PER_SECOND_MIN = 1024
export const BODY_GRACE_MS = 15_000
/** A peer that takes no byte of an answer for so long is cut off. */
export const ANSWER_STALL_MS_MAX = 60_000
/** What is read and thrown away of a body that nobody wanted, so that the sender can read the answer. */
export const LINGER_BYTES_MAX = 1024 * 1024
export const LINGER_MS_MAX = 2_000
/** A rest of this announced length is thrown away and the connection goes on. */
export const SMALL_REST_BYTES = 64 * 1024
/** Entries of X-Forwarded-For that are looked at, from the right. */
export const FORWARDED_HOPS_MAX = 20
/** Characters of a request id given by a proxy. */
export const REQUEST_ID_CHARS_MAX = 100
/** After the grace of a shutdown, handlers have been told to stop and get this long to answer. */
export const ABORT_MS_MAX = 1_000
/** Smaller answers are not worth compressing. */
export const COMPRESS_BYTES_MIN = 1024
