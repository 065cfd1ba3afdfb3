/** Named limits of the accounts services. */
import { ID_BYTES_MAX } from '#/protocol/limits.ts'

/** Characters of a password. Synapse takes as many. */
export const PASSWORD_CHARS_MAX = 512
/** Bytes of a user id. https://spec.matrix.org/v1.16/appendices/#user-identifiers */
export const USER_ID_BYTES_MAX = ID_BYTES_MAX
/** Characters of a requested username before it is judged. */
export const USERNAME_CHARS_MAX = 512
/** Characters of a device id and of a device's display name. */
export const DEVICE_ID_CHARS_MAX = 255
export const DEVICE_NAME_CHARS_MAX = 100
/** Characters of a generated device id. */
export const DEVICE_ID_CHARS = 10
/** Characters of a generated localpart, and tries to find a free one. */
export const LOCALPART_CHARS = 12
export const LOCALPART_TRIES = 5

/** Random bytes of access and refresh tokens. */
export const TOKEN_BYTES = 32
/** Sessions kept ready for authentication. One takes about 700 bytes. */
export const SESSIONS_CACHED_MAX = 20_000
/** Times a login is checked again because the password's hash changed meanwhile. */
export const LOGIN_TRIES = 3

/** Characters of a registration token. https://spec.matrix.org/v1.16/client-server-api/#token-authenticated-registration */
export const REGISTRATION_TOKEN_CHARS_MAX = 64
/** User-interactive sessions are deleted after this; as long as Synapse keeps them. */
export const UIA_KEEP_MS = 48 * 3_600_000

/** How long a nonce of shared-secret registration works, and how many are remembered. As in Synapse: a minute. */
export const NONCE_MS = 60_000
export const NONCES_MAX = 1_000
export const NONCE_BYTES = 64

/** Bytes of a whole profile as JSON. https://spec.matrix.org/v1.16/client-server-api/#profiles */
export const PROFILE_BYTES_MAX = 65_536
/** Bytes of the name of a profile field. */
export const PROFILE_KEY_BYTES_MAX = 255
/** Characters, as in Synapse. */
export const DISPLAYNAME_CHARS_MAX = 256
export const AVATAR_URL_CHARS_MAX = 1000

/** Bytes of one piece of account data as JSON. Secret storage and image packs take the most. */
export const ACCOUNT_DATA_BYTES_MAX = 512 * 1024
/** Bytes of its type. */
export const ACCOUNT_DATA_TYPE_BYTES_MAX = 255
/** Users whose list of ignored users is kept ready. */
export const IGNORING_USERS_CACHED_MAX = 10_000
