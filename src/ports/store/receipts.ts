/** Read receipts: how far each user has read a room. https://spec.matrix.org/v1.19/client-server-api/#receipts */

/** Kinds of receipts that are kept as such; `m.fully_read` is account data of the room. */
export type ReceiptKind = 'm.read' | 'm.read.private'

export interface ReceiptRow {
  /** Row id of the room. */
  readonly room: number
  readonly user: string
  readonly kind: ReceiptKind
  /** `''` for an unthreaded receipt, `main`, or the id of the thread's root. */
  readonly thread: string
  readonly eventId: string
  /** Row id of the event; with a greater one the reader has read further. */
  readonly event: number
  /** When it was read, in milliseconds. */
  readonly ts: number
  /** Position in the receipts stream. */
  readonly position: number
}

export type ReceiptOp =
  /**
   * Sets the receipt of a user, kind and thread. The result says whether it moved forward (by `event`); else nothing
   * was written and nobody is told.
   */
  | ({ readonly op: 'receipt.put' } & Omit<ReceiptRow, 'position'>)
  /** Takes away the receipts of a local user whom nobody will hear of again. */
  | { readonly op: 'receipt.clear'; readonly user: string }

export interface ReceiptReader {
  /** All receipts of a user in a room: every kind and thread. */
  ofUser(user: string, room: number): Promise<ReceiptRow[]>
  /**
   * Receipts of a room in (after, upto] that `reader` may see: everybody's public ones and the reader's own, newest
   * first, at most `limit`.
   */
  since(room: number, reader: string, after: number, upto: number, limit: number): Promise<ReceiptRow[]>
  /** The newest receipts of a room in (after, upto] of whatever kind and user, at most READ_ROWS_SMALL. */
  newest(room: number, after: number, upto: number, limit: number): Promise<ReceiptRow[]>
  /** Position of the newest receipt of each room that a user is joined to; rooms without receipts are left out. */
  latest(user: string): Promise<{ readonly room: number; readonly latest: number }[]>
}
