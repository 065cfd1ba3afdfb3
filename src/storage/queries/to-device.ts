/** Reading messages to devices. */
import type { ToDevicePage, ToDeviceReader } from '#/ports/store/to-device.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { type Query, query } from './query.ts'

const bounds = query('toDevice.bounds', 'small', function* (user: string, device: string): Sql<
  { first: number; last: number } | undefined
> {
  const row = yield* first(
    `SELECT (SELECT MIN(m.pos) FROM inbox_messages m WHERE m.inbox = i.nid) AS first,
       (SELECT MAX(m.pos) FROM inbox_messages m WHERE m.inbox = i.nid) AS last
     FROM inboxes i WHERE i.user_id = ?1 AND i.device_id = ?2`,
    user,
    device,
  )
  if (!row || row.first === null) return undefined
  return { first: row.first as number, last: row.last as number }
})

const SIZES = `SELECT i.nid, m.pos, c.chars FROM inboxes i JOIN inbox_messages m ON m.inbox = i.nid
  JOIN inbox_contents c ON c.pos = m.pos
  WHERE i.user_id = ?1 AND i.device_id = ?2 AND m.pos > ?3 AND m.pos <= ?4 ORDER BY m.pos LIMIT ?5`

const MESSAGES = `SELECT m.pos, c.sender, c.type, c.content FROM inbox_messages m
  JOIN inbox_contents c ON c.pos = m.pos WHERE m.inbox = ?1 AND m.pos >= ?2 AND m.pos <= ?3 ORDER BY m.pos`

const page = query(
  'toDevice.page',
  'large',
  function* (
    user: string,
    device: string,
    after: number,
    upto: number,
    limit: number,
    chars: number,
  ): Sql<ToDevicePage> {
    const sizes = yield* run(SIZES, user, device, after, upto, limit + 1)
    let count = 0
    for (let sum = 0; count < Math.min(limit, sizes.length); count++) {
      sum += sizes[count]!.chars as number
      if (count > 0 && sum > chars) break
    }
    const [from, to] = [sizes[0], sizes[count - 1]]
    if (!from || !to) return { rows: [], more: false }
    const rows = yield* run(MESSAGES, from.nid!, from.pos!, to.pos!)
    return {
      rows: rows.map((row) => ({
        position: row.pos as number,
        sender: row.sender as string,
        type: row.type as string,
        content: row.content as string,
      })),
      more: count < sizes.length,
    }
  },
  { snapshot: true },
)

type Bind = <Args extends readonly unknown[], T>(query: Query<Args, T>) => (...args: Args) => Promise<T>

export function bindToDevice(bind: Bind): ToDeviceReader {
  return { bounds: bind(bounds), page: bind(page) }
}
