/** Limits of glob matching. */

/**
 * Longest run of a pattern between two `*` that mixes literal characters with `?`, in characters.
 * Such runs are searched with one bit per character, so this bounds the work per character of the text
 * (1,024 bits are 32 words). Runs without an inner `?` have no limit.
 */
export const GLOB_MIXED_RUN_MAX = 1024
