/** The newest receipts of rooms, kept in memory so that many readers share them. */
import { Lru } from '#/base/lru.ts'
import type { ReceiptRow } from '#/ports/store/receipts.ts'
import { RECENT_RECEIPT_ROOMS_MAX, RECENT_RECEIPTS_PER_ROOM } from './limits.ts'

interface Recent {
  /** All receipts of the room that moved after it are in `rows`, or were overtaken by one that is. */
  floor: number
  /** Ascending by position, one for each user, kind and thread. */
  rows: ReceiptRow[]
}

export class RecentReceipts {
  readonly #rooms = new Lru<number, Recent>(RECENT_RECEIPT_ROOMS_MAX)

  push(row: ReceiptRow): void {
    const known = this.#rooms.get(row.room)
    if (!known) {
      this.#rooms.set(row.room, { floor: row.position - 1, rows: [row] })
      return
    }
    const { user, kind, thread } = row
    known.rows = known.rows.filter((old) => old.user !== user || old.kind !== kind || old.thread !== thread)
    known.rows.push(row)
    if (known.rows.length > RECENT_RECEIPTS_PER_ROOM) known.floor = known.rows.shift()!.position
  }

  /** Receipts in (after, upto], newest first; undefined when they are not all here. */
  since(room: number, after: number, upto: number): ReceiptRow[] | undefined {
    const known = this.#rooms.get(room)
    if (!known || after < known.floor) return undefined
    return known.rows.filter((row) => row.position > after && row.position <= upto).reverse()
  }
}
