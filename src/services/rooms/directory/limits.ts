/** Named limits of aliases and of the list of published rooms. */

/** Aliases of one room on this server. */
export const ROOM_ALIASES_MAX = 1000
/** Aliases that one m.room.canonical_alias event may add; each is looked up. */
export const CANONICAL_NEW_MAX = 100
/** Rooms on one page of the published list. */
export const PUBLISHED_PAGE_MAX = 100
/** Characters of a term that is searched for. */
export const SEARCH_CHARS_MAX = 255
/** Room types in one filter. */
export const ROOM_TYPES_MAX = 50
