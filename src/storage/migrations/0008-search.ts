/** The index of messages. docs/decisions/0013-search.md */
export const search = {
  number: 8,
  compat: 1,
  statements: [
    `CREATE TABLE search_state (
      id {int8} NOT NULL PRIMARY KEY,
      active {int8} NOT NULL,
      filling {int8} NOT NULL,
      last {int8} NOT NULL,
      room {int8} NOT NULL,
      after {int8} NOT NULL,
      bound {int8} NOT NULL
    ) {strict}`,

    `CREATE TABLE search_tail (
      room {int8} NOT NULL,
      event {int8} NOT NULL,
      terms {bytes} NOT NULL,
      PRIMARY KEY (room, event)
    ) {clustered}`,

    `CREATE TABLE search_segments (
      room {int8} NOT NULL,
      upto {int8} NOT NULL,
      since {int8} NOT NULL,
      postings {int8} NOT NULL,
      parts {int8} NOT NULL,
      PRIMARY KEY (room, upto)
    ) {clustered}`,

    `CREATE TABLE search_pages (
      room {int8} NOT NULL,
      upto {int8} NOT NULL,
      part {int8} NOT NULL,
      data {bytes} NOT NULL,
      PRIMARY KEY (room, upto, part)
    ) {clustered} {packed}`,
  ],
} as const
