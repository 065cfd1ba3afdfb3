/** What a server concluded about an event it stored, as bits of one number. */
export const EVENT_FLAGS = {
  /** Known only through others' auth events; not part of the room's graph here. */
  outlier: 1,
  /** Failed an authorisation check for good. */
  rejected: 2,
  /** Allowed by its own state, refused by the current one. */
  softFailed: 4,
  /** Stored before the full state of the room was known. */
  partialState: 8,
} as const

/** Events with any of these bits are not shown in timelines. */
export const HIDDEN_FLAGS = EVENT_FLAGS.outlier | EVENT_FLAGS.rejected | EVENT_FLAGS.softFailed
