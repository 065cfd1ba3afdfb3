/**
 * A room of many local members: sending, joining, the first sync of a new member, its member list; and a room made
 * with many bans.
 *
 *   node bench/sync/large-room.ts --url U --shared-secret S --members 10000 --bans 5000
 */
import { Connection } from '../lib/connection.ts'
import { requestText, type User } from '../lib/matrix.ts'
import { Meter } from '../lib/meter.ts'
import { ask, at, benchOf, progress, timed } from './grid.ts'

const SENDS = 200
const USERS_AT_ONCE = 1000

const bench = benchOf({ members: 10_000, bans: 5000 })
const { target, processes } = bench
const [owner, last] = await bench.setup.users(2)
const connection = new Connection(target)
const meter = new Meter(processes)

function say(name: string, values: readonly number[], extra = ''): void {
  const cells = [name, values.length, at(values, 50).toFixed(2), at(values, 99).toFixed(2), extra]
  console.log(`| ${cells.join(' | ')} |`)
}

async function room(): Promise<string> {
  const made = await ask(connection, target, owner!, 'POST', '/_matrix/client/v3/createRoom', {
    preset: 'public_chat',
  })
  return `/_matrix/client/v3/rooms/${encodeURIComponent(String(made['room_id']))}`
}

async function sends(name: string, path: string): Promise<void> {
  const times: number[] = []
  meter.start()
  for (let n = 0; n < SENDS; n++) {
    const body = { msgtype: 'm.text', body: `message ${n}` }
    const url = `${path}/send/m.room.message/${encodeURIComponent(name)}${n}`
    const { status, ms } = await timed(connection, requestText(target, 'PUT', url, owner!.accessToken, body))
    if (status !== 200) throw new Error(`send: ${status}`)
    times.push(ms)
  }
  const cpu = meter.stop()
  say(name, times, `${((cpu.serverMs + cpu.databaseMs) / SENDS).toFixed(2)} ms CPU each`)
}

console.log('| what | times | p50 ms | p99 ms | |')
console.log('|---|---|---|---|---|')
await sends('send, alone in the room', await room())
const path = await room()
const wanted = bench.numbers['members']!
const joins: number[] = []
progress(`joining ${wanted} members`)
for (let done = 0; done < wanted; done += USERS_AT_ONCE) {
  const batch = benchOf({ members: 10_000, bans: 5000 }).setup
  const users: User[] = await batch.users(Math.min(USERS_AT_ONCE, wanted - done))
  for (const user of users) {
    const { status, ms } = await timed(
      connection,
      requestText(target, 'POST', `${path}/join`, user.accessToken, {}),
    )
    if (status !== 200) throw new Error(`join: ${status}`)
    joins.push(ms)
  }
  batch.close()
}
say('join, first tenth', joins.slice(0, joins.length / 10))
say('join, last tenth', joins.slice(-joins.length / 10))
await sends(`send, ${wanted} members`, path)
const joined = await timed(connection, requestText(target, 'POST', `${path}/join`, last!.accessToken, {}))
say('join of one more', [joined.ms])
const lazy = { room: { state: { lazy_load_members: true } } }
for (const [name, filter] of [
  ['first sync of a new member, lazy', lazy],
  ['first sync of a new member, all members', {}],
] as const) {
  const query = `timeout=0&filter=${encodeURIComponent(JSON.stringify(filter))}`
  const answer = await timed(
    connection,
    requestText(target, 'GET', `/_matrix/client/v3/sync?${query}`, last!.accessToken),
  )
  if (answer.status !== 200) throw new Error(`sync: ${answer.status}`)
  say(name, [answer.ms], `${answer.bytes} bytes`)
}
for (const name of ['members', 'joined_members']) {
  const answers: number[] = []
  let bytes = 0
  for (let n = 0; n < 5; n++) {
    const answer = await timed(connection, requestText(target, 'GET', `${path}/${name}`, last!.accessToken))
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`)
    answers.push(answer.ms)
    bytes = answer.bytes
  }
  say(`/${name}`, answers, `${bytes} bytes`)
}
const bans = Array.from({ length: bench.numbers['bans']! }, (_, n) => ({
  type: 'm.room.member',
  state_key: `@banned-${n}:elsewhere.example`,
  content: { membership: 'ban' },
}))
const request = { preset: 'private_chat', initial_state: bans }
const made = await timed(
  connection,
  requestText(target, 'POST', '/_matrix/client/v3/createRoom', owner!.accessToken, request),
)
say(`createRoom with ${bans.length} bans`, [made.ms], `status ${made.status}`)
bench.setup.close()
process.exit(0)
