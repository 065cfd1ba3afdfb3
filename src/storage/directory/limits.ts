/** Named limits of the user directory. */

/** Characters of a name that are looked at. */
export const NAME_CHARS_MAX = 256
/** Characters of one term; what is longer is cut. */
export const TERM_CHARS_MAX = 24
/** Terms of one person: words, tails of words without spaces, and trigrams. */
export const PERSON_TERMS_MAX = 200
/** Words of a question that count. */
export const QUESTION_WORDS_MAX = 6
/** Trigrams of a question that are looked up. */
export const QUESTION_GRAMS_MAX = 10
/** Rows of the index read for one word or trigram. */
export const SCAN_ROWS_MAX = 2000
/** Members of the asker's own rooms looked at when every word of a question has more rows than that. */
export const ACQUAINTANCES_MAX = 2000
/** People whose rank is worked out in one search. */
export const CANDIDATES_MAX = 2500
/** People whose rooms are looked at in one search, the best first. */
export const VISIBILITY_MAX = 2000
/** Memberships of users of other servers read in one look. */
export const REMOTE_ROWS_MAX = 2000
