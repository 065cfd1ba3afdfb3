/** Named limits of what the server does of its own accord for users. */

/** Notices to one user that wait for each other. */
export const NOTICES_WAITING_MAX = 20
/** Random bytes of a notice's transaction. */
export const NOTICE_TXN_BYTES = 16
/** Users of whom it is remembered what they were told last. */
export const TOLD_MAX = 20_000
/** How long it is taken for granted whether the limit on active users is reached. */
export const LIMIT_LOOK_MS = 60_000
/** Pinned events that are looked at. */
export const PINNED_LOOKED_AT_MAX = 100
