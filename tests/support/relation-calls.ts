/** What tests do with relations of events. */
import type { ApiClient, Json, Query } from './api-client.ts'
import { inRoom } from './room-calls.ts'

const V1 = '/_matrix/client/v1'

/** Sends an event that relates to another and gives its id. */
export async function relate(
  who: ApiClient,
  roomId: string,
  target: string,
  relType: string,
  more: { type?: string; key?: string; content?: Json } = {},
): Promise<string> {
  const { type = 'm.room.message', key, content = { msgtype: 'm.text', body: relType } } = more
  const relates = { rel_type: relType, event_id: target, ...(key === undefined ? {} : { key }) }
  const url = inRoom(roomId, 'send', type, who.txn())
  return (await who.put(url, { ...content, 'm.relates_to': relates })).event_id
}

export const react = (who: ApiClient, roomId: string, target: string, key: string): Promise<string> =>
  relate(who, roomId, target, 'm.annotation', { type: 'm.reaction', key, content: {} })

export const reply = (who: ApiClient, roomId: string, root: string, body: string): Promise<string> =>
  relate(who, roomId, root, 'm.thread', { content: { msgtype: 'm.text', body } })

export const refer = (who: ApiClient, roomId: string, target: string): Promise<string> =>
  relate(who, roomId, target, 'm.reference')

export function edit(who: ApiClient, roomId: string, target: string, body: string): Promise<string> {
  const text = { msgtype: 'm.text', body }
  const content = { ...text, body: `* ${body}`, 'm.new_content': text }
  return relate(who, roomId, target, 'm.replace', { content })
}

export const relationsUrl = (roomId: string, target: string, ...rest: string[]): string =>
  [`${V1}/rooms`, encodeURIComponent(roomId), 'relations', ...[target, ...rest].map(encodeURIComponent)].join(
    '/',
  )

export const relations = (
  who: ApiClient,
  roomId: string,
  target: string,
  query: Query = {},
  ...rest: string[]
): Promise<Json> => who.get(relationsUrl(roomId, target, ...rest), query)

export const threads = (who: ApiClient, roomId: string, query: Query = {}): Promise<Json> =>
  who.get(`${V1}/rooms/${encodeURIComponent(roomId)}/threads`, query)

export const ignore = (who: ApiClient, ...others: readonly ApiClient[]): Promise<Json> =>
  who.put(`/_matrix/client/v3/user/${encodeURIComponent(who.userId)}/account_data/m.ignored_user_list`, {
    ignored_users: Object.fromEntries(others.map((other) => [other.userId, {}])),
  })
