/** Rooms: their heads, their create events, their members and the counts of these. */

import { HIDDEN_FLAGS } from '#/protocol/event/flags.ts'
import { domainOf } from '#/protocol/ids/domain.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import { ROOM_GOING } from '../sql/room-state.ts'
import { first, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { walk } from './pages.ts'
import type { Findings } from './report.ts'
import { STAYING } from './staying.ts'

/** Checks all rows of `rooms` with their heads, and the members in their current state. */
export function* verifyRooms(findings: Findings, serverName: string): Sql<void> {
  const text = `SELECT r.nid, r.room_id, r.version, r.stale, h.seq, h.extremities, h.depth, h.joined, h.invited
    FROM rooms r LEFT JOIN room_heads h ON h.room = r.nid WHERE 1 = 1 {after}`
  yield* walk(findings, { table: 'rooms', text, key: [['r.nid', 'nid']] }, function* (rows) {
    for (const row of rows) yield* checkRoom(findings, serverName, row)
  })
}

function* checkRoom(findings: Findings, serverName: string, room: Row): Sql<void> {
  const nid = room.nid as number
  /* A room that is being deleted has lost some of its rows, and nobody finds it. */
  if (room.stale === ROOM_GOING) return
  if (!rulesOf(room.version as string)) findings.add('room.version', nid, `unknown version ${room.version}`)
  if (room.seq === null) {
    findings.add('room.head', nid, `${room.room_id} has no head`)
    return
  }
  const extremities = stringList(room.extremities as string)
  if (!extremities) findings.add('room.head', nid, 'the extremities are no list of event ids')
  else yield* checkExtremities(findings, room, extremities)
  /* A room known only by an invite from afar has neither a head nor state. A stale one shows its state to nobody. */
  if (room.stale !== 0 || extremities?.length === 0) return
  const create = yield* first(
    `SELECT s.event FROM state_keys k JOIN room_state s ON s.room = ?1 AND s.branch = 0 AND s.state_key = k.nid
     WHERE k.type = 'm.room.create' AND k.state_key = '' AND s.event <> 0`,
    nid,
  )
  if (!create) findings.add('room.create', nid, `the state of ${room.room_id} has no create event`)
  yield* checkMembers(findings, serverName, room)
}

function* checkExtremities(findings: Findings, room: Row, ids: readonly string[]): Sql<void> {
  const nid = room.nid as number
  if (ids.length === 0) return
  const rows = yield* run(
    `SELECT event_id, room, arrival, flags, depth FROM events WHERE event_id IN (${placeholders(1, ids.length)})`,
    ...ids,
  )
  const events = new Map(rows.map((row) => [row.event_id as string, row]))
  let depth = 0
  for (const id of ids) {
    const event = events.get(id)
    if (event?.room !== nid) {
      findings.add('room.extremity', nid, `${id} is not an event of the room`)
      return
    }
    if (event.arrival === null || ((event.flags as number) & HIDDEN_FLAGS) !== 0) {
      findings.add('room.extremity', nid, `${id} is not shown in the timeline`)
    }
    depth = Math.max(depth, event.depth as number)
  }
  if (depth !== room.depth) findings.add('room.depth', nid, `${room.depth}, but the head is at ${depth}`)
}

/** Recounts the members and compares those of this server with `local_memberships`. */
function* checkMembers(findings: Findings, serverName: string, room: Row): Sql<void> {
  const nid = room.nid as number
  const counts = new Map<string, number>()
  const text = `SELECT s.state_key AS key_nid, e.nid, e.state_key, e.json FROM room_state s
    JOIN events e ON e.nid = s.event
    WHERE s.room = ?1 AND s.branch = 0 AND e.type = 'm.room.member' {after}`
  yield* walk(
    findings,
    { table: 'members', text, params: [nid], key: [['s.state_key', 'key_nid']] },
    function* (rows) {
      const local = new Map<string, { event: number; membership: string }>()
      for (const row of rows) {
        const membership = membershipIn(row.json as string) ?? ''
        counts.set(membership, (counts.get(membership) ?? 0) + 1)
        const user = row.state_key as string
        if (domainOf(user) === serverName) local.set(user, { event: row.nid as number, membership })
      }
      yield* checkLocal(findings, nid, local)
    },
  )
  const joined = counts.get('join') ?? 0
  const invited = counts.get('invite') ?? 0
  if (room.joined !== joined) findings.add('room.joined', nid, `${room.joined}, but ${joined} are joined`)
  if (room.invited !== invited)
    findings.add('room.invited', nid, `${room.invited}, but ${invited} are invited`)
}

const PRESENT = new Set(['join', 'invite', 'knock'])

function* checkLocal(
  findings: Findings,
  room: number,
  local: ReadonlyMap<string, { event: number; membership: string }>,
): Sql<void> {
  if (local.size === 0) return
  const rows = yield* run(
    `SELECT user_id, membership, event FROM local_memberships
     WHERE room = ?1 AND user_id IN (${placeholders(2, local.size)})`,
    room,
    ...local.keys(),
  )
  const kept = new Map(rows.map((row) => [row.user_id as string, row]))
  for (const [user, now] of local) {
    const row = kept.get(user)
    if (!row && PRESENT.has(now.membership)) {
      findings.add('membership.missing', `${user} ${room}`, `${now.membership} by the room's state`)
    } else if (row && (row.event !== now.event || row.membership !== now.membership)) {
      const says = `${row.membership} by event ${row.event}`
      findings.add(
        'membership.state',
        `${user} ${room}`,
        `${says}, but the room's state has ${now.membership} by event ${now.event}`,
      )
    }
  }
}

const MEMBERSHIPS = new Set(['join', 'invite', 'leave', 'ban', 'knock'])

/** Checks all rows of `local_memberships` against the events that they name and the state of their rooms. */
export function* verifyMemberships(findings: Findings, serverName: string): Sql<void> {
  const text = `SELECT m.user_id, m.room, m.membership, m.event, m.stripped, r.stale, h.extremities,
      e.room AS event_room, e.type, e.state_key, e.json, s.event AS held
    FROM local_memberships m LEFT JOIN rooms r ON r.nid = m.room LEFT JOIN room_heads h ON h.room = m.room
      LEFT JOIN events e ON e.nid = m.event
      LEFT JOIN state_keys k ON k.type = 'm.room.member' AND k.state_key = m.user_id
      LEFT JOIN room_state s ON s.room = m.room AND s.branch = 0 AND s.state_key = k.nid
    WHERE ${STAYING} {after}`
  const key = [
    ['m.user_id', 'user_id'],
    ['m.room', 'room'],
  ] as const
  yield* walk(findings, { table: 'local_memberships', text, key }, (rows) => {
    for (const row of rows) checkMembership(findings, serverName, row)
    return undefined
  })
}

function checkMembership(findings: Findings, serverName: string, row: Row): void {
  const name = `${row.user_id} ${row.room}`
  if (!MEMBERSHIPS.has(row.membership as string)) {
    findings.add('membership.value', name, `unknown membership ${row.membership}`)
  }
  if (domainOf(row.user_id as string) !== serverName) {
    findings.add('membership.user', name, 'not a user of this server')
  }
  if (row.stale === null) findings.add('membership.room', name, 'no such room')
  if (row.stripped !== null && !isJson(row.stripped as string, Array.isArray)) {
    findings.add('membership.stripped', name, 'the stripped state is not a list')
  }
  /* Without an event only stripped state is known. */
  if (row.event === 0) return
  const fits = row.event_room === row.room && row.type === 'm.room.member' && row.state_key === row.user_id
  if (!fits) findings.add('membership.event', name, `event ${row.event} is not a member event of theirs`)
  else if (membershipIn(row.json as string) !== row.membership) {
    findings.add('membership.event', name, `event ${row.event} does not say ${row.membership}`)
  }
  const takesPart = row.stale === 0 && row.extremities !== null && row.extremities !== '[]'
  if (takesPart && (row.held ?? 0) === 0) {
    findings.add('membership.state', name, `${row.membership}, but the room's state does not know them`)
  }
}

/** `content.membership` of an event's JSON, as far as it is a text. */
function membershipIn(json: string): string | undefined {
  try {
    const membership = (JSON.parse(json) as { content?: { membership?: unknown } }).content?.membership
    return typeof membership === 'string' ? membership : undefined
  } catch {
    /* The events' own check reports JSON that cannot be read. */
    return undefined
  }
}

/** Whether a text is JSON of the kind that `is` accepts. */
export function isJson(text: string, is: (value: unknown) => boolean): boolean {
  try {
    return is(JSON.parse(text))
  } catch {
    return false
  }
}

function stringList(json: string): string[] | undefined {
  try {
    const list: unknown = JSON.parse(json)
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : undefined
  } catch {
    return undefined
  }
}
