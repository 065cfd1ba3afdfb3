/**
 * The smallest server that answers what the load generator calls: accounts, rooms, sends and long-polled /sync in
 * memory. No database, no cryptography, no event graph, nothing durable. It exists to show what the generator itself
 * can do; its figures say nothing about Matrix servers. Loopback only.
 *
 *   node bench/hollow.ts [PORT]
 */
import { createServer, type Socket } from 'node:net'

const HOST = '127.0.0.1'
const REQUEST_BYTES_MAX = 64 * 1024
/** Messages a room keeps; enough for the pages the generator asks for. */
const TIMELINE_MAX = 2_000

interface Room {
  readonly id: string
  readonly members: Set<string>
  readonly invited: Set<string>
  /** Events as JSON text; the first has position `first`. */
  timeline: string[]
  first: number
  readonly waiting: Set<() => void>
}

interface Request {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly userId: string | undefined
  readonly body: string
}

type Reply = (status: number, json: string) => void

const users = new Map<string, string>()
const rooms = new Map<string, Room>()
const roomsOf = new Map<string, Set<Room>>()
/** Event ids by user and transaction id. */
const transactions = new Map<string, string>()
let made = 0

const STATUS: Readonly<Record<number, string>> = {
  200: 'OK',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
}

function answer(socket: Socket): Reply {
  return (status, json) => {
    const head = `HTTP/1.1 ${status} ${STATUS[status]}\r\nContent-Type: application/json\r\nContent-Length: `
    if (socket.writable) socket.write(`${head}${json.length}\r\n\r\n${json}`, 'latin1')
  }
}

function handle(request: Request, reply: Reply) {
  const [, , , , noun, id = '', verb, , transactionId = ''] = request.path.split('/')
  if (request.path === '/_matrix/client/versions') return reply(200, '{"versions":["v1.11"]}')
  if (noun === 'register') return register(request, reply)
  if (request.path === '/_matrix/federation/v1/version') {
    return reply(200, '{"server":{"name":"hollow","version":"0"}}')
  }
  if (!request.userId) return reply(401, '{"errcode":"M_UNKNOWN_TOKEN","error":"unknown token"}')
  if (noun === 'createRoom') return createRoom(request.userId, reply)
  if (noun === 'sync') return sync(request, request.userId, reply)
  const room = rooms.get(decodeURIComponent(id))
  if (noun !== 'rooms' || !room) return reply(404, '{"errcode":"M_NOT_FOUND","error":"not found"}')
  if (verb === 'invite') return invite(room, request, reply)
  if (verb === 'join' && room.invited.delete(request.userId)) return join(room, request.userId, reply)
  if (!room.members.has(request.userId))
    return reply(403, '{"errcode":"M_FORBIDDEN","error":"not in the room"}')
  if (verb === 'send') return send(room, request, request.userId, transactionId, reply)
  if (verb === 'messages')
    return reply(200, `{"start":"0","chunk":[${[...room.timeline].reverse().join(',')}]}`)
  return reply(404, '{"errcode":"M_UNRECOGNIZED","error":"unrecognised"}')
}

function register(request: Request, reply: Reply) {
  const { username, auth } = JSON.parse(request.body) as { username: string; auth?: unknown }
  if (!auth) return reply(401, '{"session":"s","flows":[{"stages":["m.login.dummy"]}],"params":{}}')
  const userId = `@${username}:hollow.localhost`
  const token = `token-${++made}`
  users.set(token, userId)
  roomsOf.set(userId, new Set())
  reply(200, JSON.stringify({ user_id: userId, access_token: token, device_id: 'D' }))
}

function createRoom(userId: string, reply: Reply): void {
  const id = `!room${++made}:hollow.localhost`
  const room = {
    id,
    members: new Set([userId]),
    invited: new Set<string>(),
    timeline: [],
    first: 0,
    waiting: new Set<() => void>(),
  }
  rooms.set(id, room)
  roomsOf.get(userId)!.add(room)
  reply(200, JSON.stringify({ room_id: id }))
}

function invite(room: Room, request: Request, reply: Reply): void {
  room.invited.add((JSON.parse(request.body) as { user_id: string }).user_id)
  reply(200, '{}')
}

function join(room: Room, userId: string, reply: Reply): void {
  room.members.add(userId)
  roomsOf.get(userId)!.add(room)
  reply(200, JSON.stringify({ room_id: room.id }))
}

function send(room: Room, request: Request, userId: string, transactionId: string, reply: Reply): void {
  const key = `${userId} ${transactionId}`
  let eventId = transactions.get(key)
  if (!eventId) {
    eventId = `$event${++made}`
    if (transactions.size >= 100_000) transactions.clear()
    transactions.set(key, eventId)
    const fields = `"type":"m.room.message","event_id":"${eventId}","sender":"${userId}","origin_server_ts":${Date.now()}`
    room.timeline.push(`{"content":${request.body},${fields}}`)
    if (room.timeline.length > TIMELINE_MAX) {
      room.first += TIMELINE_MAX / 2
      room.timeline = room.timeline.slice(TIMELINE_MAX / 2)
    }
    const waiting = [...room.waiting]
    room.waiting.clear()
    for (const wake of waiting) wake()
  }
  reply(200, `{"event_id":"${eventId}"}`)
}

/** Positions are one number per room, in the order in which the user joined. */
function sync(request: Request, userId: string, reply: Reply) {
  const query = new URLSearchParams(request.query)
  const joined = [...roomsOf.get(userId)!]
  const ends = () => joined.map((room) => room.first + room.timeline.length)
  const since = (query.get('since') ?? '').split('_').map(Number)
  const respond = () => {
    const parts = joined.map((room, index) => {
      const events = room.timeline.slice(Math.max(0, (since[index] ?? 0) - room.first))
      return events.length === 0
        ? ''
        : `"${room.id}":{"timeline":{"events":[${events.join(',')}],"limited":false}}`
    })
    const join = parts.filter((part) => part !== '').join(',')
    reply(200, `{"next_batch":"${ends().join('_') || '0'}","rooms":{"join":{${join}}}}`)
  }
  if (!query.has('since') || ends().some((end, index) => end > (since[index] ?? 0))) return respond()
  const wake = () => {
    clearTimeout(timer)
    for (const room of joined) room.waiting.delete(wake)
    respond()
  }
  const timer = setTimeout(wake, Math.min(Number(query.get('timeout')), 60_000))
  for (const room of joined) room.waiting.add(wake)
}

/** The request at the start of `text`, with its length; null while it is incomplete. */
function parse(text: string): { request: Request; length: number } | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const lengthAt = text.indexOf('\r\nContent-Length: ')
  const bodyLength = lengthAt < 0 || lengthAt > headEnd ? 0 : Number.parseInt(text.slice(lengthAt + 18), 10)
  const length = headEnd + 4 + bodyLength
  if (text.length < length) return null
  const tokenAt = text.indexOf('\r\nAuthorization: Bearer ')
  const token = tokenAt < 0 ? '' : text.slice(tokenAt + 24, text.indexOf('\r\n', tokenAt + 2))
  const [method = '', target = ''] = text.slice(0, text.indexOf('\r\n')).split(' ')
  const [path = '', query = ''] = target.split('?')
  const body = text.slice(headEnd + 4, length)
  return { request: { method, path, query, userId: users.get(token), body }, length }
}

const server = createServer({ noDelay: true }, (socket) => {
  let held = ''
  const reply = answer(socket)
  socket.setEncoding('latin1')
  socket.on('error', () => socket.destroy())
  socket.on('data', (text: string) => {
    held += text
    for (let next = parse(held); next; next = parse(held)) {
      held = held.slice(next.length)
      handle(next.request, reply)
    }
    if (held.length > REQUEST_BYTES_MAX) socket.destroy()
  })
})
const port = Number(process.argv[2] ?? 8009)
server.listen(port, HOST, () => console.log(`http://${HOST}:${port} (pid ${process.pid})`))
