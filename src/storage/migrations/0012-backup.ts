/** Messages to devices, key backup, dehydrated devices. docs/decisions/0017-to-device-and-backup.md says why so. */
export const backup = {
  number: 12,
  /** An older release would make devices without an inbox. */
  compat: 12,
  statements: [
    /* An inbox without a user is of a device that is gone. */
    `CREATE TABLE inboxes (
      nid {int8} NOT NULL PRIMARY KEY,
      user_id {text},
      device_id {text} NOT NULL,
      waiting {int8} NOT NULL,
      chars {int8} NOT NULL,
      dropped {int8} NOT NULL,
      UNIQUE (user_id, device_id)
    ) {strict} {packed}`,
    `INSERT INTO inboxes (nid, user_id, device_id, waiting, chars, dropped)
      SELECT -ROW_NUMBER() OVER (ORDER BY user_id, device_id), user_id, device_id, 0, 0, 0 FROM devices`,
    `CREATE TABLE inbox_messages (
      inbox {int8} NOT NULL,
      pos {int8} NOT NULL,
      PRIMARY KEY (inbox, pos)
    ) {clustered}`,
    `CREATE TABLE inbox_contents (
      pos {int8} NOT NULL PRIMARY KEY,
      refs {int8} NOT NULL,
      chars {int8} NOT NULL,
      sender {text} NOT NULL,
      type {text} NOT NULL,
      content {text} NOT NULL,
      request {text}
    ) {strict} {packed}`,
    `CREATE INDEX inbox_contents_by_request ON inbox_contents (request) WHERE request IS NOT NULL`,
    `CREATE TABLE inbox_txns (
      pos {int8} NOT NULL PRIMARY KEY,
      ts {int8} NOT NULL,
      digest {text} NOT NULL UNIQUE
    ) {strict}`,

    `CREATE TABLE backup_users (
      user_id {text} NOT NULL PRIMARY KEY,
      last {int8} NOT NULL
    ) {strict}`,
    /* A version without a user was deleted. */
    `CREATE TABLE backup_versions (
      nid {int8} NOT NULL PRIMARY KEY,
      user_id {text},
      version {int8} NOT NULL,
      algorithm {text} NOT NULL,
      auth_data {text} NOT NULL,
      keys {int8} NOT NULL,
      etag {int8} NOT NULL,
      UNIQUE (user_id, version)
    ) {strict} {packed}`,
    `CREATE TABLE backup_keys (
      backup {int8} NOT NULL,
      room_id {text} NOT NULL,
      session_id {text} NOT NULL,
      first_index {int8} NOT NULL,
      forwarded {int8} NOT NULL,
      verified {int8} NOT NULL,
      data {text} NOT NULL,
      PRIMARY KEY (backup, room_id, session_id)
    ) {strict}`,

    `CREATE TABLE dehydrated_devices (
      user_id {text} NOT NULL PRIMARY KEY,
      device_id {text} NOT NULL,
      data {text} NOT NULL
    ) {strict}`,
  ],
} as const
