/** What users do for themselves: what they have read, who types, account data, names. */
import type { Device } from './device.ts'
import { type Doer, roomPath } from './doer.ts'

export async function setData(doer: Doer, device: Device, inRoom: boolean): Promise<void> {
  const { ledger, world, server } = doer.around
  const roomId = inRoom ? doer.room(device) : undefined
  if (inRoom && roomId === undefined) return
  const type = doer.rng.pick(['org.example.a', 'org.example.b'])
  const value = doer.marker()
  const name = `${server.name} data ${doer.user} ${type}${roomId === undefined ? '' : ` ${roomId}`}`
  const entry = ledger.write(name, value, world.time)
  const answer = await device.insist('PUT', dataPath(doer, type, roomId), { value })
  if (answer) entry.repeated = answer.tries > 1
  if (answer?.status === 200) entry.done = world.time
}

function dataPath(doer: Doer, type: string, roomId?: string): string {
  const where = roomId === undefined ? '' : roomPath(roomId)
  return `/user/${encodeURIComponent(doer.user)}${where}/account_data/${type}`
}

export async function setName(doer: Doer, device: Device): Promise<void> {
  const { ledger, world, server } = doer.around
  const value = doer.marker()
  const entry = ledger.write(`${server.name} name ${doer.user}`, value, world.time)
  const path = `/profile/${encodeURIComponent(doer.user)}/displayname`
  const answer = await device.insist('PUT', path, { displayname: value })
  if (answer) entry.repeated = answer.tries > 1
  if (answer?.status === 200) entry.done = world.time
}

/** Reads up to one of the newest events that the device has, or moves the marker. */
export async function read(doer: Doer, device: Device): Promise<void> {
  const { rng } = doer
  const { ledger } = doer.around
  const roomId = doer.room(device)
  const events = roomId === undefined ? [] : (device.rooms.get(roomId)?.flat() ?? [])
  if (roomId === undefined || events.length === 0) return
  const eventId = rng.pick(events.slice(-rng.pick([1, 3, 10])))
  if (rng.chance(0.2)) {
    const markers = { 'm.fully_read': eventId, ...(rng.chance(0.5) ? { 'm.read': eventId } : {}) }
    await device.insist('POST', `${roomPath(roomId)}/read_markers`, markers)
    return
  }
  const kind = rng.pick(['m.read', 'm.read', 'm.read.private'])
  const own = ledger.events.find((event) => event.eventId === eventId)?.thread ?? 'main'
  const thread = rng.pick(['', '', own])
  const body = thread === '' ? {} : { thread_id: thread }
  const path = `${roomPath(roomId)}/receipt/${kind}/${encodeURIComponent(eventId)}`
  const answer = await device.insist('POST', path, body)
  if (answer?.status === 200) ledger.receipts.push({ user: doer.user, roomId, kind, thread, eventId })
}

export async function type(doer: Doer, device: Device): Promise<void> {
  const roomId = doer.room(device)
  if (roomId === undefined) return
  const path = `${roomPath(roomId)}/typing/${encodeURIComponent(doer.user)}`
  const timeout = doer.rng.pick([500, 5000, 30_000])
  await device.ask('PUT', path, doer.rng.chance(0.7) ? { typing: true, timeout } : { typing: false })
}

/** Sorts rooms: a tag, or which of them are direct. */
export async function sort(doer: Doer, device: Device): Promise<void> {
  const { rng, here } = doer
  if (rng.chance(0.4)) {
    const rooms = here.filter(() => rng.chance(0.5))
    await device.insist('PUT', dataPath(doer, 'm.direct'), { [doer.someone()]: rooms })
    return
  }
  const roomId = doer.room(device)
  if (roomId === undefined) return
  const path = `/user/${encodeURIComponent(doer.user)}${roomPath(roomId)}/tags/u.work`
  if (rng.chance(0.7)) await device.insist('PUT', path, { order: 0.5 })
  else await device.insist('DELETE', path)
}

/** Ignores some users, and nobody else from then on. */
export async function ignore(doer: Doer, device: Device): Promise<void> {
  const { ledger, world } = doer.around
  const users = doer.rng.chance(0.15) ? [] : [doer.someone()].filter((user) => user !== doer.user)
  const writes = ledger.ignoring.get(doer.user) ?? []
  ledger.ignoring.set(doer.user, writes)
  const write = {
    value: '',
    begun: world.time,
    done: undefined as number | undefined,
    users,
    repeated: false,
  }
  writes.push(write)
  const content = { ignored_users: Object.fromEntries(users.map((user) => [user, {}])) }
  const answer = await device.insist('PUT', dataPath(doer, 'm.ignored_user_list'), content)
  write.repeated = answer === undefined || answer.tries > 1
  if (answer?.status === 200) write.done = world.time
}
