/** Events by their time, reports, delayed events. docs/decisions/0003-rows.md says what deletes their rows. */
export const reads = {
  number: 6,
  compat: 6,
  statements: [
    `CREATE INDEX events_by_time ON events (room, ts, arrival) WHERE arrival IS NOT NULL`,

    `CREATE INDEX events_outside ON events (room) WHERE arrival IS NULL`,

    `CREATE TABLE reports (
      nid {int8} NOT NULL PRIMARY KEY,
      kind {text} NOT NULL,
      ts {int8} NOT NULL,
      reporter {text} NOT NULL,
      room {int8} NOT NULL,
      event_id {text},
      target {text},
      reason {text},
      score {int8}
    ) {strict}`,
    `CREATE INDEX reports_by_reporter ON reports (reporter, nid)`,
    `CREATE INDEX reports_by_room ON reports (room)`,

    `CREATE TABLE delayed_events (
      delay_id {text} NOT NULL PRIMARY KEY,
      user_id {text} NOT NULL,
      device_id {text} NOT NULL,
      txn {text} NOT NULL,
      room {int8} NOT NULL,
      type {text} NOT NULL,
      state_key {text},
      content {text} NOT NULL,
      delay_ms {int8} NOT NULL,
      since_ts {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX delayed_events_by_user ON delayed_events (user_id)`,
    `CREATE INDEX delayed_events_by_state ON delayed_events (room, type, state_key)`,
  ],
} as const
