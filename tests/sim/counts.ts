/** Unread counts, counted event by event as the default push rules say. */
import type { DatabaseSync } from 'node:sqlite'
import type { RoomTruth, TruthEvent } from './truth.ts'

export interface Count {
  notifications: number
  highlights: number
}

const MAIN = 'main'

/** The counts of a member of a room by thread; threads without any are left out. */
export function recount(database: DatabaseSync, room: RoomTruth, user: string): Map<string, Count> {
  const marks = receiptsOf(database, room.roomId, user)
  const mark = (thread: string, nid: number): void => {
    marks.set(thread, Math.max(marks.get(thread) ?? 0, nid))
  }
  let membership = 'leave'
  for (const event of room.events) {
    if (event.type === 'm.room.member' && event.stateKey === user) {
      const next = event.content.membership as string
      if (next === 'join' && membership !== 'join') mark('', event.nid)
      membership = next
    }
    if (event.sender === user && event.stateKey === null) mark(threadOf(room, event), event.nid)
  }
  const counts = new Map<string, Count>()
  for (const event of room.events) {
    const level = levelOf(event, user)
    if (level === 0) continue
    const thread = threadOf(room, event)
    if (event.nid <= Math.max(marks.get('') ?? 0, marks.get(thread) ?? 0)) continue
    const count = counts.get(thread) ?? { notifications: 0, highlights: 0 }
    count.notifications++
    if (level > 1) count.highlights++
    counts.set(thread, count)
  }
  return counts
}

export function sumOf(counts: ReadonlyMap<string, Count>): Count {
  const sum = { notifications: 0, highlights: 0 }
  for (const { notifications, highlights } of counts.values()) {
    sum.notifications += notifications
    sum.highlights += highlights
  }
  return sum
}

/** Places of a user's receipts in a room by thread; under '' the ones for the whole room. */
function receiptsOf(database: DatabaseSync, roomId: string, user: string): Map<string, number> {
  const rows = database
    .prepare(
      `SELECT thread, MAX(event) AS event FROM receipts
       WHERE room = (SELECT nid FROM rooms WHERE room_id = ?) AND user_id = ? GROUP BY thread`,
    )
    .all(roomId, user)
  return new Map(rows.map((row) => [String(row['thread']), Number(row['event'])]))
}

/** 0 for nothing, 1 for a notification, 2 for one with a highlight. */
function levelOf({ type, sender, stateKey, redactedBy, content, purged }: TruthEvent, user: string): number {
  if (sender === user || redactedBy !== null || purged) return 0
  if (type === 'm.room.member') return content.membership === 'invite' && stateKey === user ? 1 : 0
  if (content['m.mentions']?.user_ids?.includes(user)) return 2
  if (type === 'm.room.tombstone' && stateKey === '') return 2
  if (type !== 'm.room.message' || stateKey !== null) return 0
  return content['m.relates_to']?.rel_type === 'm.replace' ? 0 : 1
}

/** The root of an event's thread, or MAIN. Content of redacted events is not needed: they do not count. */
export function threadOf(room: RoomTruth, event: TruthEvent): string {
  let at: TruthEvent | undefined = event
  for (let hops = 0; hops < 10 && at; hops++) {
    const relation: { rel_type?: string; event_id?: string } | undefined = at.whole['m.relates_to']
    if (relation?.rel_type === 'm.thread' && relation.event_id) return relation.event_id
    if (relation?.rel_type === undefined) return MAIN
    at = room.events[room.byId.get(relation.event_id ?? '') ?? -1]
  }
  return MAIN
}
