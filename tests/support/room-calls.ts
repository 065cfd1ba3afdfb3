/** What tests do in rooms, as one-liners over the test client. */
import type { Answer, ApiClient, CallOptions, Json, Query } from './api-client.ts'

export const V3 = '/_matrix/client/v3'

/** The path of something in a room. */
export function inRoom(roomId: string, ...rest: string[]): string {
  return [`${V3}/rooms`, roomId, ...rest]
    .map((part, i) => (i === 0 ? part : encodeURIComponent(part)))
    .join('/')
}

export async function createRoom(who: ApiClient, body: Json = {}): Promise<string> {
  return (await who.post(`${V3}/createRoom`, body)).room_id
}

/** A public room with everybody joined; the first is the creator. */
export async function roomOf(members: readonly ApiClient[], body: Json = {}): Promise<string> {
  const [creator, ...others] = members
  const roomId = await createRoom(creator!, { preset: 'public_chat', ...body })
  for (const member of others) await join(member, roomId)
  return roomId
}

export const join = (who: ApiClient, roomId: string): Promise<Json> => who.post(inRoom(roomId, 'join'))
export const leave = (who: ApiClient, roomId: string): Promise<Json> => who.post(inRoom(roomId, 'leave'))
export const invite = (who: ApiClient, roomId: string, target: ApiClient): Promise<Json> =>
  who.post(inRoom(roomId, 'invite'), { user_id: target.userId })

/** Sends a text message and gives its event id. */
export async function say(who: ApiClient, roomId: string, body: string, txn = who.txn()): Promise<string> {
  const url = inRoom(roomId, 'send', 'm.room.message', txn)
  return (await who.put(url, { msgtype: 'm.text', body })).event_id
}

export async function setState(
  who: ApiClient,
  roomId: string,
  type: string,
  content: Json,
  stateKey = '',
): Promise<string> {
  return (await who.put(inRoom(roomId, 'state', type, stateKey), content)).event_id
}

export function getState(who: ApiClient, roomId: string, type: string, stateKey = ''): Promise<Json> {
  return who.get(inRoom(roomId, 'state', type, stateKey))
}

/** All state as a map from `type|state_key` to the event. */
export async function allState(who: ApiClient, roomId: string): Promise<Map<string, Json>> {
  const events: Json[] = await who.get(inRoom(roomId, 'state'))
  return new Map(events.map((event) => [`${event.type}|${event.state_key}`, event]))
}

export async function redact(
  who: ApiClient,
  roomId: string,
  eventId: string,
  reason?: string,
): Promise<string> {
  const url = inRoom(roomId, 'redact', eventId, who.txn())
  return (await who.put(url, reason === undefined ? {} : { reason })).event_id
}

export function getEvent(who: ApiClient, roomId: string, eventId: string): Promise<Json> {
  return who.get(inRoom(roomId, 'event', eventId))
}

export function messages(who: ApiClient, roomId: string, query: Query = {}): Promise<Json> {
  return who.get(inRoom(roomId, 'messages'), { dir: 'b', ...query })
}

/** Pages to the end; every page and all events. */
export async function allPages(
  who: ApiClient,
  roomId: string,
  query: Query,
): Promise<{ events: Json[]; pages: Json[] }> {
  const pages: Json[] = []
  let from = query['from']
  do {
    const page = await messages(who, roomId, { ...query, from })
    pages.push(page)
    from = page.end
  } while (from !== undefined)
  return { events: pages.flatMap((page) => page.chunk), pages }
}

export function sync(who: ApiClient, query: Query = {}, options?: CallOptions): Promise<Json> {
  return who.get(`${V3}/sync`, query, options)
}

/** A sync with a filter written into it. */
export function syncWith(who: ApiClient, filter: Json, query: Query = {}): Promise<Json> {
  return sync(who, { ...query, filter: JSON.stringify(filter) })
}

/** Texts of the messages among events. */
export function texts(events: readonly Json[]): string[] {
  return events.filter((event) => event.type === 'm.room.message').map((event) => event.content.body)
}

export function eventIds(events: readonly Json[]): string[] {
  return events.map((event) => event.event_id)
}

/** `status errcode` of an answer. */
export function verdict({ status, json }: Answer): string {
  return `${status} ${json?.errcode ?? ''}`.trim()
}
