/** Receipts, typing and presence, as one-liners over the test client. */
import type { ApiClient, Json } from './api-client.ts'
import { inRoom, sync, V3 } from './room-calls.ts'

export const receiptPath = (roomId: string, kind: string, eventId: string): string =>
  inRoom(roomId, 'receipt', kind, eventId)

export function read(
  who: ApiClient,
  roomId: string,
  eventId: string,
  more: { kind?: string; thread?: string } = {},
): Promise<Json> {
  const body = more.thread === undefined ? {} : { thread_id: more.thread }
  return who.post(receiptPath(roomId, more.kind ?? 'm.read', eventId), body)
}

export const typingPath = (who: ApiClient, roomId: string): string => inRoom(roomId, 'typing', who.userId)

export function types(who: ApiClient, roomId: string, typing = true, timeout?: number): Promise<Json> {
  return who.put(typingPath(who, roomId), { typing, timeout })
}

export const presencePath = (userId: string): string => `${V3}/presence/${encodeURIComponent(userId)}/status`

/** Receipts of a room in an answer, as `event kind user thread`, sorted. */
export function receiptsIn(answer: Json, roomId: string): string[] {
  const found: string[] = []
  for (const event of answer.rooms?.join?.[roomId]?.ephemeral.events ?? []) {
    if (event.type !== 'm.receipt') continue
    for (const [eventId, kinds] of Object.entries<Json>(event.content)) {
      for (const [kind, users] of Object.entries<Json>(kinds)) {
        for (const [user, receipt] of Object.entries<Json>(users)) {
          found.push([eventId, kind, user, receipt.thread_id ?? '-'].join(' '))
        }
      }
    }
  }
  return found.sort()
}

/** Who types in a room by an answer; undefined where it says nothing of that. */
export function typingIn(answer: Json, roomId: string): string[] | undefined {
  const events: Json[] = answer.rooms?.join?.[roomId]?.ephemeral.events ?? []
  return events.find((event) => event.type === 'm.typing')?.content.user_ids
}

/** Presence in an answer, by user. */
export function presenceIn(answer: Json): Map<string, Json> {
  const events: Json[] = answer.presence?.events ?? []
  return new Map(events.map((event) => [event.sender, event.content]))
}

export async function token(who: ApiClient): Promise<string> {
  return (await sync(who)).next_batch
}

/** Ephemeral events alone: types that an answer has in a room. */
export function ephemeralTypes(answer: Json, roomId: string): string[] {
  return (answer.rooms?.join?.[roomId]?.ephemeral?.events ?? []).map((event: Json) => event.type)
}
