/** Limits of stripped state. */

/** Events of another server's stripped state that are looked at; the specification names eight. */
export const STRIPPED_EVENTS_MAX = 100
