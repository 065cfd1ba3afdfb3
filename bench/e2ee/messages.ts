/**
 * Messages to devices and key backup: a message to a thousand devices, a device with many messages waiting, uploads
 * of a thousand room keys. Requests per second, percentiles, CPU of the server.
 *
 *   node bench/e2ee/messages.ts --url U --shared-secret S [--devices 990 --waiting 10000 --keys 1000 --repeat 20]
 *
 * The devices are of as many users. Encrypted messages have a content of their own for each device.
 */
import { Connection } from '../lib/connection.ts'
import type { User } from '../lib/matrix.ts'
import { Meter } from '../lib/meter.ts'
import { Samples } from '../lib/samples.ts'
import { benchOf, progress, ask as request } from '../sync/grid.ts'

const V3 = '/_matrix/client/v3'
const CONTENT_CHARS = 1000
const MESSAGES_AT_ONCE = 100

const bench = benchOf({ devices: 990, waiting: 10_000, keys: 1000, repeat: 20 })
const { target, processes, numbers, setup } = bench
const repeat = numbers['repeat']!
const connection = new Connection(target)
const run = Date.now().toString(36)

type Json = Record<string, unknown>

const ask = (user: User, method: string, path: string, body?: unknown): Promise<Json> =>
  request(connection, target, user, method, path, body)

const say = (...cells: (string | number)[]): void => console.log(`| ${cells.join(' | ')} |`)

/** Runs a request many times in a row; says how long each took, and the server's CPU time. */
async function measure(name: string, times: number, work: (n: number) => Promise<unknown>): Promise<void> {
  await work(-1)
  const samples = new Samples(times)
  const meter = new Meter(processes)
  const began = performance.now()
  for (let n = 0; n < times; n++) {
    const from = performance.now()
    await work(n)
    samples.add(performance.now() - from)
  }
  const seconds = (performance.now() - began) / 1000
  const { serverMs, databaseMs } = meter.stop()
  const { p50, p99 } = samples.summary()
  const cpu = ((serverMs + databaseMs) / times).toFixed(2)
  say(name, (times / seconds).toFixed(1), p50.toFixed(1), p99.toFixed(1), cpu)
}

const content = (n: number, m: number): Json => ({
  algorithm: 'm.olm.v1',
  n,
  m,
  ciphertext: 'x'.repeat(CONTENT_CHARS),
})

const users = await setup.users(numbers['devices']! + 1)
const [sender, ...receivers] = users
if (!sender || !receivers[0]) throw new Error('too few users')
const devices: string[] = []
for (const user of receivers)
  devices.push(String((await ask(user, 'GET', `${V3}/account/whoami`))['device_id']))
progress(`${receivers.length} devices`)

say('what', 'per second', 'p50 ms', 'p99 ms', 'CPU ms')
say('---', '---', '---', '---', '---')
await measure(`to ${receivers.length} devices, a content for each`, repeat, (n) => {
  const messages = receivers.map((user, m) => [user.userId, { [devices[m]!]: content(n, m) }])
  return ask(sender, 'PUT', `${V3}/sendToDevice/m.room.encrypted/${run}-own-${n}`, {
    messages: Object.fromEntries(messages),
  })
})
await measure(`to ${receivers.length} devices, one content`, repeat, (n) => {
  const messages = receivers.map((user, m) => [user.userId, { [devices[m]!]: content(n, 0) }])
  return ask(sender, 'PUT', `${V3}/sendToDevice/m.room.encrypted/${run}-one-${n}`, {
    messages: Object.fromEntries(messages),
  })
})
await measure('to one device', repeat * 20, (n) =>
  ask(sender, 'PUT', `${V3}/sendToDevice/m.room.encrypted/${run}-single-${n}`, {
    messages: { [receivers[1]!.userId]: { '*': content(n, 0) } },
  }),
)

/* A device for which many messages wait reads them to the end. */
const reader = receivers[0]
for (let n = 0; n < numbers['waiting']!; n++) {
  await ask(sender, 'PUT', `${V3}/sendToDevice/m.room.encrypted/${run}-wait-${n}`, {
    messages: { [reader.userId]: { '*': content(n, 0) } },
  })
}
progress(`${numbers['waiting']} messages wait`)
let since = ''
let read = 0
const syncs = Math.floor(numbers['waiting']! / MESSAGES_AT_ONCE) - 2
await measure(`sync with ${numbers['waiting']} messages waiting`, syncs, async () => {
  const answer = await ask(reader, 'GET', `${V3}/sync?timeout=0${since === '' ? '' : `&since=${since}`}`)
  since = String(answer['next_batch'])
  read += ((answer['to_device'] as { events?: unknown[] } | undefined)?.events ?? []).length
})
progress(`${read} messages read`)

/* Uploads of room keys into a backup that grows. */
const algorithm = 'm.megolm_backup.v1.curve25519-aes-sha2'
const { version } = await ask(sender, 'POST', `${V3}/room_keys/version`, {
  algorithm,
  auth_data: { public_key: 'k' },
})
await measure(`backup of ${numbers['keys']} keys`, repeat, (n) => {
  const sessions = Array.from({ length: numbers['keys']! }, (_, k) => [
    `session-${n}-${k}`,
    {
      first_message_index: 0,
      forwarded_count: 0,
      is_verified: true,
      session_data: { ephemeral: 'e'.repeat(43), mac: 'm'.repeat(11), ciphertext: 'c'.repeat(700) },
    },
  ])
  const rooms = { '!room:bench': { sessions: Object.fromEntries(sessions) } }
  return ask(sender, 'PUT', `${V3}/room_keys/keys?version=${version}`, { rooms })
})
const from = performance.now()
const all = await ask(sender, 'GET', `${V3}/room_keys/keys?version=${version}`)
const count = Object.values(all['rooms'] as Record<string, { sessions: object }>).reduce(
  (sum, { sessions }) => sum + Object.keys(sessions).length,
  0,
)
progress(`${count} keys given in ${Math.round(performance.now() - from)} ms`)
connection.close()
setup.close()
