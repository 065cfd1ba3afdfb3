/** Reading read receipts. */
import type { ReceiptKind, ReceiptRow } from '#/ports/store/receipts.ts'
import type { RoomNews } from '#/ports/store/rooms.ts'
import { type Row, run, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

export const RECEIPT_COLUMNS = 'room, user_id, kind, thread, event_id, event, ts, pos'

export function receiptFrom(row: Row): ReceiptRow {
  return {
    room: row.room as number,
    user: row.user_id as string,
    kind: row.kind as ReceiptKind,
    thread: row.thread as string,
    eventId: row.event_id as string,
    event: row.event as number,
    ts: row.ts as number,
    position: row.pos as number,
  }
}

/* As many as the threads of the room that the user has read. */
export const receiptsOfUser = query('receipts.ofUser', 'small', function* (user: string, room: number): Sql<
  ReceiptRow[]
> {
  const rows = yield* run(
    `SELECT ${RECEIPT_COLUMNS} FROM receipts WHERE room = ?1 AND user_id = ?2 ORDER BY pos`,
    room,
    user,
  )
  return rows.map(receiptFrom)
})

export const receiptsSince = query(
  'receipts.since',
  'large',
  function* (room: number, reader: string, after: number, upto: number, limit: number): Sql<ReceiptRow[]> {
    const rows = yield* run(
      `SELECT ${RECEIPT_COLUMNS} FROM receipts WHERE room = ?1 AND pos > ?2 AND pos <= ?3
         AND (kind = 'm.read' OR user_id = ?4) ORDER BY pos DESC LIMIT ?5`,
      room,
      after,
      upto,
      reader,
      limit,
    )
    return rows.map(receiptFrom)
  },
)

export const newestReceipts = query(
  'receipts.newest',
  'small',
  function* (room: number, after: number, upto: number, limit: number): Sql<ReceiptRow[]> {
    const rows = yield* run(
      `SELECT ${RECEIPT_COLUMNS} FROM receipts WHERE room = ?1 AND pos > ?2 AND pos <= ?3 ORDER BY pos DESC LIMIT ?4`,
      room,
      after,
      upto,
      limit,
    )
    return rows.map(receiptFrom)
  },
)

export const latestReceipts = query('receipts.latest', 'large', function* (user: string): Sql<RoomNews[]> {
  const rows = yield* run(
    `SELECT m.room, (SELECT MAX(r.pos) FROM receipts r WHERE r.room = m.room) AS latest
     FROM local_memberships m WHERE m.user_id = ?1 AND m.membership = 'join'`,
    user,
  )
  const known = rows.filter((row) => row.latest !== null)
  return known.map((row) => ({ room: row.room as number, latest: row.latest as number }))
})
