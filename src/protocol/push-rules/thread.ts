/** Threads, as notifications are counted by. https://spec.matrix.org/v1.19/client-server-api/#threaded-read-receipts */
import { isObject, type JsonObject, member } from '../json/value.ts'
import { ID_BYTES_MAX } from '../limits.ts'

/** The thread of events that are in no thread. */
export const MAIN_THREAD = 'main'

/** What `m.relates_to` says of an event's place: the root of its thread, or the event that it relates to otherwise. */
export interface ThreadRelation {
  readonly root?: string
  readonly parent?: string
}

/** A rich reply alone is no relation: it leads into no thread. */
export function threadRelation(content: JsonObject): ThreadRelation {
  const relation = member(content, 'm.relates_to')
  if (!isObject(relation)) return {}
  const id = member(relation, 'event_id')
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > ID_BYTES_MAX) return {}
  const type = member(relation, 'rel_type')
  if (type === 'm.thread') return { root: id }
  return typeof type === 'string' ? { parent: id } : {}
}
