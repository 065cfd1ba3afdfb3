/** Named limits of push rules, notifications and pushers. */

/** What the operator sets: `push_rules.limits`. */
export interface PushRuleLimits {
  /** Rules of a user's own. */
  readonly rules: number
  /** Bytes of a rule's id. */
  readonly idBytes: number
  /** Bytes of a rule's conditions, or pattern, and actions as JSON. */
  readonly ruleBytes: number
}

/** Without a word in the configuration. */
export const PUSH_RULE_LIMITS_DEFAULT: PushRuleLimits = { rules: 10_000, idBytes: 300, ruleBytes: 1024 }

/** Of these, rules that look at events in other ways than by room or sender; each is tried for every event. */
export const PUSH_RULES_TRIED_MAX = 500
/** Conditions of one rule. */
export const CONDITIONS_MAX = 20
/** Actions of one rule. */
export const ACTIONS_MAX = 20
/** Bytes of all rules as JSON. */
export const PUSH_RULES_BYTES_MAX = 1024 * 1024
/** Characters of a rule's id in `before` and `after`, whatever is configured. */
export const RULE_ID_CHARS_MAX = 2048
/** Characters of the pattern of a content rule or a condition. */
export const PATTERN_CHARS_MAX = 512
/** Bytes of users' rules kept ready, as they weigh in JSON. */
export const RULES_CACHE_BYTES = 8 * 1024 * 1024
/** Rooms of which it is remembered who follows them. */
export const FOLLOWED_ROOMS_MAX = 5000
/** Users named by one event that are looked at; an event cannot hold many more. */
export const MENTIONS_MAX = 1000
/** Milliseconds that evaluating goes on before others have a turn. */
export const EVALUATION_MS_MAX = 5
/** Bytes of the first part of JSON actions kept with a notification. */
export const ACTIONS_BYTES_MAX = 4096
/** Notifications on one page. */
export const NOTIFICATIONS_LIMIT_DEFAULT = 20
export const NOTIFICATIONS_LIMIT_MAX = 50
/** Events looked at for one page. */
export const NOTIFICATIONS_SCAN_MAX = 1000
/** Pushers of a user. */
export const PUSHERS_MAX = 20
/** Rooms of one question for counts. */
export const COUNTED_ROOMS_MAX = 1000
/** https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset */
export const PUSHKEY_BYTES_MAX = 512
export const APP_ID_CHARS_MAX = 64
export const PUSHER_DATA_BYTES_MAX = 8 * 1024
export const PUSHER_NAME_CHARS_MAX = 255
/** Muted rooms of a user that are looked up one by one. */
export const MUTED_ROOMS_SMALL = 20
/** Counts of readers and events of rooms kept ready together. */
export const COUNTS_KEPT_MAX = 50_000
/** Of these in one room: events, readers ... */
export const COUNTED_EVENTS_KEPT = 50
export const COUNTED_READERS_MAX = 10_000
/** ... and threads with events that one reader has not read; with more the store is asked. */
export const COUNTED_THREADS_MAX = 100
