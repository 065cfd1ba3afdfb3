/** Named limits of the sync service. */

/** Longest time a sync waits for news, whatever the client asks. */
export const SYNC_TIMEOUT_MS_MAX = 5 * 60 * 1000
/** Initial and full syncs whose answers are made at once, and those that may wait for it. */
export const WHOLE_SYNCS_AT_ONCE = 4
export const WHOLE_SYNCS_WAITING_MAX = 10_000
/** When a client that found too many of them may try again. */
export const WHOLE_SYNC_RETRY_MS = 10_000
/** Filters kept ready in their parsed form, and how long the JSON of one may be. */
export const FILTERS_KNOWN_MAX = 2000
export const FILTER_KNOWN_CHARS_MAX = 2000
/** Rooms whose rules are remembered. */
export const ROOM_RULES_MAX = 10_000
/** Events looked at to fill a filtered timeline. */
export const TIMELINE_SCAN_MAX = 1000
/** States of one room whose texts are kept: who syncs asks for few different ones. */
export const STATES_PER_ROOM = 4
/** Rooms whose summary is kept, and state events whose text is. */
export const SUMMARIES_MAX = 10_000
export const STATE_TEXTS_MAX = 5000
export const STATE_TEXT_CHARS_MAX = 2000
/** Changed device lists remembered per user; an older token is answered from the store. */
export const DEVICE_NEWS_PER_USER = 200
/** Members of a room without encryption who are new to who joins it; with more nobody is. */
export const UNENCRYPTED_FACES_MAX = 1000
/** Devices of a user whose claimed keys are remembered. */
export const CLAIMED_DEVICES_KEPT = 1000
/** Recent events kept ready per room. */
export const RECENT_EVENTS_PER_ROOM = 30
/** Bytes of recent events kept ready, without a setting. */
export const RECENT_BYTES_DEFAULT = 32 * 1024 * 1024
/** Users whose room list is kept ready. */
export const ACTIVE_USERS_MAX = 5000
/** Changes remembered per user; an older token is answered from the store. */
export const CHANGES_PER_USER = 500
/** Versions of typing and presence that a token stays behind while they do not concern its reader. */
export const SEEN_BEHIND_MAX = 500
/** Rooms of one answer that are prepared side by side. */
export const ROOMS_AT_ONCE = 4
/** The same where rooms are told whole, which share their reads; fewer where their timelines are longer ... */
export const WHOLE_ROOMS_AT_ONCE = 32
/** ... so that they have so many events together. */
export const WHOLE_EVENTS_AT_ONCE = 320
/** Questions of rooms that one read answers. */
export const GATHERED_MAX = 64
/** Requests of one user that may wait at once; the oldest is answered empty. */
export const WAITING_PER_USER_MAX = 50
/** Messages to a device in one answer, and their characters. */
export const TO_DEVICE_GIVEN_MAX = 100
export const TO_DEVICE_CHARS_MAX = 1024 * 1024
/** Users of whose devices is known what they were given. */
export const GIVEN_USERS_MAX = 20_000
/** Delivered messages are deleted after this time, milliseconds, or when so many devices have some ... */
export const DELIVERED_MS = 500
export const DELIVERED_AT_ONCE = 100
/** ... at most so many of each device at once. */
export const DELIVERED_ROWS = 500
/** Bytes of what devices were told of members by lazy loading, roughly; what is forgotten is told again. */
export const LAZY_MEMBERS_BYTES_MAX = 48 * 1024 * 1024
/** Members remembered per room and device; with more they are told again. */
export const LAZY_MEMBERS_MAX = 500
/** Members read at once to find heroes, and in all. */
export const HERO_PAGE = 50
export const HERO_SCAN_MAX = 1000
/** Changes of the reader's own member event that are followed back; with more the room is told anew. */
export const OWN_CHANGES_MAX = 20
/** Users who are woken in one turn of the event loop, each of whom then composes an answer ... */
export const FEED_WAKES_PER_TURN = 16
/** ... and those who are looked through for it. */
export const FEED_USERS_PER_TURN = 2000
/** Invites of which one read tells what came before them. */
export const INVITES_READ_AT_ONCE = 100
/** Events of one answer of `/events`. */
export const EVENTS_CHUNK_MAX = 100
/** How long `/events` waits when the client does not say. */
export const EVENTS_TIMEOUT_MS_DEFAULT = 30_000
/** Requests that wait for news of a room that is only peeked into; more are answered at once. */
export const PEEKERS_MAX = 2000
/** Messages per room of `/initialSync` without a limit, and whatever is asked. */
export const SNAPSHOT_MESSAGES_DEFAULT = 10
export const SNAPSHOT_MESSAGES_MAX = 100
/** Characters of an answer of `/initialSync`; who has more than that uses `/sync`. */
export const SNAPSHOT_CHARS_MAX = 32 * 1024 * 1024
/** Answers of `/initialSync` that are made at once; more are refused for the moment. */
export const SNAPSHOTS_AT_ONCE = 4
export const SNAPSHOT_RETRY_MS = 5000
/** Events of a room's timeline in one answer, without a setting. */
export const TIMELINE_DEFAULT_MAX = 100
