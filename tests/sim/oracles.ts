/** What must hold at the end of a simulation, when all is at rest. Each throws a SimFailure with what it found. */
import type { DatabaseSync } from 'node:sqlite'
import { Connection } from '#/storage/sqlite/connection.ts'
import { verifyStore } from '#/storage/verify/verify-store.ts'
import { type Ledger, mayStand } from './ledger.ts'
import { SimFailure } from './sim-world.ts'
import type { RoomTruth } from './truth.ts'

export type Rooms = ReadonlyMap<string, RoomTruth>

function fail(what: string): never {
  throw new SimFailure(what)
}

/** Nothing acknowledged is missing, in the wrong place or doubled. */
export function checkAcknowledged(ledger: Ledger, rooms: Rooms, database: DatabaseSync): void {
  for (const acked of ledger.events) {
    const room = rooms.get(acked.roomId)
    const event = room?.events[room.byId.get(acked.eventId) ?? -1]
    const what = `${acked.sender}'s acknowledged ${acked.type} ${acked.eventId} in ${acked.roomId}`
    if (!room || !event) fail(`${what} is missing`)
    if (event.sender !== acked.sender || event.type !== acked.type) {
      fail(`${what} is ${event.type} of ${event.sender}`)
    }
    if (acked.stateKey !== undefined && event.stateKey !== acked.stateKey)
      fail(`${what} has another state key`)
    if (acked.marker !== undefined && event.redactedBy === null && event.content.marker !== acked.marker) {
      fail(`${what} has the content ${JSON.stringify(event.content)}`)
    }
    if (acked.redacts !== undefined) {
      const target = room.events[room.byId.get(acked.redacts) ?? -1]
      if (target?.purged) continue
      if (target?.redactedBy == null || target.content.marker !== undefined) fail(`${what} redacted nothing`)
    }
  }
  for (const change of ledger.memberships) {
    const room = rooms.get(change.roomId)
    /* Who upgrades a room that was replaced already is told of that room, without being in it. */
    const maker = room?.events.find((event) => event.type === 'm.room.create')?.sender
    if (change.byUpgrade && maker !== undefined && maker !== change.sender) continue
    const there = room?.events.some(
      (event) =>
        event.type === 'm.room.member' &&
        event.stateKey === change.target &&
        event.content.membership === change.membership,
    )
    if (!there)
      fail(
        `${change.sender} made ${change.target} ${change.membership} in ${change.roomId}, and it is missing`,
      )
  }
  checkDoubles(ledger, rooms, database)
}

function checkDoubles(ledger: Ledger, rooms: Rooms, database: DatabaseSync): void {
  const seen = new Map<string, string>()
  for (const room of rooms.values()) {
    for (const event of room.events) {
      const { marker } = event.content
      /* With what was purged its transaction goes, so that a later try sends it again. */
      if (event.stateKey !== null || typeof marker !== 'string' || event.purged) continue
      const sender = ledger.markers.get(marker)
      if (sender !== event.sender) fail(`${event.eventId} says what ${event.sender} never sent`)
      const other = seen.get(marker)
      if (other !== undefined) fail(`${other} and ${event.eventId} are the same message, sent once`)
      seen.set(marker, event.eventId)
    }
  }
  const twice = database
    .prepare('SELECT txn_id FROM event_txns GROUP BY device, txn_id HAVING COUNT(*) > 1')
    .get()
  if (twice) fail(`the transaction ${String(twice['txn_id'])} stands twice`)
}

/** Values that were written last stand. `stored` gives what is there by the ledger's names. */
export function checkValues(
  ledger: Ledger,
  stored: ReadonlyMap<string, string>,
  database: DatabaseSync,
): void {
  const gone = new Set(deactivatedUsers(database))
  for (const [name, writes] of ledger.values) {
    const user = name.split(' ')[2]
    /* Profile and data end with their account. */
    if (user !== undefined && gone.has(user)) continue
    const value = stored.get(name)
    if (!mayStand(writes, value)) fail(`${name} is ${value}; written were ${JSON.stringify(writes)}`)
  }
}

/** Rooms are lines, nobody acted who was not in them, and nobody came in who did not ask. */
export function checkRooms(rooms: Rooms, ledger: Ledger): void {
  for (const room of rooms.values()) {
    for (const user of room.members) {
      const asked =
        (ledger.joins.get(`${room.roomId} ${user}`) ?? 0) + Number(room.events[0]?.sender === user)
      if (room.entries(user) > asked) {
        fail(`${user} came into ${room.roomId} ${room.entries(user)} times and asked ${asked} times`)
      }
    }
    for (const [index, event] of room.events.entries()) {
      if (event.depth !== index + 1)
        fail(`${event.eventId} has the depth ${event.depth} at place ${index + 1}`)
      const membership = room.membershipBefore(event.sender, index)
      const own = event.type === 'm.room.member' && event.stateKey === event.sender
      if (!own && event.type !== 'm.room.create' && membership !== 'join') {
        fail(`${event.sender} sent ${event.eventId} while their membership was ${membership}`)
      }
      if (own && membership === 'ban') fail(`${event.sender} sent ${event.eventId} while banned`)
      if (!own || event.content.membership !== 'join' || membership === 'join') continue
      const rule = room.events.slice(0, index).findLast((one) => one.type === 'm.room.join_rules')?.content
      if (index > 1 && rule?.join_rule !== 'public' && membership !== 'invite') {
        fail(`${event.sender} joined by ${event.eventId} without an invite`)
      }
    }
  }
}

/** Nobody was given an event that they could not see when they got it, or of somebody whom they ignored. */
export function checkLeaks(ledger: Ledger, rooms: Rooms): void {
  for (const delivery of ledger.deliveries) {
    const { user, roomId, eventId, position, how } = delivery
    const room = rooms.get(roomId)
    const index = room?.byId.get(eventId)
    if (!room || index === undefined) continue
    /* A timeline may hold what is the room's state as well. */
    const asState = how === 'state' || (how.startsWith('sync') && room.events[index]!.stateKey !== null)
    const state = asState && room.inAfter(user, index, position)
    if (!state && !room.mayShow(user, index, position)) {
      fail(`${user} got ${eventId} (${room.events[index]!.type}) of ${roomId} by ${how}, and may not see it`)
    }
    const { sender, stateKey } = room.events[index]!
    if (stateKey === null && how !== 'event' && ledger.surelyIgnored(user, sender, delivery)) {
      fail(`${user} got ${eventId} of ${sender} by ${how}, and ignores them`)
    }
  }
}

/** Every event that reached somebody exists. */
export function checkDelivered(ledger: Ledger, servers: readonly Rooms[]): void {
  for (const { user, roomId, eventId, how } of ledger.deliveries) {
    if (!servers.some((rooms) => rooms.get(roomId)?.byId.has(eventId))) {
      fail(`${user} got ${eventId} of ${roomId} by ${how}, and it does not exist`)
    }
  }
}

/** What the server stores of account data and display names, by the names of the ledger. */
export function storedValues(server: string, database: DatabaseSync): Map<string, string> {
  const values = new Map<string, string>()
  const rows = database
    .prepare(
      `SELECT a.user_id, a.type, a.content, r.room_id FROM account_data a LEFT JOIN rooms r ON r.nid = a.room`,
    )
    .all()
  for (const { user_id, type, content, room_id } of rows) {
    const { value } = JSON.parse(String(content)) as { value?: unknown }
    if (typeof value !== 'string') continue
    values.set(`${server} data ${user_id} ${type}${room_id === null ? '' : ` ${room_id}`}`, value)
  }
  for (const { user_id, fields } of database.prepare('SELECT user_id, fields FROM profiles').all()) {
    const { displayname } = JSON.parse(String(fields)) as { displayname?: unknown }
    if (typeof displayname === 'string') values.set(`${server} name ${user_id}`, displayname)
  }
  return values
}

/** Display names have reached the rooms, but for those that may have refused them: there an older one stays. */
export function checkNames(server: string, rooms: Rooms, stored: ReadonlyMap<string, string>): void {
  for (const room of rooms.values()) {
    for (const user of room.users('join')) {
      const name = stored.get(`${server} name ${user}`)
      const there = room.state.get(`m.room.member\0${user}`)?.content.displayname
      if (name !== there && !room.letNobodyIn(room.memberIndex(user))) {
        fail(`${user} is called ${name}, but ${there} in ${room.roomId}`)
      }
    }
  }
}

/** A receipt that was acknowledged stands where it was put, or further on. */
export function checkReceipts(ledger: Ledger, rooms: Rooms, database: DatabaseSync): void {
  const stored = database.prepare(
    `SELECT event FROM receipts WHERE room = (SELECT nid FROM rooms WHERE room_id = ?)
       AND user_id = ? AND kind = ? AND thread = ?`,
  )
  const gone = new Set(deactivatedUsers(database))
  for (const { user, roomId, kind, thread, eventId } of ledger.receipts) {
    if (gone.has(user)) continue
    const room = rooms.get(roomId)
    const nid = room?.events[room.byId.get(eventId) ?? -1]?.nid ?? 0
    const row = stored.get(roomId, user, kind, thread)
    if (Number(row?.['event'] ?? -1) < nid) {
      fail(
        `the ${kind} of ${user} in ${roomId} (${thread}) stands at ${row?.['event']}, and was put at ${nid}`,
      )
    }
  }
}

/** Who deactivated the account is in no room. */
export function checkDeactivated(rooms: Rooms, database: DatabaseSync): void {
  for (const user of deactivatedUsers(database)) {
    for (const room of rooms.values()) {
      if (room.membership(user) === 'join') fail(`${user} is deactivated, but in ${room.roomId}`)
    }
  }
}

export function deactivatedUsers(database: DatabaseSync): string[] {
  const rows = database.prepare('SELECT user_id FROM accounts WHERE deactivated = 1').all()
  return rows.map((row) => String(row['user_id']))
}

/** The database keeps all its invariants, and every index says what a rebuild would. */
export function checkDatabase(path: string): void {
  const connection = new Connection({ path, readOnly: true })
  connection.db.exec('BEGIN')
  try {
    const report = connection.run(verifyStore('sqlite', () => {}))
    if (!report.ok) fail(`the database is damaged: ${JSON.stringify(report.findings.slice(0, 5))}`)
  } finally {
    connection.close()
  }
}
