/** Named limits of room upgrades. */

/** Bans and children of a space that are carried over with the new room; the rest follows as timed work. */
export const CARRIED_AT_ONCE_MAX = 10_000
/** Bans and children that are carried over in all. */
export const CARRIED_MAX = 20_000
/** When what an upgrade has left undone is done, should the server have stopped in between; milliseconds. */
export const AFTERMATH_DELAY_MS = 60_000
