/** Unread counts. What is counted, and from where, is decided in one query: see docs/decisions/0008-counts.md. */
import type { RoomCounts, UnreadCount } from '#/ports/store/push.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ReadStore } from '../rooms/read/expiry.ts'
import { COUNTED_ROOMS_MAX } from './limits.ts'

/** Counts of a user in a room up to a position, without messages whose time is over. */
export async function roomCounts(
  store: ReadStore,
  userId: string,
  room: number,
  upto: number,
): Promise<RoomCounts> {
  return store.push.counts(userId, room, upto, await store.expiry?.before(room))
}

/** Notification and highlight counts of many rooms, by row id: all threads of a room together. */
export async function countsOf(
  store: Store,
  userId: string,
  rooms: readonly number[],
  upto: number = store.position(),
): Promise<Map<number, UnreadCount>> {
  const counts = new Map<number, UnreadCount>()
  for (let i = 0; i < rooms.length; i += COUNTED_ROOMS_MAX) {
    const some = rooms.slice(i, i + COUNTED_ROOMS_MAX)
    for (const room of await store.push.countsOfRooms(userId, some, upto)) counts.set(room.room, sumOf(room))
  }
  return counts
}

/** The counts of a room with all its threads. */
export function sumOf({ main, threads }: RoomCounts): UnreadCount {
  let { notifications, highlights } = main
  for (const thread of threads) {
    notifications += thread.notifications
    highlights += thread.highlights
  }
  return { notifications, highlights }
}

/** As clients read them. */
export function countJson({ notifications, highlights }: UnreadCount): string {
  return `{"notification_count":${notifications},"highlight_count":${highlights}}`
}

/**
 * `unread_notifications` of a room section, and with `byThread` `unread_thread_notifications`; then the first are those
 * of the main timeline alone.
 */
export function unreadParts(counts: RoomCounts, byThread: boolean): string[] {
  if (!byThread) return [`"unread_notifications":${countJson(sumOf(counts))}`]
  const threads = counts.threads.map((entry) => `${JSON.stringify(entry.thread)}:${countJson(entry)}`)
  const main = `"unread_notifications":${countJson(counts.main)}`
  return threads.length === 0 ? [main] : [main, `"unread_thread_notifications":{${threads.join(',')}}`]
}
