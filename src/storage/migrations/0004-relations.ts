/** Relations between events, and subscriptions of threads. docs/decisions/0009-relations.md says why so. */
export const relations = {
  number: 4,
  compat: 4,
  statements: [
    `CREATE TABLE relation_targets (
      nid {int8} NOT NULL PRIMARY KEY,
      room {int8} NOT NULL,
      event_id {text} NOT NULL,
      edits {int8} NOT NULL,
      refs {int8} NOT NULL,
      thread_count {int8} NOT NULL,
      thread_depth {int8} NOT NULL,
      thread_arrival {int8} NOT NULL,
      thread_event {int8},
      UNIQUE (room, event_id)
    ) {strict} {packed}`,
    `CREATE INDEX relation_targets_by_thread ON relation_targets (room, thread_depth, thread_arrival)
      WHERE thread_event IS NOT NULL`,

    `CREATE TABLE event_relations (
      target {int8} NOT NULL,
      depth {int8} NOT NULL,
      arrival {int8} NOT NULL,
      event {int8} NOT NULL UNIQUE,
      aggregated {int8} NOT NULL,
      ts {int8} NOT NULL,
      rel_type {text} NOT NULL,
      type {text} NOT NULL,
      sender {text} NOT NULL,
      rel_key {text},
      PRIMARY KEY (target, depth, arrival)
    ) {clustered}`,
    `CREATE INDEX event_relations_by_type ON event_relations (target, rel_type, depth, arrival)`,
    `CREATE INDEX event_relations_by_sender ON event_relations (target, rel_type, sender, ts)`,

    `CREATE TABLE thread_subscriptions (
      user_id {text} NOT NULL,
      room {int8} NOT NULL,
      root {text} NOT NULL,
      pos {int8} NOT NULL,
      subscribed {int8} NOT NULL,
      automatic {int8} NOT NULL,
      PRIMARY KEY (user_id, room, root)
    ) {clustered}`,
    `CREATE INDEX thread_subscriptions_by_pos ON thread_subscriptions (user_id, pos)`,
    `CREATE INDEX thread_subscriptions_by_room ON thread_subscriptions (room)`,

    /* Relations of the events that are here already are found by a job: from this row id on, up to that one. */
    `INSERT INTO jobs (kind, key, due_ts, attempts, data)
      SELECT 'relations.index', 'all', 0, 0, '[0,' || CAST(MAX(nid) AS TEXT) || ']' FROM events
      HAVING MAX(nid) IS NOT NULL`,
  ],
} as const
