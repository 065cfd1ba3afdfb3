/** Events that this process wrote, for its own listeners. */
import type { EventRow } from '#/ports/store/events.ts'
import type { Change, Plan } from '#/ports/store/plan.ts'
import type { PlanOutcome } from './outcome.ts'

/** Adds to the changes of a group the events that its plans inserted, so that readers here need not fetch them. */
export function withEvents(
  changes: readonly Change[],
  group: readonly { readonly plan: Plan }[],
  outcomes: readonly PlanOutcome[],
): readonly Change[] {
  if (changes.length === 0) return changes
  const rows = new Map<number, EventRow>()
  for (const [index, { plan }] of group.entries()) {
    const outcome = outcomes[index]
    if (outcome && 'ok' in outcome && outcome.ok) collect(plan, outcome.results, rows)
  }
  return changes.map((change) => {
    const event = change.stream === 'events' ? rows.get(change.position) : undefined
    return event === undefined ? change : { ...change, event }
  })
}

function collect(plan: Plan, results: readonly unknown[], rows: Map<number, EventRow>): void {
  let created = 0
  for (const [at, op] of plan.ops.entries()) {
    if (op.op === 'room.create') created = results[at] as number
    if (op.op !== 'event.insert' || !op.live) continue
    const nid = results[at] as number
    const { eventId, type, stateKey, sender, ts, depth, flags, rejectedRule, json } = op
    const room = op.room === 'new' ? created : op.room
    const row = { nid, room, eventId, type, stateKey, sender, ts, depth, flags, rejectedRule, json }
    rows.set(nid, { ...row, arrival: nid, redactedBy: null })
  }
}
