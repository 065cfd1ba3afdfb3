/** Finds the relations of events that were stored before relations had rows; once per database, as a durable job. */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { RelationOp } from '#/ports/store/relations.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import { INDEX_RELATIONS_PAGE } from './limits.ts'
import { relationFacts } from './write-ops.ts'

/** The migration that made the tables planned it. */
export const INDEX_RELATIONS_KIND = 'relations.index'

/** Goes through the events in the order of their writing; where it was ended it goes on after the last page. */
export function indexRelationsHandler({ store, clock }: { store: Store; clock: Clock }): JobHandler {
  return async ({ kind, key, dueTs, data }) => {
    let [after, upto] = JSON.parse(data) as [after: number, upto: number]
    while (after < upto) {
      const rows = await store.events.stream(after, upto, INDEX_RELATIONS_PAGE)
      after = rows.length < INDEX_RELATIONS_PAGE ? upto : rows.at(-1)!.nid
      const progress: Op = { op: 'job.put', kind, key, dueTs, data: JSON.stringify([after, upto]) }
      await store.commit({ lane: kind, ops: [...rows.flatMap(indexOps), progress] })
      await turn(clock)
    }
    return undefined
  }
}

function indexOps(row: EventRow): RelationOp[] {
  if (row.redactedBy !== null || !row.json.includes('"m.relates_to"')) return []
  const { nid, room, type, sender, ts, depth } = row
  const { content } = JSON.parse(row.json) as { content: JsonObject }
  const facts = relationFacts({ type, stateKey: row.stateKey ?? undefined, content })
  return facts ? [{ op: 'relation.index', event: { nid }, room, ...facts, type, sender, ts, depth }] : []
}
