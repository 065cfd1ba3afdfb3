/** Every limit of the HTTP layer. Bytes unless the name says otherwise. */
import { PDU_BYTES_MAX } from '#/protocol/limits.ts'

/** Body of a request whose sender we do not know yet. Registration with a captcha answer is the largest. */
export const BODY_BYTES_ANONYMOUS = 64 * 1024
/**
 * Body of a request with an access token, where the route does not say otherwise. Reading this much JSON holds the
 * event loop for up to ten milliseconds; what may be larger is read in slices or streamed.
 */
export const BODY_BYTES_USER = 16 * PDU_BYTES_MAX
/** A larger body is read in a turn of the event loop of its own, and so is the work for it. */
export const BODY_BYTES_PER_TURN = 128 * 1024
/**
 * Body of a request signed by a server: a transaction of 50 PDUs and 100 EDUs. The signature covers the body,
 * so it must be read first.
 */
export const BODY_BYTES_SERVER = 200 * PDU_BYTES_MAX

/**
 * Characters of one path parameter after decoding, unless its parser is stricter. Ids have at most 255 bytes,
 * but the state key, the type and the transaction id of old events may be longer than their limit says.
 */
export const PATH_PARAM_CHARS_MAX = 1024
/** Characters of a query string. A filter may be written into it. */
export const QUERY_CHARS_MAX = 32 * 1024
/** Parameters of a query string. */
export const QUERY_PARAMS_MAX = 200
/** Values of one repeated query parameter, for example `server_name`. */
export const QUERY_VALUES_MAX = 50
/** Characters of an access token; our own have less than 100. */
export const TOKEN_CHARS_MAX = 2048
/** A string in a request body where the schema names no other length. */
export const TEXT_CHARS_DEFAULT = 1024
/** What is told about one request body that is not as the schema wants. */
export const FINDINGS_MAX = 8
/** Matrix ids. https://spec.matrix.org/v1.16/appendices/#user-identifiers */
export const ID_CHARS_MAX = 255

/**
 * Buckets that one rate limit remembers. One takes about 150 bytes. The one touched longest ago goes first.
 */
export const RATE_BUCKETS_MAX = 100_000
/** What a client is told to wait when a limit never leaks (per_second 0). */
export const RETRY_AFTER_MS_MAX = 3_600_000

/** UIA sessions are forgotten after this. Synapse: 48 hours. */
export const UIA_SESSION_MS_MAX = 48 * 3_600_000
/** Failed stages of one UIA session before it must be begun anew. */
export const UIA_FAILURES_MAX = 20
/** UIA sessions that the store in memory holds; one takes about 300 bytes. */
export const UIA_SESSIONS_MAX = 10_000
