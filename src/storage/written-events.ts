/** What this process wrote, for its own listeners. */
import type { EventRow } from '#/ports/store/events.ts'
import type { Change, Op, Plan } from '#/ports/store/plan.ts'
import type { CountedEvent } from '#/ports/store/push.ts'
import type { PlanOutcome } from './outcome.ts'

/** An event that a plan inserted, and how it counts. */
interface Written {
  readonly event: EventRow
  readonly sameMembers?: true
  counted?: CountedEvent
}

/**
 * Adds to the changes of a group the events that its plans inserted, so that readers here need not fetch them, and
 * `counts` changes for what its plans did to unread counts otherwise than by such an event.
 */
export function withEvents(
  changes: readonly Change[],
  group: readonly { readonly plan: Plan }[],
  outcomes: readonly PlanOutcome[],
): readonly Change[] {
  const written = new Map<number, Written>()
  const recounts: Change[] = []
  for (const [index, { plan }] of group.entries()) {
    const outcome = outcomes[index]
    if (outcome && 'ok' in outcome && outcome.ok) collect(plan, outcome, written, recounts)
  }
  if (written.size === 0 && recounts.length === 0) return changes
  const told = changes.map((change) => {
    const found = change.stream === 'events' ? written.get(change.position) : undefined
    return found === undefined ? change : { ...change, ...found }
  })
  return recounts.length === 0 ? told : [...told, ...recounts]
}

type Accepted = Extract<PlanOutcome, { ok: true }>

function collect(
  plan: Plan,
  { results, position }: Accepted,
  written: Map<number, Written>,
  recounts: Change[],
): void {
  let created = 0
  const bySlot = new Map<number, Written>()
  for (const [at, op] of plan.ops.entries()) {
    if (op.op === 'room.create') created = results[at] as number
    else if (op.op === 'event.insert') {
      if (!op.live) continue
      const room = op.room === 'new' ? created : op.room
      const event = rowOf(op, results[at] as number, room)
      const isName = op.type === 'm.room.member' && keepsMembers(plan)
      const found: Written = isName ? { event, sameMembers: true } : { event }
      bySlot.set(op.slot, found)
      written.set(found.event.nid, found)
    } else if (op.op === 'push.event') {
      const found = 'slot' in op.event ? bySlot.get(op.event.slot) : undefined
      if (found) found.counted = op
    } else if (op.op === 'event.redact') {
      const room = 'slot' in op.by ? bySlot.get(op.by.slot)?.event.room : undefined
      recounts.push({ stream: 'counts', position, ...(room === undefined ? {} : { room }) })
    } else if (op.op === 'room.membership') {
      const room = op.room === 'new' ? created : op.room
      recounts.push({ stream: 'counts', position, room, user: op.user })
    } else if (RECOUNTED_ROOMS.has(op.op)) {
      recounts.push({ stream: 'counts', position, room: (op as { room: number }).room })
    } else if (RECOUNTED_USERS.has(op.op)) {
      recounts.push({ stream: 'counts', position, user: (op as { user: string }).user })
    }
  }
}

/** Whether a plan leaves the members of its room as they are. Where it inserts several events, they may undo each other. */
function keepsMembers({ ops }: Plan): boolean {
  let [inserts, still] = [0, false]
  for (const op of ops) {
    if (op.op === 'event.insert' && ++inserts > 1) return false
    if (op.op !== 'room.head') continue
    if (op.joinedDelta !== 0 || op.invitedDelta !== 0) return false
    still = true
  }
  return still
}

/** Operations that change what is unread in a room, and those that change it for a user everywhere. */
const RECOUNTED_ROOMS: ReadonlySet<Op['op']> = new Set([
  'push.recount',
  'room.clear',
  'room.delete',
  'room.hide',
  'room.purge',
] as const)
const RECOUNTED_USERS: ReadonlySet<Op['op']> = new Set(['push.clear', 'push.rules', 'receipt.clear'] as const)

function rowOf(op: Extract<Op, { op: 'event.insert' }>, nid: number, room: number): EventRow {
  const { eventId, type, stateKey, sender, ts, depth, flags, rejectedRule, json } = op
  const row = { nid, room, eventId, type, stateKey, sender, ts, depth, flags, rejectedRule, json }
  return { ...row, arrival: nid, redactedBy: null }
}
