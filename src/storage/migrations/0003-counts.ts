/** Notifications: kinds of events, what they become for whom, and pushers. See docs/decisions/0008-counts.md. */
export const counts = {
  number: 3,
  /** An older release would not count the events that it writes. */
  compat: 3,
  statements: [
    `CREATE TABLE push_users (
      user_id {text} NOT NULL PRIMARY KEY,
      custom {int8} NOT NULL,
      pushers {int8} NOT NULL
    ) {strict}`,

    `CREATE TABLE push_profiles (
      user_id {text} NOT NULL,
      room_id {text} NOT NULL,
      since {int8} NOT NULL,
      profile {text} NOT NULL,
      PRIMARY KEY (user_id, room_id, since)
    ) {clustered}`,

    `CREATE TABLE event_kinds (
      event {int8} NOT NULL PRIMARY KEY,
      room {int8} NOT NULL,
      kind {int8} NOT NULL,
      loud {int8} NOT NULL,
      thread {text} NOT NULL,
      totals {bytes} NOT NULL
    ) {strict}`,
    `CREATE INDEX event_kinds_by_thread ON event_kinds (room, thread, event)`,
    `CREATE INDEX event_kinds_loud ON event_kinds (room, event) WHERE loud = 1`,

    `CREATE TABLE thread_news (
      room {int8} NOT NULL,
      thread {text} NOT NULL,
      latest {int8} NOT NULL,
      PRIMARY KEY (room, thread)
    ) {clustered} {packed}`,
    `CREATE INDEX thread_news_by_latest ON thread_news (room, latest)`,

    `CREATE TABLE redacted_kinds (
      room {int8} NOT NULL,
      thread {text} NOT NULL,
      event {int8} NOT NULL,
      kind {int8} NOT NULL,
      PRIMARY KEY (room, thread, event)
    ) {clustered}`,

    `CREATE TABLE push_actions (
      user_id {text} NOT NULL,
      room {int8} NOT NULL,
      thread {text} NOT NULL,
      event {int8} NOT NULL,
      kind {int8} NOT NULL,
      notify {int8} NOT NULL,
      highlight {int8} NOT NULL,
      actions {text} NOT NULL,
      PRIMARY KEY (user_id, room, thread, event)
    ) {clustered}`,
    `CREATE INDEX push_actions_by_user ON push_actions (user_id, event)`,
    `CREATE INDEX push_actions_by_event ON push_actions (room, event)`,

    `CREATE TABLE own_marks (
      user_id {text} NOT NULL,
      room {int8} NOT NULL,
      thread {text} NOT NULL,
      event {int8} NOT NULL,
      PRIMARY KEY (user_id, room, thread)
    ) {clustered} {packed}`,
    `CREATE INDEX own_marks_by_room ON own_marks (room)`,

    `CREATE TABLE pushers (
      user_id {text} NOT NULL,
      app_id {text} NOT NULL,
      pushkey {text} NOT NULL,
      kind {text} NOT NULL,
      device_id {text} NOT NULL,
      ts {int8} NOT NULL,
      queued {int8} NOT NULL,
      data {text} NOT NULL,
      PRIMARY KEY (user_id, app_id, pushkey)
    ) {clustered}`,
    `CREATE INDEX pushers_by_key ON pushers (app_id, pushkey)`,

    `CREATE TABLE push_queue (
      user_id {text} NOT NULL,
      app_id {text} NOT NULL,
      pushkey {text} NOT NULL,
      slot {int8} NOT NULL,
      seq {int8} NOT NULL,
      room {int8} NOT NULL,
      event {int8} NOT NULL,
      actions {text} NOT NULL,
      PRIMARY KEY (user_id, app_id, pushkey, slot)
    ) {clustered}`,
    `CREATE INDEX push_queue_by_room ON push_queue (room, event)`,
  ],
} as const
