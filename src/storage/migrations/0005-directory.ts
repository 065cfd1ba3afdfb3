/** Aliases and published rooms. docs/decisions/0010-directory.md */
export const directory = {
  number: 5,
  compat: 1,
  statements: [
    `CREATE TABLE room_aliases (
      alias {text} NOT NULL PRIMARY KEY,
      room {int8} NOT NULL,
      creator {text} NOT NULL,
      created_ts {int8} NOT NULL
    ) {clustered}`,
    'CREATE INDEX room_aliases_by_room ON room_aliases (room)',

    `CREATE TABLE published_rooms (
      room {int8} NOT NULL PRIMARY KEY,
      shown {int8} NOT NULL,
      joined {int8} NOT NULL,
      type {text},
      search {text} NOT NULL
    ) {strict} {packed}`,
    'CREATE INDEX published_rooms_by_size ON published_rooms (joined, room) WHERE shown = 1',
  ],
} as const
