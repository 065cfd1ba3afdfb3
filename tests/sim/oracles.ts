/** What must hold at the end of a simulation, when all is at rest. Each throws a SimFailure with what it found. */
import type { DatabaseSync } from 'node:sqlite'
import { Connection } from '#/storage/sqlite/connection.ts'
import { verifyStore } from '#/storage/verify/verify-store.ts'
import type { Device } from './device.ts'
import { type Ledger, mayStand } from './ledger.ts'
import type { RoomView } from './room-view.ts'
import { SimFailure } from './sim-world.ts'
import type { RoomTruth } from './truth.ts'

export type Rooms = ReadonlyMap<string, RoomTruth>

const NO_END = Number.POSITIVE_INFINITY

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
      if (target?.redactedBy == null || target.content.marker !== undefined) fail(`${what} redacted nothing`)
    }
  }
  for (const change of ledger.memberships) {
    const room = rooms.get(change.roomId)
    const there = room?.events.some(
      (event) =>
        event.type === 'm.room.member' &&
        event.stateKey === change.target &&
        event.content.membership === change.membership,
    )
    if (!there) fail(`${change.sender} made ${change.target} ${change.membership}, and it is missing`)
  }
  checkDoubles(ledger, rooms, database)
}

function checkDoubles(ledger: Ledger, rooms: Rooms, database: DatabaseSync): void {
  const seen = new Map<string, string>()
  for (const room of rooms.values()) {
    for (const event of room.events) {
      const { marker } = event.content
      if (event.stateKey !== null || typeof marker !== 'string') continue
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

/** Nobody was given an event that they could not see when they got it. */
export function checkLeaks(ledger: Ledger, rooms: Rooms): void {
  for (const { user, roomId, eventId, position, how } of ledger.deliveries) {
    const room = rooms.get(roomId)
    const index = room?.byId.get(eventId)
    if (!room || index === undefined) continue
    const state = how === 'state' && room.inAfter(user, index, position)
    if (!state && !room.mayShow(user, index, position)) {
      fail(`${user} got ${eventId} (${room.events[index]!.type}) of ${roomId} by ${how}, and may not see it`)
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

/** A client that synced to the end knows its rooms, invites and account data as they are. */
export function checkDevice(
  device: Device,
  rooms: Rooms,
  stored: ReadonlyMap<string, string>,
  database: DatabaseSync,
): void {
  const { user, name } = device
  const forgotten = forgottenRooms(user, database)
  for (const room of rooms.values()) {
    /* Devices that had not heard of the leaving when the room was forgotten never do. */
    if (forgotten.has(room.roomId)) continue
    const membership = room.membership(user)
    const view = device.rooms.get(room.roomId)
    const where = `${name}: room ${room.roomId}`
    if ((membership === 'join') !== (view?.membership === 'join')) {
      fail(
        `${where} is ${view?.membership ?? 'unknown'} to the client; the user's membership is ${membership}`,
      )
    }
    if ((membership === 'invite') !== device.invites.has(room.roomId)) {
      fail(`${where}: invited to the client: ${device.invites.has(room.roomId)}; membership ${membership}`)
    }
    if (!view) continue
    checkTimeline(device, view, room)
    if (membership !== 'join') continue
    checkState(device, view, room)
    const counts = { joined: room.users('join').length, invited: room.users('invite').length }
    if (view.summary.joined !== counts.joined || view.summary.invited !== counts.invited) {
      fail(`${where}: summary ${JSON.stringify(view.summary)}, counted ${JSON.stringify(counts)}`)
    }
  }
  checkDeviceData(device, stored)
}

function forgottenRooms(user: string, database: DatabaseSync): Set<string> {
  const rows = database
    .prepare(
      `SELECT r.room_id FROM local_memberships m JOIN rooms r ON r.nid = m.room
       WHERE m.user_id = ? AND m.forgotten = 1`,
    )
    .all(user)
  return new Set(rows.map((row) => String(row['room_id'])))
}

function checkTimeline(device: Device, view: RoomView, room: RoomTruth): void {
  const { user } = device
  const have = view.flat()
  const where = `${view.who} in ${view.roomId}`
  const places = have.map((id) => room.byId.get(id) ?? fail(`${where}: ${id} is not in the room`))
  for (const [i, place] of places.entries()) {
    if (i > 0 && place <= places[i - 1]!) fail(`${where}: ${have[i]} came after ${have[i - 1]}`)
  }
  const membership = room.membership(user)
  const last = room.memberIndex(user)
  const straight = membership === 'join' || room.membershipBefore(user, last) === 'join'
  if (!straight || !view.complete) {
    if (membership === 'join') fail(`${where}: the client could not read its history to the end`)
    return
  }
  const upto = membership === 'join' ? room.events.length : last + 1
  const got = new Set(have)
  for (let index = 0; index < upto; index++) {
    const event = room.events[index]!
    if (got.has(event.eventId)) {
      if (!device.wants(event.type)) fail(`${where}: ${event.eventId} came in spite of the filter`)
    } else if (device.wants(event.type) && room.visible(user, index, NO_END)) {
      fail(`${where}: ${event.eventId} (${event.type}, place ${index + 1}) never came; got ${have.length}`)
    }
  }
}

function checkState(device: Device, view: RoomView, room: RoomTruth): void {
  const where = `${view.who} in ${view.roomId}`
  for (const [key, id] of view.state) {
    if (room.state.get(key)?.eventId !== id) {
      fail(
        `${where}: state ${key.replace('\0', ' ')} is ${id} to the client, not ${room.state.get(key)?.eventId}`,
      )
    }
  }
  for (const [key, event] of room.state) {
    if (device.habits.lazy && event.type === 'm.room.member') continue
    if (!view.state.has(key)) fail(`${where}: the client lacks state ${key.replace('\0', ' ')}`)
  }
  if (!device.habits.lazy) return
  for (const sender of [...view.senders, device.user]) {
    if (!view.state.has(`m.room.member\0${sender}`)) {
      fail(`${where}: the client was never told of the member ${sender}`)
    }
  }
}

function checkDeviceData(device: Device, stored: ReadonlyMap<string, string>): void {
  for (const [name, value] of stored) {
    const [, kind, user, type, roomId] = name.split(' ')
    if (kind !== 'data' || user !== device.user || type === undefined) continue
    const view = roomId === undefined ? undefined : device.rooms.get(roomId)
    if (roomId !== undefined && view?.membership !== 'join') continue
    const known = (view?.accountData ?? device.accountData).get(type)
    if (known !== JSON.stringify({ value })) fail(`${device.name}: ${name} is ${known}, stored is ${value}`)
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

/** Display names have reached the rooms. */
export function checkNames(server: string, rooms: Rooms, stored: ReadonlyMap<string, string>): void {
  for (const room of rooms.values()) {
    for (const user of room.users('join')) {
      const name = stored.get(`${server} name ${user}`)
      const there = room.state.get(`m.room.member\0${user}`)?.content.displayname
      if (name !== there) fail(`${user} is called ${name}, but ${there} in ${room.roomId}`)
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

function deactivatedUsers(database: DatabaseSync): string[] {
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
