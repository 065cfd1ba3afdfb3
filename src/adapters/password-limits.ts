/** Named limits of password hashing. */

/** Memory of one argon2id hash in KiB; with two passes OWASP's second choice: 19 MiB. */
export const ARGON2_MEMORY_KIB = 19_456
export const ARGON2_PASSES = 2
export const ARGON2_LANES = 1
export const ARGON2_SALT_BYTES = 16
export const ARGON2_TAG_BYTES = 32

/** Costs that a stored hash may ask for: what an operator might have chosen, and no more. */
export const ARGON2_MEMORY_KIB_MAX = 1_048_576
export const ARGON2_PASSES_MAX = 64
export const ARGON2_LANES_MAX = 64
/** Bytes of salt or tag in a stored hash. */
export const ARGON2_FIELD_BYTES_MAX = 128

/** bcrypt looks at the first 72 bytes only; Synapse cuts them off before it hashes. */
export const BCRYPT_BYTES_MAX = 72
/** Cost of a bcrypt hash that is verified, as a power of two; 16 takes seconds. */
export const BCRYPT_ROUNDS_MAX = 16

/** Hashes computed at once. Each takes a thread of libuv's pool of four, which files and DNS share. */
export const HASHES_AT_ONCE = 2
/** Hashes that may wait: about five seconds of work. */
export const HASHES_WAITING_MAX = 100
/** What a client is told to wait when the queue is full. */
export const HASH_RETRY_AFTER_MS = 5_000
