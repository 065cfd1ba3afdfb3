/** Login tokens, consent, erasure, monthly activity, rooms of server notices. docs/decisions/0015-accounts.md */
export const usage = {
  number: 10,
  compat: 10,
  statements: [
    `CREATE TABLE login_tokens (
      digest {text} NOT NULL PRIMARY KEY,
      user_id {text} NOT NULL,
      expires_ts {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX login_tokens_by_user ON login_tokens (user_id, expires_ts)`,
    `CREATE INDEX login_tokens_by_expiry ON login_tokens (expires_ts)`,

    `CREATE TABLE consents (
      user_id {text} NOT NULL PRIMARY KEY,
      version {text},
      ts {int8},
      asked {text}
    ) {strict}`,

    `CREATE TABLE erased_users (
      user_id {text} NOT NULL PRIMARY KEY
    ) {clustered}`,

    `CREATE TABLE monthly_active (
      user_id {text} NOT NULL PRIMARY KEY,
      ts {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX monthly_active_by_ts ON monthly_active (ts)`,

    `CREATE TABLE notice_rooms (
      user_id {text} NOT NULL PRIMARY KEY,
      room {int8} NOT NULL
    ) {strict}`,
    `CREATE INDEX notice_rooms_by_room ON notice_rooms (room)`,
  ],
} as const
