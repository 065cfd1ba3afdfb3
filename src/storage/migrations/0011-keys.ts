/** End-to-end encryption: keys of devices and users, and the stream of device lists. docs/decisions/0016-keys.md */
export const keys = {
  number: 11,
  /** An older release would leave the keys of deleted devices behind. */
  compat: 11,
  statements: [
    /* `body` is what the device's signature covers; null where a device has uploaded one-time keys alone. */
    `CREATE TABLE device_keys (
      nid {int8} NOT NULL PRIMARY KEY,
      user_id {text} NOT NULL,
      device_id {text} NOT NULL,
      body {text},
      signatures {text},
      UNIQUE (user_id, device_id)
    ) {strict}`,

    `CREATE TABLE one_time_keys (
      device {int8} NOT NULL,
      algorithm {text} NOT NULL,
      nid {int8} NOT NULL,
      key_id {text} NOT NULL,
      json {text} NOT NULL,
      PRIMARY KEY (device, algorithm, nid)
    ) {clustered}`,

    `CREATE TABLE fallback_keys (
      device {int8} NOT NULL,
      algorithm {text} NOT NULL,
      key_id {text} NOT NULL,
      used {int8} NOT NULL,
      json {text} NOT NULL,
      PRIMARY KEY (device, algorithm)
    ) {clustered}`,

    `CREATE TABLE cross_signing_keys (
      user_id {text} NOT NULL,
      usage {text} NOT NULL,
      public_key {text} NOT NULL,
      body {text} NOT NULL,
      signatures {text} NOT NULL,
      PRIMARY KEY (user_id, usage)
    ) {clustered}`,

    `CREATE TABLE user_signatures (
      signer {text} NOT NULL,
      user_id {text} NOT NULL,
      public_key {text} NOT NULL,
      key_id {text} NOT NULL,
      signature {text} NOT NULL,
      PRIMARY KEY (signer, user_id)
    ) {clustered}`,
    `CREATE INDEX user_signatures_by_user ON user_signatures (user_id)`,

    `CREATE TABLE device_list_changes (
      user_id {text} NOT NULL,
      viewer {text} NOT NULL,
      pos {int8} NOT NULL,
      PRIMARY KEY (user_id, viewer)
    ) {clustered} {packed}`,
    `CREATE INDEX device_list_changes_by_pos ON device_list_changes (pos)`,
    `CREATE INDEX device_list_changes_by_viewer ON device_list_changes (viewer, pos) WHERE viewer <> ''`,
  ],
} as const
