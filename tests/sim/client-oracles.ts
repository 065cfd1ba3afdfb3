/** What each client must hold at the end of a simulation. Each check throws a SimFailure with what it found. */
import type { DatabaseSync } from 'node:sqlite'
import type { Store } from '#/ports/store/store.ts'
import { type Count, recount, sumOf } from './counts.ts'
import type { Device } from './device.ts'
import type { Ledger } from './ledger.ts'
import { deactivatedUsers, type Rooms } from './oracles.ts'
import type { RoomView } from './room-view.ts'
import { SimFailure } from './sim-world.ts'
import { FILTERS, SlidingDevice } from './sliding-device.ts'
import { SyncDevice } from './sync-device.ts'
import type { RoomTruth } from './truth.ts'

const NO_END = Number.POSITIVE_INFINITY
const MAIN = 'main'

/** What the checks of all clients of a server share. */
export interface TownTruth {
  readonly rooms: Rooms
  readonly ledger: Ledger
  readonly database: DatabaseSync
  readonly store: Store
}

function fail(what: string): never {
  throw new SimFailure(what)
}

/** A client that synced to the end knows its rooms, invites and account data as they are. */
export async function checkDevice(device: Device, truth: TownTruth): Promise<void> {
  const { user, name } = device
  const forgotten = forgottenRooms(user, truth.database)
  const data = accountDataOf(user, truth.database)
  for (const room of truth.rooms.values()) {
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
    checkStripped(device, room, truth)
    if (!view) continue
    checkTimeline(device, view, room, truth.ledger)
    if (membership === 'join') await checkJoined(device, view, room, truth, data)
  }
  compareData(name, data.get(''), device.accountData)
  if (device instanceof SlidingDevice) await checkLists(device, truth, forgotten, data)
}

function checkStripped(device: Device, room: RoomTruth, { ledger }: TownTruth): void {
  const { user, invites, knocks } = device
  const { roomId } = room
  const membership = room.membership(user)
  const where = `${device.name}: room ${roomId}`
  const inviter = room.events[room.memberIndex(user)]?.sender ?? ''
  const hidden = membership === 'invite' && ledger.everIgnored(user, inviter)
  if (hidden && room.answersKnock(user)) {
    /*
     * An invite by somebody who is ignored is hidden, and the knock that it answers still stands for the user. Whom
     * they ignored only for a while may have shown them the invite. It is one of the two for every client.
     */
    if (knocks.has(roomId) === invites.has(roomId)) {
      fail(`${where}: known to the client as a knock and as an invite, or as neither`)
    }
    return
  }
  if ((membership === 'knock') !== knocks.has(roomId)) {
    fail(`${where}: knocked on to the client: ${knocks.has(roomId)}; membership ${membership}`)
  }
  /* Invites by those who are ignored are hidden, and do not come back. */
  if (hidden) return
  if ((membership === 'invite') !== invites.has(roomId)) {
    fail(`${where}: invited to the client: ${invites.has(roomId)}; membership ${membership}`)
  }
}

async function checkJoined(
  device: Device,
  view: RoomView,
  room: RoomTruth,
  truth: TownTruth,
  data: AccountData,
): Promise<void> {
  const where = `${device.name}: room ${room.roomId}`
  checkState(device, view, room)
  const counts = { joined: room.users('join').length, invited: room.users('invite').length }
  if (view.summary.joined !== counts.joined || view.summary.invited !== counts.invited) {
    fail(`${where}: summary ${JSON.stringify(view.summary)}, counted ${JSON.stringify(counts)}`)
  }
  const heroes = heroesOf(room, device.user).join()
  if (nameIn(room) === undefined && view.heroes?.join() !== heroes) {
    fail(`${where}: is named after ${heroes}, and after ${view.heroes} to the client`)
  }
  compareData(where, data.get(room.roomId), view.accountData)
  checkReceipts(device, view, room, truth.database)
  if (view.typing.length > 0) fail(`${where}: ${view.typing} type for ever`)
  await checkUnread(device, view, room, truth)
  if (!(device instanceof SlidingDevice)) return
  const name = nameIn(room)
  if (view.name !== name) fail(`${where} is called ${name}, and ${view.name} to the client`)
  const direct = directRooms(data).has(room.roomId)
  if (view.direct !== direct) fail(`${where}: direct is ${direct}, and ${view.direct} to the client`)
}

/** The first five others who are in the room or invited; where there are none, of those who left. */
function heroesOf(room: RoomTruth, reader: string): string[] {
  const of = (...memberships: string[]): string[] =>
    memberships
      .flatMap((membership) => room.users(membership))
      .filter((user) => user !== reader)
      .sort((a, b) => room.memberIndex(a) - room.memberIndex(b))
      .slice(0, 5)
  const present = of('join', 'invite')
  return present.length > 0 ? present : of('leave', 'ban')
}

function nameIn(room: RoomTruth): string | undefined {
  const name: unknown = room.state.get('m.room.name\0')?.content.name
  return typeof name === 'string' && name !== '' ? name : undefined
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

function checkTimeline(device: Device, view: RoomView, room: RoomTruth, ledger: Ledger): void {
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
    const { eventId, type, stateKey, sender, purged } = room.events[index]!
    if (got.has(eventId)) {
      if (!device.wants(type)) fail(`${where}: ${eventId} came in spite of the filter`)
      continue
    }
    if (purged || (stateKey === null && ledger.everIgnored(user, sender))) continue
    if (device.wants(type) && room.visible(user, index, NO_END)) {
      fail(`${where}: ${eventId} (${type}, place ${index + 1}) never came; got ${have.length}`)
    }
  }
}

function checkState(device: Device, view: RoomView, room: RoomTruth): void {
  const where = `${view.who} in ${view.roomId}`
  for (const [key, id] of view.state) {
    const [type = '', stateKey = ''] = key.split('\0')
    const kept = device.follows(type, stateKey) || (device.lazy && type === 'm.room.member')
    if (kept && room.state.get(key)?.eventId !== id) {
      fail(`${where}: state ${type} ${stateKey} is ${id} to the client, not ${room.state.get(key)?.eventId}`)
    }
  }
  for (const { type, stateKey } of room.state.values()) {
    if (device.follows(type, stateKey ?? '') && !view.state.has(`${type}\0${stateKey}`)) {
      fail(`${where}: the client lacks state ${type} ${stateKey}`)
    }
  }
  if (!device.lazy) return
  const own = device instanceof SyncDevice ? [device.user] : []
  for (const sender of [...view.senders, ...own]) {
    if (!view.state.has(`m.room.member\0${sender}`)) {
      fail(`${where}: the client was never told of the member ${sender}`)
    }
  }
}

/** By room id, then by type; under '' what is in no room. */
type AccountData = ReadonlyMap<string, ReadonlyMap<string, string>>

function accountDataOf(user: string, database: DatabaseSync): AccountData {
  const rows = database
    .prepare(
      `SELECT a.type, a.content, r.room_id FROM account_data a LEFT JOIN rooms r ON r.nid = a.room
       WHERE a.user_id = ?`,
    )
    .all(user)
  const byRoom = new Map<string, Map<string, string>>()
  for (const { type, content, room_id } of rows) {
    const key = room_id === null ? '' : String(room_id)
    const texts = byRoom.get(key) ?? new Map<string, string>()
    byRoom.set(key, texts.set(String(type), JSON.stringify(JSON.parse(String(content)))))
  }
  return byRoom
}

function compareData(
  where: string,
  stored: ReadonlyMap<string, string> | undefined,
  known: ReadonlyMap<string, string>,
): void {
  for (const [type, content] of stored ?? []) {
    if (known.get(type) !== content) {
      fail(`${where}: account data ${type} is ${known.get(type)}, stored is ${content}`)
    }
  }
}

function directRooms(data: AccountData): Set<string> {
  const content = JSON.parse(data.get('')?.get('m.direct') ?? '{}') as Record<string, string[]>
  return new Set(Object.values(content).flat())
}

/** Receipts are those of the database; sliding sync tells old ones of others for the events that it shows alone. */
function checkReceipts(device: Device, view: RoomView, room: RoomTruth, database: DatabaseSync): void {
  const where = `${device.name}: room ${room.roomId}`
  const rows = database
    .prepare(
      `SELECT user_id, kind, thread, event_id, pos FROM receipts
       WHERE room = (SELECT nid FROM rooms WHERE room_id = ?) AND (kind = 'm.read' OR user_id = ?)`,
    )
    .all(room.roomId, device.user)
  const stored = new Map<string, string>()
  for (const row of rows) {
    const key = `${row['kind']}\0${row['user_id']}\0${row['thread']}`
    stored.set(key, String(row['event_id']))
    const due =
      device instanceof SyncDevice || row['user_id'] === device.user || Number(row['pos']) > view.since
    const told = view.receipts.get(key) === row['event_id'] || isCrowded(device, view, key, row['event_id'])
    if (due && !told) {
      fail(
        `${where}: receipt ${key.replaceAll('\0', ' ')} is ${view.receipts.get(key)} to the client, not ${row['event_id']}`,
      )
    }
  }
  const gone = new Set(deactivatedUsers(database))
  for (const [key, eventId] of view.receipts) {
    /* Those of an account that ended go, and nobody is told. */
    const crowded = isCrowded(device, view, key, stored.get(key))
    if (stored.get(key) !== eventId && !crowded && !gone.has(key.split('\0')[1]!)) {
      fail(
        `${where}: receipt ${key.replaceAll('\0', ' ')} is ${eventId} to the client, stored is ${stored.get(key)}`,
      )
    }
  }
}

/** Sliding sync has one place for all receipts of one user and kind for one event. The one told may have moved on. */
function isCrowded(device: Device, view: RoomView, key: string, eventId: unknown): boolean {
  if (!(device instanceof SlidingDevice)) return false
  const [kind, user] = key.split('\0')
  return view.receiptPlaces.has(`${kind}\0${user}\0${String(eventId)}`)
}

/** Counts are what counting by hand gives, or at least what the server would count anew. */
async function checkUnread(
  device: Device,
  view: RoomView,
  room: RoomTruth,
  { database, ledger, store }: TownTruth,
): Promise<void> {
  const { user } = device
  /* The merged form of sliding sync has none. Who does not want the events is not told of what they count either. */
  if (device instanceof SlidingDevice && device.habits.stable) return
  if (device.notTypes.length > 0) return
  const counts = ledger.ignoring.has(user)
    ? await serverCounts(store, room.roomId, user)
    : recount(database, room, user)
  const byThread = device instanceof SyncDevice && device.habits.byThread
  const main = byThread ? (counts.get(MAIN) ?? { notifications: 0, highlights: 0 }) : sumOf(counts)
  const text = (count: Count): string => `${count.notifications}/${count.highlights}`
  const threads = (of: ReadonlyMap<string, Count>): string =>
    [...of]
      .filter(([root]) => root !== MAIN)
      .map(([root, count]) => `${root} ${text(count)}`)
      .sort()
      .join()
  const wanted = `${text(main)} ${byThread ? threads(counts) : ''}`
  const told = `${text(view.unread)} ${threads(view.unread.threads)}`
  /* What was purged is no longer counted, and nobody is told. */
  if (room.events.some((event) => event.purged)) return
  if (told !== wanted)
    fail(`${device.name}: room ${room.roomId}: unread is ${wanted}, and ${told} to the client`)
}

async function serverCounts(store: Store, roomId: string, user: string): Promise<Map<string, Count>> {
  const room = await store.rooms.byId(roomId)
  if (!room) return new Map()
  const { main, threads } = await store.push.counts(user, room.nid, store.position())
  return new Map([[MAIN, main], ...threads.map(({ thread, ...count }) => [thread, count] as const)])
}

/** A room as lists have it. */
interface Listed {
  readonly roomId: string
  readonly membership: string
  readonly latest: number
  readonly name: string
  readonly tags: readonly string[]
  readonly direct: boolean
}

/** Lists have the length that they should, and a new connection sees the newest rooms in a window. */
async function checkLists(
  device: SlidingDevice,
  { rooms, ledger }: TownTruth,
  forgotten: ReadonlySet<string>,
  data: AccountData,
): Promise<void> {
  if (ledger.ignoring.has(device.user)) return
  const direct = directRooms(data)
  const listed: Listed[] = []
  for (const room of rooms.values()) {
    const { roomId } = room
    const event = room.events[room.memberIndex(device.user)]
    if (!event || forgotten.has(roomId)) continue
    const membership = event.content.membership as string
    if (membership === 'leave' && event.sender === device.user) continue
    const tags = Object.keys(JSON.parse(data.get(roomId)?.get('m.tag') ?? '{}').tags ?? {})
    const latest = membership === 'join' ? room.events.at(-1)!.nid : event.nid
    listed.push({ roomId, membership, latest, name: nameIn(room) ?? '', tags, direct: direct.has(roomId) })
  }
  listed.sort((a, b) => b.latest - a.latest)
  const lists = new Map(FILTERS.map((filters, i) => [`f${i}`, listed.filter((one) => passes(filters, one))]))
  for (const [name, list] of [...lists, ['all', listed] as const]) {
    const more = name === NAME_FILTER ? listed.filter(isPending).length : 0
    const count = device.counts[name] ?? -1
    if (count < list.length || count > list.length + more) {
      const what = JSON.stringify(FILTERS[Number(name.slice(1))] ?? {})
      fail(
        `${device.name}: the list ${name} ${what} has ${list.length} rooms, and ${device.counts[name]} to the client`,
      )
    }
  }
  const filter = FILTERS.findIndex(
    (_, i) => i >= ledger.operations % FILTERS.length && `f${i}` !== NAME_FILTER,
  )
  for (const [from, to, of, list] of [
    [0, 0, undefined, listed],
    [1, 2, undefined, listed],
    [0, 1, filter, lists.get(`f${filter}`)!],
  ] as const) {
    const shown = (await device.window(from, to, of))?.sort().join()
    const wanted = list.slice(from, to + 1).map((one) => one.roomId)
    if (shown !== undefined && shown !== wanted.sort().join()) {
      fail(`${device.name}: the window ${from} to ${to} of ${of ?? 'all'} shows ${shown}, not ${wanted}`)
    }
  }
}

const NAME_FILTER = `f${FILTERS.findIndex((filters) => 'room_name_like' in filters)}`

function isPending({ membership }: Listed): boolean {
  return membership === 'invite' || membership === 'knock'
}

function passes(filters: Record<string, unknown>, room: Listed): boolean {
  const [[name, value]] = Object.entries(filters) as [[string, unknown]]
  switch (name) {
    case 'is_dm':
      return room.direct === value
    case 'is_invite':
      return (room.membership === 'invite') === value
    case 'tags':
      return room.tags.includes('u.work')
    case 'not_tags':
      return !room.tags.includes('u.work')
    case 'room_name_like':
      /* Who is out of a room is not told what it is called now; who is invited knows what it was called. */
      return room.membership === 'join' && room.name.includes(String(value))
    default:
      return true
  }
}
