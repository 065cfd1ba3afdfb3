/**
 * A user in many rooms: an incremental sync with nothing new, one with one new message, an initial sync, and the first
 * window of a sliding sync.
 *
 *   node bench/sync/quiet.ts --url U --shared-secret S --rooms 5000
 */

import { ask, at, benchOf, fillRooms, progress, timed } from '../lib/bench.ts'
import { Connection } from '../lib/connection.ts'
import { requestText } from '../lib/matrix.ts'

const ROUNDS = 200
const SLIDING = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'

const bench = benchOf({ rooms: 5000, few: 50 })
const { target } = bench
const [many, other, few] = await bench.setup.users(3)
const connection = new Connection(target)

async function say(name: string, values: readonly number[], bytes: number): Promise<void> {
  await bench.stalls.tell(name)
  const cells = [
    name,
    values.length,
    at(values, 50).toFixed(2),
    at(values, 99).toFixed(2),
    at(values, 100).toFixed(2),
  ]
  console.log(`| ${[...cells, bytes].join(' | ')} |`)
}

console.log('| what | times | p50 ms | p99 ms | max ms | bytes of the last |')
console.log('|---|---|---|---|---|---|')
for (const [user, rooms] of [
  [few!, bench.numbers['few']!],
  [many!, bench.numbers['rooms']!],
] as const) {
  progress(`filling ${rooms} rooms`)
  const memberships = Array.from({ length: rooms }, () => [other!, user])
  const ids = await fillRooms(bench, memberships, 1)
  await bench.stalls.skip()
  const get = (path: string) => timed(connection, requestText(target, 'GET', path, user.accessToken))
  const first = await get('/_matrix/client/v3/sync?timeout=0&set_presence=offline')
  if (first.status !== 200) throw new Error(`initial sync: ${first.status}`)
  await say(`initial sync, ${rooms} rooms`, [first.ms], first.bytes)
  let since = String((JSON.parse(first.text) as { next_batch: string }).next_batch)
  const idle: number[] = []
  let bytes = 0
  for (let n = 0; n < ROUNDS; n++) {
    const answer = await get(`/_matrix/client/v3/sync?timeout=0&set_presence=offline&since=${since}`)
    since = String((JSON.parse(answer.text) as { next_batch: string }).next_batch)
    idle.push(answer.ms)
    bytes = answer.bytes
  }
  await say(`nothing new, ${rooms} rooms`, idle, bytes)
  const one: number[] = []
  for (let n = 0; n < ROUNDS; n++) {
    const room = encodeURIComponent(ids[(n * 7919) % ids.length]!)
    const path = `/_matrix/client/v3/rooms/${room}/send/m.room.message/q${n}`
    await ask(connection, target, other!, 'PUT', path, { msgtype: 'm.text', body: 'news' })
    const answer = await get(`/_matrix/client/v3/sync?timeout=0&set_presence=offline&since=${since}`)
    since = String((JSON.parse(answer.text) as { next_batch: string }).next_batch)
    if (!answer.text.includes('"news"')) throw new Error('the message did not come')
    one.push(answer.ms)
    bytes = answer.bytes
  }
  await say(`one message, ${rooms} rooms`, one, bytes)
  const required = [
    ['m.room.avatar', ''],
    ['m.room.encryption', ''],
    ['m.room.member', '$LAZY'],
  ]
  const list = { ranges: [[0, 19]], timeline_limit: 1, required_state: required }
  const sliding: number[] = []
  for (let n = 0; n < ROUNDS / 4; n++) {
    const body = { conn_id: `c${n}`, lists: { all: list } }
    const answer = await timed(connection, requestText(target, 'POST', SLIDING, user.accessToken, body))
    if (answer.status !== 200) {
      progress(`sliding sync answers ${answer.status}`)
      break
    }
    sliding.push(answer.ms)
    bytes = answer.bytes
  }
  if (sliding.length > 0) await say(`sliding sync, first window of 20, ${rooms} rooms`, sliding, bytes)
}
console.log(bench.stalls.table())
bench.setup.close()
process.exit(0)
