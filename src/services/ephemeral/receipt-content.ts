/** Receipts as clients and servers see them. https://spec.matrix.org/v1.19/client-server-api/#mreceipt */
import type { ReceiptRow } from '#/ports/store/receipts.ts'
import { type JsonValue, setMember } from '#/protocol/json/value.ts'

type Writable = Record<string, JsonValue>

/**
 * Contents of `m.receipt` events that hold all rows. One is enough but where a user has several receipts of one kind
 * for the same event, in different threads: its content has a single place for them.
 */
export function receiptContents(rows: readonly ReceiptRow[]): Writable[] {
  const contents: Writable[] = []
  for (const row of rows) {
    for (let i = 0; ; i++) {
      contents[i] ??= {}
      if (put(contents[i]!, row)) break
    }
  }
  return contents
}

/** Adds a receipt unless its place is taken. */
function put(content: Writable, row: ReceiptRow): boolean {
  const users = inside(inside(content, row.eventId), row.kind)
  if (Object.hasOwn(users, row.user)) return false
  setMember(users, row.user, row.thread === '' ? { ts: row.ts } : { ts: row.ts, thread_id: row.thread })
  return true
}

function inside(parent: Writable, key: string): Writable {
  if (!Object.hasOwn(parent, key)) setMember(parent, key, {})
  return parent[key] as Writable
}
