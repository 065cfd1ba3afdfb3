/**
 * Keys at work: uploads by several devices at once, questions about the devices of many users, claims for many devices.
 *
 *   node bench/e2ee/keys.ts --url U --shared-secret S --pid P [--users 1000] [--claimed 500] [--rounds 20] [--senders 20]
 */
import { Connection } from '../lib/connection.ts'
import { forEachLimited, requestText, type User } from '../lib/matrix.ts'
import { treeCpuMs } from '../lib/proc.ts'
import { ask, at, benchOf, progress, timed } from '../sync/grid.ts'

const V3 = '/_matrix/client/v3'
const CURVE = 'signed_curve25519'
/** One-time keys of each device, and of one upload that is measured. */
const KEYS_EACH = 50
const KEYS_PER_UPLOAD = 20

const bench = benchOf({ users: 1000, claimed: 500, rounds: 20, senders: 20 })
const { target } = bench
const { users: userCount, claimed, rounds, senders } = bench.numbers as Record<string, number>

/** Unpadded Base64 of so many bytes; the server cannot tell it from a key. */
const made = (bytes: number): string =>
  Buffer.from(Array.from({ length: bytes }, () => Math.floor(Math.random() * 256)))
    .toString('base64')
    .replaceAll('=', '')

interface Device {
  readonly user: User
  readonly id: string
}

function oneTimeKeys({ user, id }: Device, prefix: string, count: number): object {
  const signatures = () => ({ [user.userId]: { [`ed25519:${id}`]: made(64) } })
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `${CURVE}:${prefix}${i}`,
      { key: made(32), signatures: signatures() },
    ]),
  )
}

function deviceKeys({ user, id }: Device): object {
  return {
    user_id: user.userId,
    device_id: id,
    algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
    keys: { [`curve25519:${id}`]: made(32), [`ed25519:${id}`]: made(32) },
    signatures: { [user.userId]: { [`ed25519:${id}`]: made(64) } },
  }
}

function row(name: string, ms: readonly number[], wallMs: number, cpu: number): void {
  const cells = [
    name,
    ms.length,
    ((ms.length * 1000) / wallMs).toFixed(1),
    at(ms, 50).toFixed(2),
    at(ms, 99).toFixed(2),
    (cpu / ms.length).toFixed(2),
  ]
  console.log(`| ${cells.join(' | ')} |`)
}

/** One measured request after the other on each of some connections; answers must be 200. */
async function measure(
  name: string,
  requests: readonly string[],
  atOnce: number,
  check: (text: string) => void = () => {},
): Promise<void> {
  const connections = Array.from({ length: atOnce }, () => new Connection(target))
  const ms: number[] = []
  const cpu = treeCpuMs(bench.processes.server)
  const begun = performance.now()
  await forEachLimited(requests, atOnce, async (request, slot) => {
    const answer = await timed(connections[slot]!, request)
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text.slice(0, 200)}`)
    check(answer.text)
    ms.push(answer.ms)
  })
  row(name, ms, performance.now() - begun, treeCpuMs(bench.processes.server) - cpu)
  for (const connection of connections) connection.close()
}

progress(`making ${userCount} users`)
const users = await bench.setup.users(userCount!)
const setup = Array.from({ length: 8 }, () => new Connection(target))
const devices: Device[] = []
await forEachLimited([...users.entries()], setup.length, async ([index, user], slot) => {
  const whoami = await ask(setup[slot]!, target, user, 'GET', `${V3}/account/whoami`)
  const device = { user, id: String(whoami['device_id']) }
  devices[index] = device
  const body = { device_keys: deviceKeys(device), one_time_keys: oneTimeKeys(device, 'A', KEYS_EACH) }
  await ask(setup[slot]!, target, user, 'POST', `${V3}/keys/upload`, body)
})
for (const connection of setup) connection.close()

const post = ({ user }: Device, path: string, body: object): string =>
  requestText(target, 'POST', `${V3}/keys/${path}`, user.accessToken, body)

console.log('| what | times | per s | p50 ms | p99 ms | CPU ms each |')
console.log('|---|---|---|---|---|---|')
const uploads = Array.from({ length: senders! * rounds! }, (_, n) => {
  const device = devices[n % devices.length]!
  return post(device, 'upload', { one_time_keys: oneTimeKeys(device, `B${n}-`, KEYS_PER_UPLOAD) })
})
await measure(`upload of ${KEYS_PER_UPLOAD} keys, ${senders} at once`, uploads, senders!)
const wanted = Object.fromEntries(users.map(({ userId }) => [userId, []]))
const queries = Array.from({ length: rounds! }, () => post(devices[0]!, 'query', { device_keys: wanted }))
await measure(`query of ${userCount} users`, queries, 1, (text) => {
  if (!text.includes(devices.at(-1)!.id)) throw new Error('a device is missing')
})
const some = devices.slice(0, claimed!)
const wishes = Object.fromEntries(some.map(({ user, id }) => [user.userId, { [id]: CURVE }]))
const claims = Array.from({ length: rounds! }, () => post(devices[0]!, 'claim', { one_time_keys: wishes }))
await measure(`claim of ${some.length} devices`, claims, 1, (text) => {
  if (text.split('"key":').length - 1 !== some.length) throw new Error('keys are missing')
})
process.exit(0)
