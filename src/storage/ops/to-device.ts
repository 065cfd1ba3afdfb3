/** Writing messages to devices, and what becomes of them. docs/decisions/0017-to-device-and-backup.md */
import type { Cancels, ToDeviceMessage, ToDeviceOp } from '#/ports/store/to-device.ts'
import { INBOX_DROP_ROWS, KEY_REQUESTS_TAKEN_BACK } from '../limits.ts'
import { byCount, pieces, rowMarks } from '../sql/rows.ts'
import { first, lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends ToDeviceOp['op']> = Extract<ToDeviceOp, { op: K }>

/** An inbox after a message was counted in it. */
interface Inbox {
  readonly nid: number
  readonly user: string
  readonly device: string
  readonly waiting: number
  readonly chars: number
}

function inboxFrom(row: Row): Inbox {
  return {
    nid: row.nid as number,
    user: row.user_id as string,
    device: row.device_id as string,
    waiting: row.waiting as number,
    chars: row.chars as number,
  }
}

const COUNTED = 'RETURNING nid, user_id, device_id, waiting, chars'

/** Opens the inbox of a device, unless it has one. `nid` is a position that nothing else has as its row id. */
export function* openInbox(user: string, device: string, nid: number): Sql<void> {
  yield* run(
    `INSERT INTO inboxes (nid, user_id, device_id, waiting, chars, dropped) VALUES (?1, ?2, ?3, 0, 0, 0)
     ON CONFLICT (user_id, device_id) DO NOTHING`,
    nid,
    user,
    device,
  )
}

/** Takes the inboxes of devices away; `where` is over ?1 and what follows. The sweep empties them. */
export function* closeInboxes(where: string, ...params: string[]): Sql<void> {
  yield* run(`UPDATE inboxes SET user_id = NULL WHERE ${where}`, ...params)
}

/** Empties detached inboxes, at most `limit` messages; gives how many rows went. */
export function* sweepInboxes(limit: number): Sql<number> {
  let gone = 0
  while (gone < limit) {
    const inbox = yield* first('SELECT nid FROM inboxes WHERE user_id IS NULL LIMIT 1')
    if (!inbox) return gone
    const taken = yield* take(inbox.nid as number, Number.MAX_SAFE_INTEGER, limit - gone)
    gone += taken.length
    if (gone >= limit) return gone
    yield* run('DELETE FROM inboxes WHERE nid = ?1', inbox.nid!)
    gone++
  }
  return gone
}

/** Guards the transaction and stores the messages for those devices that there are. */
function* put(ctx: PlanContext, op: OpOf<'to_device.put'>): Sql<number> {
  yield* claim(ctx, op)
  const found = yield* addressees(op.messages)
  const contents: Content[] = []
  const waiting: Pair[] = []
  let count = 0
  const full: number[] = []
  for (const [index, { content, request, cancels }] of op.messages.entries()) {
    let inboxes = found[index]!
    if (request !== undefined && cancels) {
      /* What it takes back may be of the same plan. */
      yield* putContents(contents.splice(0))
      yield* putPairs(waiting.splice(0))
      inboxes = yield* takeBack(request, cancels, content, inboxes)
    }
    if (inboxes.length === 0) continue
    const pos = ctx.next()
    const key = cancels ? null : (request ?? null)
    contents.push([pos, inboxes.length, content.length, op.sender, op.type, content, key])
    count += inboxes.length
    for (const { nid, user, device, waiting: messages, chars } of inboxes) {
      waiting.push([nid, pos])
      ctx.changes.push({ stream: 'to_device', position: pos, user, device })
      if (messages > op.bounds.messages || chars > op.bounds.chars) full.push(nid)
    }
  }
  yield* putContents(contents)
  yield* putPairs(waiting)
  for (const inbox of full) yield* dropOldest(inbox)
  return count
}

/** A row of `inbox_contents`. */
type Content = readonly [pos: number, refs: number, chars: number, ...rest: (string | null)[]]

const CONTENT_COLUMNS = 7

const insertContents = byCount(
  (count) => `INSERT INTO inbox_contents (pos, refs, chars, sender, type, content, request)
    VALUES ${rowMarks(count, CONTENT_COLUMNS)}`,
)

function* putContents(contents: readonly Content[]): Sql<void> {
  for (const rows of pieces(contents)) yield* run(insertContents(rows.length), ...rows.flat())
}

type Pair = readonly [inbox: number, pos: number]

const insertPairs = byCount((count) => `INSERT INTO inbox_messages (inbox, pos) VALUES ${rowMarks(count, 2)}`)

function* putPairs(waiting: readonly Pair[]): Sql<void> {
  for (const rows of pieces(waiting)) yield* run(insertPairs(rows.length), ...rows.flat())
}

/** Takes requests away that were not given yet, with their cancellation; gives the inboxes that must hear of it. */
function* takeBack(
  request: string,
  { floor, given }: Cancels,
  content: string,
  inboxes: readonly Inbox[],
): Sql<Inbox[]> {
  const waiting = yield* run(
    'SELECT pos FROM inbox_contents WHERE request = ?1 ORDER BY pos LIMIT ?2',
    request,
    KEY_REQUESTS_TAKEN_BACK,
  )
  if (waiting.length === 0) return [...inboxes]
  const upto = new Map(given.map((one) => [`${one.user}\0${one.device}`, one.upto]))
  const told: Inbox[] = []
  for (const inbox of inboxes) {
    const after = upto.get(`${inbox.user}\0${inbox.device}`) ?? floor
    const gone: number[] = []
    for (const { pos } of waiting) {
      if ((pos as number) <= after) continue
      const rows = yield* run(
        'DELETE FROM inbox_messages WHERE inbox = ?1 AND pos = ?2 RETURNING pos',
        inbox.nid,
        pos!,
      )
      if (rows.length > 0) gone.push(pos as number)
    }
    if (gone.length === 0) told.push(inbox)
    else yield* uncount(inbox.nid, gone.length + 1, (yield* release(gone)) + content.length)
  }
  return told
}

function* claim(ctx: PlanContext, { txn, ts }: OpOf<'to_device.put'>): Sql<void> {
  if (txn === undefined) return
  const made = yield* run(
    'INSERT INTO inbox_txns (pos, ts, digest) VALUES (?1, ?2, ?3) ON CONFLICT (digest) DO NOTHING RETURNING pos',
    ctx.next(),
    ts,
    txn,
  )
  if (made.length === 0) throw new GuardFailed({ conflict: 'txn' })
}

/**
 * The inboxes of each message, already counted in them. Finding and counting is one statement, so that an inbox that
 * was found cannot go before the message is in it.
 */
function* addressees(messages: readonly ToDeviceMessage[]): Sql<Inbox[][]> {
  const found: Inbox[][] = messages.map(() => [])
  const indexes = new Map<string, number>()
  const named = messages.flatMap(({ devices, content }, index) =>
    devices.map(({ user, device }) => {
      indexes.set(`${user}\0${device}`, index)
      return [user, device, content.length] as const
    }),
  )
  for (const list of lists(named)) {
    const rows = yield* run(countNamed(list.length), ...list.flat())
    for (const row of rows) found[indexes.get(`${row.user_id}\0${row.device_id}`)!]?.push(inboxFrom(row))
  }
  for (const [index, { users, content }] of messages.entries()) {
    for (const list of lists(users)) {
      const rows = yield* run(
        `UPDATE inboxes SET waiting = waiting + 1, chars = chars + ?1
         WHERE user_id IN (${placeholders(2, list.length)}) ${COUNTED}`,
        content.length,
        ...list,
      )
      for (const row of rows) found[index]!.push(inboxFrom(row))
    }
  }
  return found
}

const countNamed = byCount(
  (count) => `UPDATE inboxes SET waiting = waiting + 1, chars = chars + CAST(v.column3 AS BIGINT)
    FROM (VALUES ${rowMarks(count, 3)}) v WHERE user_id = v.column1 AND device_id = v.column2 ${COUNTED}`,
)

/** Lets the oldest messages of a full inbox go, some more than need be, so that not every message does this. */
function* dropOldest(inbox: number): Sql<void> {
  const taken = yield* take(inbox, Number.MAX_SAFE_INTEGER, INBOX_DROP_ROWS, 1)
  yield* run('UPDATE inboxes SET dropped = dropped + ?2 WHERE nid = ?1', inbox, taken.length)
}

/** Deletes the oldest messages of an inbox up to a position, at most `limit`, and keeps `spare` of the newest. */
function* take(inbox: number, upto: number, limit: number, spare = 0): Sql<number[]> {
  const oldest = yield* run(
    'SELECT pos FROM inbox_messages WHERE inbox = ?1 AND pos <= ?2 ORDER BY pos LIMIT ?3',
    inbox,
    upto,
    limit + spare,
  )
  const taken = oldest
    .slice(0, Math.max(0, Math.min(limit, oldest.length - spare)))
    .map((row) => row.pos as number)
  if (taken.length === 0) return taken
  yield* run(
    'DELETE FROM inbox_messages WHERE inbox = ?1 AND pos BETWEEN ?2 AND ?3',
    inbox,
    taken[0]!,
    taken.at(-1)!,
  )
  yield* uncount(inbox, taken.length, yield* release(taken))
  return taken
}

function* uncount(inbox: number, messages: number, chars: number): Sql<void> {
  yield* run(
    'UPDATE inboxes SET waiting = waiting - ?2, chars = chars - ?3 WHERE nid = ?1',
    inbox,
    messages,
    chars,
  )
}

/** Contents for which one inbox less waits; gives their characters. */
function* release(positions: readonly number[]): Sql<number> {
  let chars = 0
  for (const list of lists(positions)) {
    const marks = placeholders(1, list.length)
    const rows = yield* run(
      `UPDATE inbox_contents SET refs = refs - 1 WHERE pos IN (${marks}) RETURNING refs, chars`,
      ...list,
    )
    for (const row of rows) chars += row.chars as number
    if (rows.some((row) => row.refs === 0)) {
      yield* run(`DELETE FROM inbox_contents WHERE pos IN (${marks}) AND refs = 0`, ...list)
    }
  }
  return chars
}

function* delivered(_ctx: PlanContext, op: OpOf<'to_device.delivered'>): Sql<boolean[]> {
  const more: boolean[] = []
  for (const { user, device, upto } of op.devices) {
    const inbox = yield* first('SELECT nid FROM inboxes WHERE user_id = ?1 AND device_id = ?2', user, device)
    const taken = inbox ? yield* take(inbox.nid as number, upto, op.limit) : []
    more.push(taken.length === op.limit)
  }
  return more
}

export const HANDLERS = { 'to_device.put': put, 'to_device.delivered': delivered } as const
