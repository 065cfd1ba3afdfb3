/** Named limits of the keys services. */

/** Unclaimed one-time keys of one device. Clients keep 50 to 100 there. */
export const ONE_TIME_KEYS_MAX = 1000
/** One-time keys, and fallback keys, in one upload. */
export const ONE_TIME_KEYS_AT_ONCE = 500
export const FALLBACK_KEYS_AT_ONCE = 20
/** Users asked about in one `/keys/query`, those read at a time, and after how many others are let go first. */
export const QUERIED_USERS_MAX = 10_000
export const QUERIED_USERS_AT_ONCE = 128
export const QUERIED_USERS_PER_TURN = 1024
/** Bytes of keys of users that are kept ready for answers: those of some 20,000 devices. */
export const KEY_TEXTS_BYTES = 16 * 1024 * 1024
/** Characters of one answer of `/keys/query`; who wants more asks about fewer users. */
export const QUERY_CHARS_MAX = 64 * 1024 * 1024
/** Devices named in one `/keys/claim`, and in one plan. */
export const CLAIMED_DEVICES_MAX = 10_000
export const CLAIMED_DEVICES_PER_PLAN = 500
/** Signed objects in one `/keys/signatures/upload`, and how many are verified without letting others go first. */
export const SIGNED_OBJECTS_MAX = 1000
export const SIGNED_OBJECTS_AT_ONCE = 50
/** Times that signatures are placed anew because what they sign changed meanwhile. */
export const SIGN_TRIES = 3
/** Signatures by devices kept with a master key: the newest. */
export const MASTER_SIGNATURES_MAX = 100
/** Devices whose number of one-time keys is kept ready. One takes about 250 bytes. */
export const KEY_COUNTS_KEPT = 20_000
/** Devices named for one user in `/keys/query`. */
export const QUERIED_DEVICES_MAX = 1000
/** Characters of the name of an algorithm. */
export const KEY_ALGORITHM_CHARS_MAX = 255
