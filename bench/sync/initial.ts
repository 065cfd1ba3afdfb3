/**
 * Initial sync of many rooms: 1T, 5T and 20T (timeline of 1, 5, 20 with lazy members) and 10F (timeline of 10, all
 * members), by one user and by all at once.
 *
 *   node bench/sync/initial.ts --url U --shared-secret S --users 50 --rooms 50 --members 50
 */

import { at, type Bench, benchOf, fillRooms, progress, timed } from '../lib/bench.ts'
import { Connection } from '../lib/connection.ts'
import { INITIAL_SYNC_MS_MAX } from '../lib/limits.ts'
import { requestText, type User } from '../lib/matrix.ts'
import { Meter } from '../lib/meter.ts'

const SETTINGS = [
  { name: '1T', limit: 1, lazy: true },
  { name: '5T', limit: 5, lazy: true },
  { name: '10F', limit: 10, lazy: false },
  { name: '20T', limit: 20, lazy: true },
] as const

function syncRequest(bench: Bench, user: User, setting: (typeof SETTINGS)[number]): string {
  const state = { lazy_load_members: setting.lazy }
  const filter = { room: { timeline: { limit: setting.limit }, state }, presence: { not_types: ['*'] } }
  const query = `timeout=0&set_presence=offline&filter=${encodeURIComponent(JSON.stringify(filter))}`
  return requestText(bench.target, 'GET', `/_matrix/client/v3/sync?${query}`, user.accessToken)
}

async function measure(
  bench: Bench,
  users: readonly User[],
  setting: (typeof SETTINGS)[number],
): Promise<string> {
  const meter = new Meter(bench.processes)
  const connections = users.map(() => new Connection(bench.target, INITIAL_SYNC_MS_MAX))
  await bench.stalls.skip()
  meter.start()
  const begun = performance.now()
  const answers = await Promise.all(
    users.map(async (user, index) => {
      const { status, ms, bytes } = await timed(connections[index]!, syncRequest(bench, user, setting))
      return { status, ms, bytes }
    }),
  )
  const wall = (performance.now() - begun) / 1000
  const cpu = meter.stop()
  await bench.stalls.tell(`initial sync ${setting.name}, ${users.length} at once`)
  for (const connection of connections) connection.close()
  const failed = answers.filter(({ status }) => status !== 200).length
  const times = answers.map(({ ms }) => ms / 1000)
  const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0)
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length
  const cpuSeconds = (cpu.serverMs + cpu.databaseMs) / 1000
  const cells = [setting.name, users.length, wall.toFixed(3), mean.toFixed(3), at(times, 100).toFixed(3)]
  cells.push(cpuSeconds.toFixed(2), (bytes / 1e6).toFixed(2), ((cpuSeconds * 1e9) / bytes).toFixed(0), failed)
  return `| ${cells.join(' | ')} |`
}

const bench = benchOf({ users: 50, rooms: 50, members: 50, messages: 20 })
const {
  users: count,
  rooms,
  members,
  messages,
} = bench.numbers as Record<'users' | 'rooms' | 'members' | 'messages', number>
progress(`making ${Math.max(count, members)} users`)
const users = await bench.setup.users(Math.max(count, members))
/* Every syncing user is in every room; where there are more users than places, rooms take turns. */
const memberships = Array.from({ length: rooms }, (_, room) =>
  Array.from(
    { length: members },
    (_, n) => users[(members < count ? room * members + n : n) % users.length]!,
  ),
)
progress(`filling ${rooms} rooms of ${members}`)
await fillRooms(bench, memberships, messages)
progress('measuring')
console.log(`${count} users, ${rooms} rooms of ${members} members, ${messages} messages each\n`)
console.log('| setting | users at once | wall s | mean s | max s | CPU s | MB | CPU ns/byte | failed |')
console.log('|---|---|---|---|---|---|---|---|---|')
for (const setting of SETTINGS) {
  console.log(await measure(bench, users.slice(0, 1), setting))
  console.log(await measure(bench, users.slice(0, count), setting))
}
console.log(bench.stalls.table())
bench.setup.close()
process.exit(0)
