/** Events by their time. */
export const reads = {
  number: 6,
  compat: 1,
  statements: [`CREATE INDEX events_by_time ON events (room, ts, arrival) WHERE arrival IS NOT NULL`],
} as const
