/** People: suspension, last use of devices, deleted account data, the user directory, OpenID tokens. */
export const people = {
  number: 7,
  compat: 7,
  statements: [
    `ALTER TABLE accounts ADD COLUMN suspended {int8} NOT NULL DEFAULT 0`,
    `ALTER TABLE devices ADD COLUMN seen_ts {int8}`,
    `ALTER TABLE devices ADD COLUMN seen_ip {text}`,
    `ALTER TABLE devices ADD COLUMN seen_agent {text}`,
    `ALTER TABLE account_data ADD COLUMN deleted {int8} NOT NULL DEFAULT 0`,

    `CREATE TABLE directory_users (
      nid {int8} NOT NULL PRIMARY KEY,
      user_id {text} NOT NULL UNIQUE,
      local {int8} NOT NULL,
      display_name {text},
      avatar_url {text},
      terms {text} NOT NULL
    ) {strict}`,

    `CREATE TABLE directory_terms (
      term {text} NOT NULL,
      person {int8} NOT NULL,
      PRIMARY KEY (term, person)
    ) {clustered}`,

    `CREATE TABLE directory_rooms (
      room {int8} NOT NULL,
      rule {text} NOT NULL,
      PRIMARY KEY (room, rule)
    ) {clustered}`,

    `CREATE TABLE openid_tokens (
      digest {text} NOT NULL PRIMARY KEY,
      user_id {text} NOT NULL,
      expires_ts {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX openid_tokens_by_user ON openid_tokens (user_id, expires_ts)`,
    `CREATE INDEX openid_tokens_by_expiry ON openid_tokens (expires_ts)`,
  ],
} as const
