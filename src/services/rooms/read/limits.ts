/** Named limits of reading rooms. */

/** Events of one `/messages` page without a limit. */
export const MESSAGES_LIMIT_DEFAULT = 10
/** Most events of one page, whatever is asked. */
export const MESSAGES_LIMIT_MAX = 1000
/** Events looked at to fill a filtered or partly hidden page; then the page ends early with a token to go on. */
export const MESSAGES_SCAN_MAX = 3000
/** Events of a room's timeline without a filter. */
export const TIMELINE_LIMIT_DEFAULT = 10
/** Most events of a room's timeline, whatever the filter asks. */
export const TIMELINE_LIMIT_MAX = 1000
/** Bytes of a stored or inline filter. */
export const FILTER_CHARS_MAX = 32 * 1024
/** Senders and kinds of relations in a filter. */
export const FILTER_RELATED_MAX = 100
/** Entries of one list in a filter. */
export const FILTER_LIST_MAX = 1000
/** Rooms whose last news of relations are remembered. */
export const RELATION_ROOMS_MAX = 10_000
/** Events of one read that asks which of them others relate to. */
export const RELATION_TARGETS_PER_READ = 100
/** References named with the event that they point to; the others are found by asking for relations. */
export const BUNDLED_REFERENCES_MAX = 100
/** Events whose bundles are made in one turn of the event loop. */
export const BUNDLES_AT_ONCE = 25
/** Edits looked at for one that the reader may see. */
export const EDITS_LOOKED_AT_MAX = 20
/** Last events of a thread looked at for one that the reader may see. */
export const THREAD_EVENTS_LOOKED_AT_MAX = 50
/** Ignored users whose events are taken off the count of a thread, which is approximate. */
export const IGNORED_COUNTED_MAX = 500
/** Events that relate to one, of a page without a limit: as many as Synapse gives. */
export const RELATIONS_LIMIT_DEFAULT = 5
/** Most of them in one page. */
export const RELATIONS_LIMIT_MAX = 500
/** How far relations of relations are followed. */
export const RELATIONS_RECURSION_MAX = 3
/** Relating events looked at to fill a page; then it ends early with a token to go on. */
export const RELATIONS_SCAN_MAX = 2000
/** Threads of a page without a limit, and most of them. */
export const THREADS_LIMIT_DEFAULT = 5
export const THREADS_LIMIT_MAX = 100
/** Threads looked at to fill a page. */
export const THREADS_SCAN_MAX = 1000
/** Thread subscriptions of a page without a limit, and most of them. */
export const THREAD_SUBSCRIPTIONS_LIMIT_DEFAULT = 100
export const THREAD_SUBSCRIPTIONS_LIMIT_MAX = 512
/** Changes of a reader's own member event that are followed back to the time when they were in the room. */
export const OWN_CHANGES_BACK_MAX = 20
/** Events around an event without a limit, and whatever is asked. */
export const CONTEXT_LIMIT_DEFAULT = 10
export const CONTEXT_LIMIT_MAX = 1000
/** Events looked at for the one nearest to a time; when all are hidden it is the one that ends the hidden stretch. */
export const TIMESTAMP_SCAN_MAX = 3000
/** Member events of one read. */
export const MEMBERS_PER_READ = 100
/** Rooms whose messages' lifetime is remembered. */
export const LIFETIMES_KNOWN_MAX = 10_000
/** Events whose texts are made, or whose members are read, in one turn of the event loop: some milliseconds. */
export const EVENTS_AT_ONCE = 100
