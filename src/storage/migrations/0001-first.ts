/** The schema of the first day. docs/decisions/0003-rows.md says what each table is for and what deletes its rows. */
export const first = {
  number: 1,
  /** The oldest release that can still open a database after this step, as its schema number. */
  compat: 1,
  statements: [
    `CREATE TABLE rooms (
      nid {int8} NOT NULL PRIMARY KEY,
      room_id {text} NOT NULL UNIQUE,
      version {text} NOT NULL,
      stale {int8} NOT NULL DEFAULT 0
    ) {strict}`,

    `CREATE TABLE room_heads (
      room {int8} NOT NULL PRIMARY KEY,
      seq {int8} NOT NULL,
      extremities {text} NOT NULL,
      depth {int8} NOT NULL,
      joined {int8} NOT NULL,
      invited {int8} NOT NULL
    ) {strict} {packed}`,

    `CREATE TABLE events (
      nid {int8} NOT NULL PRIMARY KEY,
      room {int8} NOT NULL,
      arrival {int8},
      depth {int8} NOT NULL,
      flags {int8} NOT NULL,
      ts {int8} NOT NULL,
      redacted_by {int8},
      state_branch {int8},
      state_pos {int8},
      checksum {int8} NOT NULL,
      auth {bytes} NOT NULL,
      event_id {text} NOT NULL,
      type {text} NOT NULL,
      sender {text} NOT NULL,
      state_key {text},
      rejected_rule {text},
      json {text} NOT NULL
    ) {strict}`,
    `CREATE UNIQUE INDEX events_by_id ON events (event_id)`,
    `CREATE INDEX events_by_arrival ON events (room, arrival) WHERE arrival IS NOT NULL`,
    `CREATE INDEX events_by_depth ON events (room, depth, arrival) WHERE arrival IS NOT NULL`,

    `CREATE TABLE event_originals (
      event {int8} NOT NULL PRIMARY KEY,
      keep_until {int8} NOT NULL,
      json {text} NOT NULL
    ) {strict}`,
    `CREATE INDEX event_originals_by_time ON event_originals (keep_until)`,

    `CREATE TABLE event_txns (
      event {int8} NOT NULL PRIMARY KEY,
      hash {int8} NOT NULL,
      ts {int8} NOT NULL,
      device {text} NOT NULL,
      txn_id {text} NOT NULL
    ) {strict}`,
    `CREATE INDEX event_txns_by_hash ON event_txns (hash)`,

    `CREATE TABLE state_keys (
      nid {int8} NOT NULL PRIMARY KEY,
      type {text} NOT NULL,
      state_key {text} NOT NULL,
      UNIQUE (type, state_key)
    ) {strict}`,

    `CREATE TABLE room_state (
      room {int8} NOT NULL,
      branch {int8} NOT NULL,
      state_key {int8} NOT NULL,
      event {int8} NOT NULL,
      pos {int8} NOT NULL,
      spilled {int8} NOT NULL DEFAULT 0,
      older {bytes},
      PRIMARY KEY (room, branch, state_key)
    ) {clustered} {packed}`,

    `CREATE INDEX room_state_by_key ON room_state (state_key)`,

    `CREATE TABLE room_state_older (
      room {int8} NOT NULL,
      branch {int8} NOT NULL,
      state_key {int8} NOT NULL,
      upto {int8} NOT NULL,
      data {bytes} NOT NULL,
      PRIMARY KEY (room, branch, state_key, upto)
    ) {clustered}`,

    `CREATE TABLE state_delta_tails (
      room {int8} NOT NULL,
      branch {int8} NOT NULL,
      since {int8} NOT NULL,
      upto {int8} NOT NULL,
      entries {int8} NOT NULL,
      data {bytes} NOT NULL,
      PRIMARY KEY (room, branch)
    ) {clustered} {packed}`,

    `CREATE TABLE state_delta_chunks (
      room {int8} NOT NULL,
      branch {int8} NOT NULL,
      upto {int8} NOT NULL,
      since {int8} NOT NULL,
      data {bytes} NOT NULL,
      PRIMARY KEY (room, branch, upto)
    ) {clustered}`,

    `CREATE TABLE state_branches (
      nid {int8} NOT NULL PRIMARY KEY,
      room {int8} NOT NULL,
      parent {int8} NOT NULL,
      parent_pos {int8} NOT NULL,
      depth {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX state_branches_by_room ON state_branches (room)`,

    `CREATE TABLE local_memberships (
      user_id {text} NOT NULL,
      room {int8} NOT NULL,
      membership {text} NOT NULL,
      event {int8} NOT NULL,
      pos {int8} NOT NULL,
      forgotten {int8} NOT NULL,
      sender {text} NOT NULL,
      stripped {text},
      PRIMARY KEY (user_id, room)
    ) {clustered}`,
    `CREATE INDEX local_memberships_by_room ON local_memberships (room)`,

    `CREATE TABLE accounts (
      user_id {text} NOT NULL PRIMARY KEY,
      folded {text} NOT NULL,
      password_hash {text},
      admin {int8} NOT NULL,
      deactivated {int8} NOT NULL,
      locked {int8} NOT NULL,
      guest {int8} NOT NULL,
      created_ts {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX accounts_folded ON accounts (folded)`,

    `CREATE TABLE devices (
      user_id {text} NOT NULL,
      device_id {text} NOT NULL,
      display_name {text},
      created_ts {int8} NOT NULL,
      PRIMARY KEY (user_id, device_id)
    ) {clustered}`,

    `CREATE TABLE tokens (
      digest {text} NOT NULL PRIMARY KEY,
      user_id {text} NOT NULL,
      device_id {text} NOT NULL,
      kind {text} NOT NULL,
      expires_ts {int8},
      pair {text},
      exchanged {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX tokens_by_device ON tokens (user_id, device_id)`,
    `CREATE INDEX tokens_by_expiry ON tokens (expires_ts) WHERE expires_ts IS NOT NULL`,

    `CREATE TABLE registration_tokens (
      token {text} NOT NULL PRIMARY KEY,
      uses_allowed {int8},
      pending {int8} NOT NULL,
      completed {int8} NOT NULL,
      expires_ts {int8},
      admin {int8} NOT NULL
    ) {strict}`,

    `CREATE TABLE profiles (
      user_id {text} NOT NULL PRIMARY KEY,
      fields {text} NOT NULL
    ) {strict}`,

    `CREATE TABLE uia_sessions (
      session {text} NOT NULL PRIMARY KEY,
      data {text} NOT NULL,
      expires_ts {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX uia_sessions_by_expiry ON uia_sessions (expires_ts)`,

    `CREATE TABLE account_data (
      user_id {text} NOT NULL,
      room {int8} NOT NULL,
      type {text} NOT NULL,
      pos {int8} NOT NULL,
      content {text} NOT NULL,
      PRIMARY KEY (user_id, room, type)
    ) {clustered}`,
    `CREATE INDEX account_data_by_pos ON account_data (user_id, pos)`,

    `CREATE TABLE filters (
      user_id {text} NOT NULL,
      nid {int8} NOT NULL,
      json {text} NOT NULL,
      PRIMARY KEY (user_id, nid)
    ) {clustered}`,

    `CREATE TABLE jobs (
      kind {text} NOT NULL,
      key {text} NOT NULL,
      due_ts {int8} NOT NULL,
      attempts {int8} NOT NULL,
      data {text} NOT NULL,
      PRIMARY KEY (kind, key)
    ) {clustered}`,
    `CREATE INDEX jobs_by_time ON jobs (due_ts)`,
  ],
} as const
