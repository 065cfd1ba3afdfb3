/** From a verified event to the operations that store it. */
import type { Op } from '#/ports/store/plan.ts'
import type { Membership } from '#/ports/store/rooms.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { membershipOf } from '#/protocol/event/content.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import { countsInAggregation, relationOf } from '#/protocol/event/relation.ts'
import { domainOf } from '#/protocol/ids/domain.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import { member } from '#/protocol/json/value.ts'
import { stripEvent, stripMembership, strippedStateOf } from '#/protocol/stripped/stripped-state.ts'
import type { VerifiedPdu } from './ingest/verified.ts'
import type { LiveRoom } from './live-room.ts'
import { roomFactsOp } from './room-facts.ts'

/** The insertion of one event at the room's head: event in `slot`, state, memberships, and the head itself. */
export function insertOps(
  room: LiveRoom,
  pdu: VerifiedPdu,
  before: Pdu | undefined,
  serverName: ServerName,
): Op[] {
  const delta = countDelta(pdu, before)
  return [
    {
      op: 'room.head',
      room: room.nid,
      expect: room.seq,
      extremities: [pdu.eventId],
      depth: pdu.depth,
      joinedDelta: delta.joined,
      invitedDelta: delta.invited,
    },
    ...eventOps(room.nid, pdu, 0, serverName, room),
    ...(pdu.stateKey === undefined ? [] : [supersedeOp(room.nid, pdu, pdu.stateKey)]),
  ]
}

/** State that others meant to set later in the same place is not sent any more. */
function supersedeOp(room: number, { type, sender }: Pdu, stateKey: string): Op {
  return { op: 'delayed.supersede', room, type, stateKey, sender }
}

/** The event itself with its effect on state and on the membership of a local user. */
export function eventOps(
  room: number | 'new',
  pdu: VerifiedPdu,
  slot: number,
  serverName: ServerName,
  from: Pick<LiveRoom, 'state' | 'missing'>,
): Op[] {
  const ops: Op[] = [
    {
      op: 'event.insert',
      slot,
      room,
      eventId: pdu.eventId,
      type: pdu.type,
      stateKey: pdu.stateKey ?? null,
      sender: pdu.sender,
      ts: pdu.originServerTs,
      depth: pdu.depth,
      json: pdu.text,
      flags: 0,
      rejectedRule: null,
      authEvents: pdu.authEvents,
      live: true,
    },
  ]
  const facts = roomFactsOp(room, pdu)
  if (facts) ops.push(facts)
  ops.push(...relationOps(room, pdu, slot))
  if (pdu.stateKey === undefined) return ops
  const event = { slot }
  ops.push({
    op: 'state.change',
    room,
    branch: 0,
    changes: [{ type: pdu.type, stateKey: pdu.stateKey, event }],
  })
  ops.push(...directoryOps(room, pdu, serverName))
  const membership = pdu.type === 'm.room.member' ? (membershipOf(pdu) as Membership) : undefined
  if (membership !== undefined && domainOf(pdu.stateKey) === serverName) {
    ops.push({
      op: 'room.membership',
      room,
      user: pdu.stateKey,
      membership,
      event,
      sender: pdu.sender,
      stripped: membership === 'invite' || membership === 'knock' ? strippedJson(pdu, from) : null,
    })
  }
  return ops
}

/** What the event says about another event of its room. */
function relationOps(room: number | 'new', pdu: VerifiedPdu, slot: number): Op[] {
  const facts = relationFacts(pdu)
  if (facts === undefined) return []
  const { type, sender, originServerTs: ts, depth } = pdu
  return [{ op: 'relation.put', event: { slot }, room, ...facts, type, sender, ts, depth }]
}

/** The relation of an event as it is stored; undefined for an event without one. */
export function relationFacts(
  event: Parameters<typeof countsInAggregation>[1],
): { target: string; relType: string; key: string | null; aggregated: boolean } | undefined {
  const relation = relationOf(event.content)
  if (relation === undefined) return undefined
  const { target, relType, key = null } = relation
  return { target, relType, key, aggregated: countsInAggregation(relation, event) }
}

/** What an event changes in the user directory: whether anybody may join or read the room, and who others are. */
function directoryOps(room: number | 'new', { type, stateKey, content }: Pdu, serverName: ServerName): Op[] {
  if (type === 'm.room.join_rules' && stateKey === '') {
    const open = member(content, 'join_rule') === 'public'
    return [{ op: 'directory.room', room, rule: 'join_rules', open }]
  }
  if (type === 'm.room.history_visibility' && stateKey === '') {
    const open = member(content, 'history_visibility') === 'world_readable'
    return [{ op: 'directory.room', room, rule: 'history_visibility', open }]
  }
  const foreign = type === 'm.room.member' && stateKey !== undefined && domainOf(stateKey) !== serverName
  if (!foreign || member(content, 'membership') !== 'join') return []
  const [displayName, avatarUrl] = [member(content, 'displayname'), member(content, 'avatar_url')]
  return [
    {
      op: 'directory.remote',
      user: stateKey,
      displayName: typeof displayName === 'string' && displayName !== '' ? displayName : null,
      avatarUrl: typeof avatarUrl === 'string' && avatarUrl !== '' ? avatarUrl : null,
    },
  ]
}

/** Keys of `strippedStateOf` that happen to be loaded; the caller loads them all before an invite. */
function strippedJson(pdu: Pdu, from: Pick<LiveRoom, 'state' | 'missing'>): string {
  const loaded = (type: string, stateKey: string): Pdu | undefined =>
    from.missing([[type, stateKey]]).length === 0 ? from.state(type, stateKey) : undefined
  /* Who knocks is the sender: their former membership is not shown beside the new one. */
  const sender = pdu.sender === pdu.stateKey ? undefined : pdu.sender
  const events = strippedStateOf(loaded, sender).map(stripEvent)
  return canonicalJson([...events, stripMembership(pdu)] as never)
}

/** Change of the joined and invited counts that a member event brings. */
export function countDelta(pdu: Pdu, before: Pdu | undefined): { joined: number; invited: number } {
  if (pdu.type !== 'm.room.member' || pdu.stateKey === undefined) return { joined: 0, invited: 0 }
  const was = before ? membershipOf(before) : undefined
  const is = membershipOf(pdu)
  const step = (membership: string): number => Number(is === membership) - Number(was === membership)
  return { joined: step('join'), invited: step('invite') }
}

/** What the sender is told when an event is refused; `rule` goes with it, because it names nothing private. */
export function refuseEvent(refusal: { readonly rule: string; readonly why: string }): MatrixError {
  const { rule, why } = refusal
  if (rule === 'format.size') return new MatrixError('M_TOO_LARGE', `The event is too large: ${why}.`)
  if (rule.startsWith('format.') || rule.startsWith('json.')) {
    return new MatrixError('M_BAD_JSON', `The event is not well-formed: ${why}.`)
  }
  return new MatrixError('M_FORBIDDEN', `This is not allowed in the room: ${why}.`)
}
