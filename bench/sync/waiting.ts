/**
 * Many clients that wait for news, all of them in rooms of ten, while messages are sent to all rooms: delivery times,
 * CPU per delivery, memory of a client that waits (its connection, which takes 21 kB in Node alone, included).
 *
 *   node bench/sync/waiting.ts --url U --shared-secret S --clients 1000 --rate 200 --seconds 30
 */

import { benchOf, fillRooms, progress } from '../lib/bench.ts'
import { runDelivery } from '../lib/delivery.ts'
import { Meter } from '../lib/meter.ts'
import { treeMemory } from '../lib/proc.ts'
import { Sender } from '../lib/sends.ts'

const ROOM_MEMBERS = 10
const TEXT_BYTES = 100
/** How long a server has nothing to do before its memory is read: long enough to let go of what a burst left behind. */
const IDLE_MS = 15_000

const bench = benchOf({ clients: 1000, rate: 200, seconds: 30 })
const { target, processes, numbers } = bench
const users = await bench.setup.users(numbers['clients']!)
const memberships = Array.from({ length: Math.floor(users.length / ROOM_MEMBERS) }, (_, n) =>
  users.slice(n * ROOM_MEMBERS, (n + 1) * ROOM_MEMBERS),
)
const rooms = await fillRooms(bench, memberships, 0)
progress(`${users.length} users in ${rooms.length} rooms`)
const readers = memberships.flatMap((members, n) => members.map((user) => ({ user, roomId: rooms[n]! })))
const senders = memberships.map(
  ([user], n) => new Sender(target, user!, rooms[n]!, `waiting-${n}`, TEXT_BYTES),
)

const memory = (): number => {
  const { server, database } = processes
  return treeMemory(server).rss + (database.length > 0 ? treeMemory(database).rss : 0)
}
const idle = () => new Promise((resolve) => setTimeout(resolve, IDLE_MS))
await idle()
const before = memory()
let waiting = 0
const figures = await runDelivery(
  target,
  senders,
  readers,
  { presence: 'offline', timelineLimit: 10 },
  { warmUpMs: 5000, measureMs: numbers['seconds']! * 1000, operationsMax: Number.POSITIVE_INFINITY },
  numbers['rate']!,
  new Meter(processes),
  async () => {
    await idle()
    waiting = memory()
  },
)
const { latencyMs, sendLatencyMs, cpuPerDelivery } = figures
console.log('| figure | value |\n|---|---|')
const say = (name: string, value: string | number): void => console.log(`| ${name} | ${value} |`)
say('waiting clients', readers.length)
say('memory of a waiting client, kB', ((waiting - before) / readers.length / 1000).toFixed(1))
say('sends per second', figures.sentPerSecond.toFixed(1))
say('deliveries', figures.deliveries)
say('delivery p50, ms', latencyMs.p50.toFixed(1))
say('delivery p99, ms', latencyMs.p99.toFixed(1))
say('send p50, ms', sendLatencyMs.p50.toFixed(1))
say('send p99, ms', sendLatencyMs.p99.toFixed(1))
say('CPU per delivery, ms', cpuPerDelivery.allMs.toFixed(3))
say('missing', figures.missing)
say('doubled', figures.doubled)
say('failures', figures.failures.count)
bench.setup.close()
