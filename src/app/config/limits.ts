/** Bounds of the configuration reader. The files are the operator's own; these stop accidents, not attackers. */

/** Nesting of maps and lists in one file; also stops an alias that contains itself. */
export const CONFIG_DEPTH_MAX = 40

/** Nodes in one file after aliases are followed, so that nested aliases cannot multiply without end. */
export const CONFIG_NODES_MAX = 200_000

/** Characters of one configuration, logging or secret file. */
export const CONFIG_FILE_CHARS_MAX = 4 * 1024 * 1024

/** Characters of a wrong value that a message repeats. */
export const CONFIG_QUOTE_CHARS_MAX = 60

/** Edits between an unknown key and a known one that is still offered as the nearest name. */
export const CONFIG_NEAREST_EDITS_MAX = 3
/** Versions of the policy in `user_consent.template_dir`. */
export const CONSENT_DOCUMENTS_MAX = 200
