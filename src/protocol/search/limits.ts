/** Named limits of the words of a search. */

/** UTF-16 units of a word that count; longer ones are cut, in texts and in search terms alike. */
export const WORD_CHARS_MAX = 64
/** Different terms of one event that are indexed; a longer text is found by its beginning. */
export const EVENT_TERMS_MAX = 1000
/** UTF-16 units of a text that are looked at. No event is longer. */
export const TEXT_CHARS_MAX = 65_536
/** UTF-16 units of a search term. */
export const SEARCH_TERM_CHARS_MAX = 512
/** Words of a search term. */
export const SEARCH_WORDS_MAX = 32
/** Terms of a search term that the index is asked for; the text decides about the others. */
export const SEARCH_TERMS_MAX = 24
/** Occurrences of one word that count for the rank. */
export const OCCURRENCES_MAX = 16
