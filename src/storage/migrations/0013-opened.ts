/** When a room that was made out of sight came into it. docs/decisions/0020-large-rooms.md says why. */
export const opened = {
  number: 13,
  /** An older release would tell a client that asked in between only half of such a room. */
  compat: 13,
  statements: ['ALTER TABLE rooms ADD COLUMN opened {int8} NOT NULL DEFAULT 0'],
} as const
