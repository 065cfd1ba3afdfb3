/** Limits of a user's rules about who may invite them (MSC4155). */

/** Characters of a pattern; a user id has no more, and a longer one is passed over. */
export const INVITE_PATTERN_MAX = 255
/** Patterns with `*` or `?` in one user's rules: each of them may be tried for every invite. */
export const INVITE_GLOBS_MAX = 1000
