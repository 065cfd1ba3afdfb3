/** Named limits of messages to devices, key backup and dehydrated devices. */

/** Bytes of the content of a message to a device. As in Synapse: what fits into a message between servers. */
export const TO_DEVICE_CONTENT_BYTES_MAX = 65_536
/** Bytes of a request that sends some: a thousand devices, each with a content of its own. */
export const TO_DEVICE_BODY_BYTES_MAX = 2 * 1024 * 1024
/** Devices that one request names, and users all of whose devices it names. */
export const TO_DEVICE_DEVICES_MAX = 5000
export const TO_DEVICE_USERS_MAX = 500
/** Bytes of the type of a message, and of a transaction id. */
export const TO_DEVICE_TYPE_BYTES_MAX = 255
export const TO_DEVICE_TXN_CHARS_MAX = 255
/** Messages that wait for one device, and their characters; of more the oldest go. */
export const INBOX_MESSAGES_MAX = 50_000
export const INBOX_CHARS_MAX = 64 * 1024 * 1024

/** Bytes of a request that uploads room keys: tens of thousands of them. */
export const BACKUP_BODY_BYTES_MAX = 13 * 1024 * 1024
/** Bytes of what is uploaded of one key. Clients send about a thousand. */
export const BACKUP_KEY_BYTES_MAX = 32 * 1024
/** Bytes of `auth_data`. */
export const BACKUP_AUTH_BYTES_MAX = 64 * 1024
/** Characters of an algorithm, a room id, a session id. */
export const BACKUP_NAME_CHARS_MAX = 255
/** Backups of one user; at one more the oldest goes. */
export const BACKUP_VERSIONS_MAX = 20
/** Keys of one backup. */
export const BACKUP_KEYS_MAX = 500_000
/** Keys stored by one plan, and plans that one upload lets wait at once: they may share a commit. */
export const BACKUP_KEYS_PER_PLAN = 200
export const BACKUP_PLANS_AT_ONCE = 5
/** Keys deleted by one plan. */
export const BACKUP_DROPPED_PER_PLAN = 1000
/** Keys in one piece of an answer. */
export const BACKUP_PAGE_KEYS = 500

/** Bytes of `device_data` of a dehydrated device. */
export const DEHYDRATED_BYTES_MAX = 256 * 1024
/** Messages in one answer about a dehydrated device, also without a wish of the client, and their characters. */
export const DEHYDRATED_PAGE_MAX = 100
export const DEHYDRATED_CHARS_MAX = 1024 * 1024
