/** Limits of the specification that the protocol core enforces. Sizes are in bytes of UTF-8. */

/** https://spec.matrix.org/v1.16/client-server-api/#size-limits */
export const PDU_BYTES_MAX = 65_536
/** sender, room_id, state_key, type and event_id. https://spec.matrix.org/v1.16/client-server-api/#size-limits */
export const ID_BYTES_MAX = 255
/** A server name has no limit of its own; an id that holds it has. */
export const SERVER_NAME_BYTES_MAX = 255
/** https://spec.matrix.org/v1.16/rooms/v4/#event-format */
export const AUTH_EVENTS_MAX = 10
/** https://spec.matrix.org/v1.16/rooms/v4/#event-format */
export const PREV_EVENTS_MAX = 20

/** Depth of room versions 1 to 5: a signed 64 bit integer. */
export const DEPTH_MAX_INT64 = 2n ** 63n - 1n
/** Depth from room version 6, and the largest integer of canonical JSON. */
export const DEPTH_MAX_CANONICAL = 2n ** 53n - 1n

/**
 * Nesting of arrays and objects, the event itself counted. Not in the specification: it is what Synapse's reader
 * accepts, so that no event is seen by one server and dropped by the other.
 */
export const JSON_DEPTH_MAX = 127
/** Characters of one number token; 2^63 has 19, a double at most 17 significant ones. */
export const JSON_NUMBER_CHARS_MAX = 400
/** Characters of one JSON text; work and memory of the reader are linear in them. V8's longest string is 2^29-24. */
export const JSON_TEXT_CHARS_MAX = 2 ** 28

/** A published key is trusted at most this far ahead. https://spec.matrix.org/v1.16/rooms/v5/ */
export const KEY_VALIDITY_AHEAD_MS_MAX = 7 * 24 * 3600 * 1000
/** Signatures looked at for one signing server; more are refused, because each costs a verification. */
export const SIGNATURES_PER_SERVER_MAX = 20
/** Keys of one m.room.third_party_invite event that are tried. */
export const THIRD_PARTY_KEYS_MAX = 20
/** Signatures of one `third_party_invite.signed` object that are tried. */
export const THIRD_PARTY_SIGNATURES_MAX = 20
/** Public keys kept ready for verification, process-wide. One holds about 300 bytes. */
export const VERIFY_KEYS_CACHED_MAX = 10_000
/** Keys, current and old, of one server's key answer. */
export const KEYS_PER_SERVER_MAX = 500

/** Bytes of a relation's type; a longer one is no relation. */
export const REL_TYPE_BYTES_MAX = 255
/** Code points of an annotation's key, as Synapse allows them. */
export const RELATION_KEY_CHARS_MAX = 500
