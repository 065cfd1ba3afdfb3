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
/** Access tokens whose digest is remembered. */
export const DIGESTS_KNOWN_MAX = 10_000
/** Times a login is checked again because the password's hash changed meanwhile. */
export const LOGIN_TRIES = 3

/** Characters of a registration token. https://spec.matrix.org/v1.16/client-server-api/#token-authenticated-registration */
export const REGISTRATION_TOKEN_CHARS_MAX = 64
/** Characters of the id of a user-interactive session. */
export const UIA_SESSION_CHARS_MAX = 255
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
/** Pieces of account data of one user over all rooms, and their bytes. Tags and markers take one for each room. */
export const ACCOUNT_DATA_ITEMS_MAX = 20_000
export const ACCOUNT_DATA_TOTAL_BYTES_MAX = 16 * 1024 * 1024
/** Users whose amount of account data is remembered. */
export const ACCOUNT_DATA_SIZES_KEPT = 10_000
/** Bytes of a tag's name. https://spec.matrix.org/v1.16/client-server-api/#room-tagging */
export const TAG_BYTES_MAX = 255
/** Tags of one room. */
export const TAGS_PER_ROOM_MAX = 100

/** Devices of one user; at one more, the one used longest ago is logged out. */
export const DEVICES_PER_USER_MAX = 500
/** Devices named in one request to delete some. */
export const DEVICES_DELETED_MAX = 1000
/** Last uses are written after this time at the latest, in milliseconds. */
export const LAST_SEEN_WRITE_MS = 60_000
/** Last uses in one plan. */
export const LAST_SEEN_ROWS = 200
/** Characters kept of the name that a client gives itself. */
export const USER_AGENT_CHARS_MAX = 256

/** People in one answer of the user directory, and without a wish of the client. */
export const DIRECTORY_RESULTS_MAX = 50
export const DIRECTORY_RESULTS_DEFAULT = 10
/** Characters of a search term. */
export const SEARCH_TERM_CHARS_MAX = 1000
/** Accounts, and rooms, that are indexed in one plan while the directory is built anew. */
export const REINDEX_ROWS = 50
/** Rooms in one answer about shared rooms. */
export const MUTUAL_ROOMS_PAGE = 100

/** Users of whom it is remembered that they have agreed to the policy, or count as active. */
export const CONSENTS_KNOWN_MAX = 20_000
export const MONTHLY_KNOWN_MAX = 20_000
/** An active user is noted once in this time, and who is no longer active is forgotten as often. */
export const MONTHLY_NOTED_MS = 3_600_000
/** How long it is taken for granted that the limit on active users is reached. */
export const MONTHLY_FULL_MS = 60_000
/** Active users forgotten in one plan. */
export const MONTHLY_TRIM_ROWS = 1_000
/** Characters of a version of the policy. */
export const CONSENT_VERSION_CHARS_MAX = 100
/** Users of whom it is remembered whether they are erased. */
export const ERASED_KNOWN_MAX = 20_000
/** Login tokens of a user at a time, and characters of one that is brought. */
export const LOGIN_TOKENS_MAX = 10
export const LOGIN_TOKEN_CHARS_MAX = 512
/** Devices whose last proof is remembered. */
export const RECENT_PROOFS_MAX = 10_000

/** How long an OpenID token works, and how many of them a user may have at a time. As in Synapse: an hour. */
export const OPENID_MS = 3_600_000
export const OPENID_TOKENS_MAX = 100
/** Bytes of what a client says of one tag. */
export const TAG_CONTENT_BYTES_MAX = 16 * 1024
/** Registrations that a client may repeat because it did not get the answer, the newest. */
export const REGISTERED_LATELY_MAX = 1000
