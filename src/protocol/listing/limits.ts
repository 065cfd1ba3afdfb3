/** Named limits of what is shown of a room to people outside it. */

/** Conditions of a restricted room that are looked at to show it; to join it all count. */
export const ALLOW_RULES_MAX = 50
/** Characters of a name, a topic or an alias that the search of the directory looks through. */
export const SEARCHED_CHARS_MAX = 1000
