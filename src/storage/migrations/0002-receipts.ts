/** Read receipts. docs/decisions/0003-rows.md says what deletes them. */
export const receipts = {
  number: 2,
  /** An older release would neither show nor move receipts, and leave those of deleted rooms behind. */
  compat: 2,
  statements: [
    `CREATE TABLE receipts (
      room {int8} NOT NULL,
      user_id {text} NOT NULL,
      kind {text} NOT NULL,
      thread {text} NOT NULL,
      event_id {text} NOT NULL,
      event {int8} NOT NULL,
      ts {int8} NOT NULL,
      pos {int8} NOT NULL,
      PRIMARY KEY (room, user_id, kind, thread)
    ) {clustered} {packed}`,
    `CREATE INDEX receipts_by_pos ON receipts (room, pos)`,
  ],
} as const
