/** Named limits of receipts, typing and presence. */

/** Receipts of a room in one sync answer, besides the reader's own; the newest of them. */
export const RECEIPTS_PER_ROOM_MAX = 500
/** Receipts of a room that are looked for first, in one small read. */
export const RECEIPTS_FEW = 50
/** Rooms whose newest receipts are kept ready, and how many of each. */
export const RECENT_RECEIPT_ROOMS_MAX = 2000
export const RECENT_RECEIPTS_PER_ROOM = 30
/** Relations that are followed from an event to its thread. The specification recommends 3. */
export const THREAD_HOPS_MAX = 3
/** Characters of a thread's name in a receipt: an event id, or `main`. */
export const THREAD_CHARS_MAX = 255

/** How long somebody types without saying so again: at most, and where the request says nothing. Milliseconds. */
export const TYPING_MS_MAX = 120_000
export const TYPING_MS_DEFAULT = 30_000
/** Users shown as typing in one room; whoever began longest ago makes room. */
export const TYPING_PER_ROOM_MAX = 100
/** Rooms in which somebody types; more are not told of. */
export const TYPING_ROOMS_MAX = 5000
/** Changes of who types that are remembered; a client further behind is told of all its rooms. */
export const TYPING_CHANGES_MAX = 5000

/** Characters of a status message. */
export const STATUS_CHARS_MAX = 1000
/** Users whose presence is known; of more, those who are offline and were seen longest ago go. */
export const PRESENCE_USERS_MAX = 50_000
/** Devices of a user whose presence is followed; the one seen longest ago goes. */
export const PRESENCE_DEVICES_MAX = 50
/** Changes of presence that are remembered; a client further behind is told of everybody it may see. */
export const PRESENCE_CHANGES_MAX = 20_000
/** Users in the presence of one answer; the newest changes of them. */
export const PRESENCE_PER_ANSWER_MAX = 1000
/** Users new to a reader of whom it is told that they are offline; of more only those who are not. */
export const PRESENCE_NEW_OFFLINE_MAX = 100
/** Changes are told together: after this long, and after up to this long when the server is behind its work. */
export const PRESENCE_GATHER_MS = 500
export const PRESENCE_GATHER_MS_MAX = 30_000
/** A timer that is later than this says that the server is behind. */
export const PRESENCE_LATE_MS = 100
/** How often idle and offline users are looked for. */
export const PRESENCE_SWEEP_MS = 5000
/** Users looked at without letting others go first. */
export const PRESENCE_AT_ONCE = 1000
