/** What this server asks of events of its own users that relate to others. */
import type { RelationOp } from '#/ports/store/relations.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { ANNOTATION, relationOf, THREAD } from '#/protocol/event/relation.ts'
import type { JsonObject } from '#/protocol/json/value.ts'

/** Nothing to guard. */
const NONE: readonly RelationOp[] = []

/**
 * Checks the relation of an event that is about to be sent, and gives guards for its plan, where it is in slot 0.
 * Throws M_UNKNOWN for a target that is not in the room and for a thread in a thread, M_BAD_JSON for an annotation
 * without a key, M_DUPLICATE_ANNOTATION. Who is not in the room is refused by its rules, and learns nothing here.
 * https://spec.matrix.org/v1.19/client-server-api/#avoiding-duplicate-annotations
 */
export async function checkRelation(
  store: Store,
  event: {
    readonly roomId: string
    readonly sender: string
    readonly type: string
    readonly content: JsonObject
  },
): Promise<readonly RelationOp[]> {
  const relation = relationOf(event.content)
  if (relation === undefined) return NONE
  const { roomId, sender, type } = event
  const room = (await store.rooms.byId(roomId))?.nid
  const there = room === undefined ? undefined : await store.rooms.membership(room, sender)
  if (room === undefined || there?.membership !== 'join') return NONE
  const { target, relType, key } = relation
  const row = await store.events.byId(target)
  if (row?.room !== room) {
    /* An event that others relate to may be known to them and not to us; an event of another room is neither. */
    const known = row === undefined && (await store.relations.targets(room, [target])).length > 0
    if (!known) throw new MatrixError('M_UNKNOWN', 'There is no such event in this room to relate to.')
  }
  if (relType === THREAD && row && relationOf(contentOf(row.json)) !== undefined) {
    throw new MatrixError('M_UNKNOWN', 'A thread cannot begin at an event that relates to another.')
  }
  if (relType !== ANNOTATION) return NONE
  if (key === undefined) {
    throw new MatrixError('M_BAD_JSON', 'An annotation needs a key of at most 500 characters.')
  }
  if (await store.relations.annotated(room, target, { type, sender, key })) throw duplicateAnnotation()
  return [{ op: 'relation.unique', event: { slot: 0 }, room, target, type, sender, key }]
}

export function duplicateAnnotation(): MatrixError {
  return new MatrixError('M_DUPLICATE_ANNOTATION', 'You have annotated this event in the same way already.')
}

function contentOf(json: string): JsonObject {
  return (JSON.parse(json) as { content: JsonObject }).content
}
