/** Reading rooms, heads and local memberships. */
import type { Membership, MembershipRow, RoomHead, RoomNews, RoomRow } from '#/ports/store/rooms.ts'
import { ROOM_GOING } from '../sql/room-state.ts'
import { first, type Row, run, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

export const ROOM = 'SELECT nid, room_id, version, stale, opened FROM rooms'

export function roomFrom(row: Row): RoomRow {
  return {
    nid: row.nid as number,
    roomId: row.room_id as string,
    version: row.version as string,
    stale: row.stale === 1,
    opened: row.opened as number,
  }
}

export const roomById = query('rooms.byId', 'small', function* (roomId: string): Sql<RoomRow | undefined> {
  const row = yield* first(`${ROOM} WHERE room_id = ?1 AND stale <> ${ROOM_GOING}`, roomId)
  return row && roomFrom(row)
})

export const roomByNid = query('rooms.byNid', 'small', function* (nid: number): Sql<RoomRow | undefined> {
  const row = yield* first(`${ROOM} WHERE nid = ?1 AND stale <> ${ROOM_GOING}`, nid)
  return row && roomFrom(row)
})

export const roomPage = query('rooms.page', 'small', function* (after: number, limit: number): Sql<
  RoomRow[]
> {
  const rows = yield* run(
    `${ROOM} WHERE nid > ?1 AND stale <> ${ROOM_GOING} ORDER BY nid LIMIT ?2`,
    after,
    limit,
  )
  return rows.map(roomFrom)
})

export const HEAD_COLUMNS = 'seq, extremities, depth, joined, invited'

export function headFrom(row: Row): RoomHead {
  return {
    seq: row.seq as number,
    extremities: JSON.parse(row.extremities as string) as string[],
    depth: row.depth as number,
    joined: row.joined as number,
    invited: row.invited as number,
  }
}

export const roomHead = query('rooms.head', 'small', function* (room: number): Sql<RoomHead | undefined> {
  const row = yield* first(`SELECT ${HEAD_COLUMNS} FROM room_heads WHERE room = ?1`, room)
  return row && headFrom(row)
})

export const MEMBERSHIP = `SELECT m.room, r.room_id, m.user_id, m.membership, m.event, m.pos, m.sender, m.forgotten, m.stripped
  FROM local_memberships m JOIN rooms r ON r.nid = m.room AND r.stale <> ${ROOM_GOING}`

export function membershipFrom(row: Row): MembershipRow {
  return {
    room: row.room as number,
    roomId: row.room_id as string,
    user: row.user_id as string,
    membership: row.membership as Membership,
    event: row.event as number,
    position: row.pos as number,
    sender: row.sender as string,
    forgotten: row.forgotten === 1,
    stripped: row.stripped as string | null,
  }
}

export const membershipsOf = query(
  'rooms.membershipsOf',
  'large',
  function* (user: string, forgottenToo = false): Sql<MembershipRow[]> {
    const seen = forgottenToo ? '' : ' AND m.forgotten = 0'
    const rows = yield* run(`${MEMBERSHIP} WHERE m.user_id = ?1${seen}`, user)
    return rows.map(membershipFrom)
  },
)

export const membership = query('rooms.membership', 'small', function* (room: number, user: string): Sql<
  MembershipRow | undefined
> {
  const row = yield* first(`${MEMBERSHIP} WHERE m.user_id = ?1 AND m.room = ?2`, user, room)
  return row && membershipFrom(row)
})

export const membershipsSince = query(
  'rooms.membershipsSince',
  'large',
  function* (user: string, after: number): Sql<MembershipRow[]> {
    const rows = yield* run(`${MEMBERSHIP} WHERE m.user_id = ?1 AND m.pos > ?2`, user, after)
    return rows.map(membershipFrom)
  },
)

export const localJoined = query('rooms.localJoined', 'large', function* (room: number): Sql<string[]> {
  const rows = yield* run(
    `SELECT user_id FROM local_memberships WHERE room = ?1 AND membership = 'join'`,
    room,
  )
  return rows.map((row) => row.user_id as string)
})

export const guestsJoined = query(
  'rooms.guestsJoined',
  'large',
  function* (room: number, after: string, limit: number): Sql<string[]> {
    const rows = yield* run(
      `SELECT m.user_id FROM local_memberships m JOIN accounts a ON a.user_id = m.user_id
       WHERE m.room = ?1 AND m.membership = 'join' AND a.guest = 1 AND m.user_id > ?2
       ORDER BY m.user_id LIMIT ?3`,
      room,
      after,
      limit,
    )
    return rows.map((row) => row.user_id as string)
  },
)

export const lastArrivals = query('rooms.lastArrivals', 'large', function* (user: string): Sql<RoomNews[]> {
  const rows = yield* run(
    `SELECT m.room, (SELECT MAX(e.arrival) FROM events e WHERE e.room = m.room AND e.arrival IS NOT NULL) AS latest
     FROM local_memberships m WHERE m.user_id = ?1 AND m.membership = 'join'`,
    user,
  )
  return rows.map((row) => ({ room: row.room as number, latest: (row.latest as number | null) ?? 0 }))
})
