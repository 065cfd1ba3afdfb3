/** Relations: each is of a shown event and of its room, and the sums are what the rows say. */
import { type Row, run, type Sql } from '../sql/sql.ts'
import { walk } from './pages.ts'
import type { Findings } from './report.ts'

/** Checks `event_relations` and `relation_targets`. */
export function* verifyRelations(findings: Findings): Sql<void> {
  const relations = `SELECT r.event, r.depth, r.arrival, r.sender, r.type, t.room AS target_room, e.room, e.redacted_by,
    e.depth AS of_depth, e.arrival AS of_arrival, e.sender AS of_sender, e.type AS of_type FROM event_relations r
    LEFT JOIN relation_targets t ON t.nid = r.target LEFT JOIN events e ON e.nid = r.event WHERE 1 = 1 {after}`
  yield* walk(
    findings,
    { table: 'event_relations', text: relations, key: [['r.event', 'event']] },
    (rows) => {
      for (const row of rows) {
        const wrong = relationFault(row)
        if (wrong !== undefined) findings.add('relation.event', row.event as number, wrong)
      }
      return undefined
    },
  )
  const targets = `SELECT t.nid, t.event_id, t.edits, t.refs, t.thread_count, t.thread_event FROM relation_targets t
    WHERE 1 = 1 {after}`
  yield* walk(
    findings,
    { table: 'relation_targets', text: targets, key: [['t.nid', 'nid']] },
    function* (rows) {
      for (const row of rows) yield* checkSums(findings, row)
    },
  )
}

function relationFault(row: Row): string | undefined {
  if (row.target_room === null) return 'relates to a target that is not there'
  if (row.room !== row.target_room) return 'relates to an event of another room'
  if (row.redacted_by !== null) return 'is redacted and relates to nothing any more'
  const same = (['depth', 'arrival', 'sender', 'type'] as const).every(
    (name) => row[name] === row[`of_${name}`],
  )
  return same ? undefined : 'a column differs from the event'
}

const SUMS = `SELECT COALESCE(SUM(CASE WHEN rel_type = 'm.replace' THEN aggregated ELSE 0 END), 0) AS edits,
  COALESCE(SUM(CASE WHEN rel_type = 'm.reference' THEN 1 ELSE 0 END), 0) AS refs,
  COALESCE(SUM(CASE WHEN rel_type = 'm.thread' THEN 1 ELSE 0 END), 0) AS thread_count, COUNT(*) AS n
  FROM event_relations WHERE target = ?1`

const LAST = `SELECT event FROM event_relations WHERE target = ?1 AND rel_type = 'm.thread'
  ORDER BY depth DESC, arrival DESC LIMIT 1`

function* checkSums(findings: Findings, target: Row): Sql<void> {
  const nid = target.nid as number
  const [sums] = yield* run(SUMS, nid)
  const [last] = yield* run(LAST, nid)
  if (Number(sums?.n) === 0) findings.add('relation.target', nid, `nothing relates to ${target.event_id}`)
  const right =
    (['edits', 'refs', 'thread_count'] as const).every((name) => target[name] === Number(sums?.[name])) &&
    target.thread_event === (last?.event ?? null)
  if (!right) findings.add('relation.sums', nid, `the sums of ${target.event_id} differ from its relations`)
}
