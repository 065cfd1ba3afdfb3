/**
 * Paging back through a long room: time per page over its whole length.
 *
 *   node bench/sync/history.ts --url U --shared-secret S --events 100000
 */

import { ask, at, benchOf, progress, timed } from '../lib/bench.ts'
import { Connection } from '../lib/connection.ts'
import { forEachLimited, requestText } from '../lib/matrix.ts'
import { Meter } from '../lib/meter.ts'

const SENDERS = 64
const PAGE = 100

const bench = benchOf({ events: 100_000 })
const { target } = bench
const [user] = await bench.setup.users(1)
const connection = new Connection(target)
const made = await ask(connection, target, user!, 'POST', '/_matrix/client/v3/createRoom', {
  preset: 'private_chat',
})
const path = `/_matrix/client/v3/rooms/${encodeURIComponent(String(made['room_id']))}`
const events = bench.numbers['events']!
progress(`sending ${events} events`)
const senders = Array.from({ length: SENDERS }, () => new Connection(target))
await forEachLimited(
  Array.from({ length: events }, (_, n) => n),
  SENDERS,
  async (n, slot) => {
    const body = { msgtype: 'm.text', body: `message ${n} in a long history that somebody reads back` }
    await ask(senders[slot]!, target, user!, 'PUT', `${path}/send/m.room.message/h${n}`, body)
  },
)
for (const sender of senders) sender.close()
progress('paging')
const PARTS = 10
const partPages = Math.ceil(events / PAGE / PARTS)
const meter = new Meter(bench.processes)
let times: number[] = []
let seen = 0
console.log('| events read before | pages | p50 ms | p99 ms | CPU ms a page |')
console.log('|---|---|---|---|---|')
function part(): void {
  const { serverMs, databaseMs } = meter.stop()
  const cells = [seen - times.length * PAGE, times.length, at(times, 50).toFixed(2), at(times, 99).toFixed(2)]
  console.log(`| ${[...cells, ((serverMs + databaseMs) / times.length).toFixed(2)].join(' | ')} |`)
  times = []
  meter.start()
}
meter.start()
for (let from: string | undefined = ''; from !== undefined; ) {
  const url = `${path}/messages?dir=b&limit=${PAGE}${from ? `&from=${encodeURIComponent(from)}` : ''}`
  const answer = await timed(connection, requestText(target, 'GET', url, user!.accessToken))
  if (answer.status !== 200) throw new Error(`/messages: ${answer.status}`)
  const { end, chunk } = JSON.parse(answer.text) as { end?: string; chunk: unknown[] }
  times.push(answer.ms)
  seen += chunk.length
  from = end
  if (times.length === partPages || (from === undefined && times.length > 0)) part()
}
if (seen < events) throw new Error(`${seen} events came of ${events}`)
bench.setup.close()
process.exit(0)
