/** Named limits of keys that clients upload. */

/** Characters of one signed object: identity keys of a device, a cross-signing key. */
export const SIGNED_KEYS_CHARS_MAX = 16 * 1024
/** Characters of one one-time key as JSON. Keys that resist quantum computers have about 2000. */
export const ONE_TIME_KEY_CHARS_MAX = 8 * 1024
/** Bytes of `algorithm:id`. */
export const KEY_NAME_BYTES_MAX = 255
/** Algorithms and keys of a device, and signatures of one object. */
export const DEVICE_ALGORITHMS_MAX = 50
export const DEVICE_KEYS_MAX = 50
export const SIGNATURES_MAX = 100
