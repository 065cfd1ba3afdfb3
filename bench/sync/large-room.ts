/**
 * A room of many local members: sending, joining, the first sync of a new member, its member lists; what a message
 * writes; and a room made with many bans.
 *
 *   eval "$(bench/peers/myelin.sh --accounts 10002)"
 *   node bench/sync/large-room.ts --url "$URL" --shared-secret "$SHARED_SECRET" --accounts "$ACCOUNTS" \
 *     --data-dir "$DATA_DIR" --members 10000 --bans 5000
 *
 * Without --accounts they are registered, one password hash each. --bans 0 makes no room with bans.
 */
import { readFileSync } from 'node:fs'
import { ask, at, benchOf, progress, timed } from '../lib/bench.ts'
import { Connection } from '../lib/connection.ts'
import { requestText } from '../lib/matrix.ts'
import { Meter } from '../lib/meter.ts'
import { rowsBySqliteTable } from './rows.ts'

const SENDS = 200
const LISTS = 5

const bench = benchOf({ members: 10_000, bans: 5000 })
const { target, processes } = bench
const wanted = bench.numbers['members']!
progress(`${wanted + 2} accounts`)
const [owner, last, ...others] = await bench.setup.users(wanted + 2)
const connection = new Connection(target)
const meter = new Meter(processes)

function say(name: string, values: readonly number[], cpuMs: number, extra = ''): void {
  const cells = [name, values.length, at(values, 50).toFixed(2), at(values, 99).toFixed(2)]
  console.log(`| ${[...cells, (cpuMs / values.length).toFixed(2), extra].join(' | ')} |`)
}

/** Runs requests one after the other; each must be answered with 200. Says their times, CPU and the last one's size. */
async function measure(name: string, requests: readonly string[], extra?: () => string): Promise<void> {
  const times: number[] = []
  let bytes = 0
  await bench.stalls.skip()
  meter.start()
  for (const request of requests) {
    const answer = await timed(connection, request)
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text.slice(0, 200)}`)
    times.push(answer.ms)
    bytes = answer.bytes
  }
  const cpu = meter.stop()
  await bench.stalls.tell(name)
  say(name, times, cpu.serverMs + cpu.databaseMs, extra?.() ?? `${bytes} bytes`)
}

async function room(): Promise<string> {
  const made = await ask(connection, target, owner!, 'POST', '/_matrix/client/v3/createRoom', {
    preset: 'public_chat',
  })
  return `/_matrix/client/v3/rooms/${encodeURIComponent(String(made['room_id']))}`
}

/** Bytes that a process has given to the disk, pages of logs and checkpoints included. */
function bytesWritten(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const text = readFileSync(`/proc/${pid}/io`, 'latin1')
    return sum + Number(/^write_bytes: (\d+)$/m.exec(text)?.[1])
  }, 0)
}

async function sends(name: string, path: string): Promise<void> {
  const requests = Array.from({ length: SENDS }, (_, n) => {
    const body = { msgtype: 'm.text', body: `message ${n}` }
    const url = `${path}/send/m.room.message/${encodeURIComponent(name)}${n}`
    return requestText(target, 'PUT', url, owner!.accessToken, body)
  })
  const rows = rowsBySqliteTable(bench.dataDir)
  const bytes = bytesWritten(processes.server)
  await measure(name, requests, () => {
    const written = `${Math.round((bytesWritten(processes.server) - bytes) / SENDS)} bytes written`
    if (!rows) return written
    const more = [...rowsBySqliteTable(bench.dataDir)!].map(([table, n]) => [
      table,
      n - (rows.get(table) ?? 0),
    ])
    const news = more.filter(([, n]) => n !== 0).map(([table, n]) => `${table} ${Number(n) / SENDS}`)
    return `${written}; new rows: ${news.join(', ')}`
  })
}

const get = (path: string): string => requestText(target, 'GET', path, last!.accessToken)
const joinBy = (path: string) => (user: { accessToken: string }) =>
  requestText(target, 'POST', `${path}/join`, user.accessToken, {})

console.log('| what | times | p50 ms | p99 ms | CPU ms each | |')
console.log('|---|---|---|---|---|---|')
await sends('send, alone in the room', await room())
const path = await room()
const tenth = Math.ceil(others.length / 10)
for (let from = 0; from < others.length; from += tenth) {
  const part = others.slice(from, from + tenth)
  progress(`joining ${from + part.length} of ${wanted} members`)
  await measure(`join, up to ${from + part.length} members`, part.map(joinBy(path)))
}
await sends(`send, ${wanted} members`, path)
await measure('join of one more', [joinBy(path)(last!)])
const lazy = { room: { state: { lazy_load_members: true } } }
for (const [name, filter] of [
  ['first sync of a new member, lazy', lazy],
  ['first sync of a new member, all members', {}],
] as const) {
  const query = `timeout=0&filter=${encodeURIComponent(JSON.stringify(filter))}`
  await measure(name, [get(`/_matrix/client/v3/sync?${query}`)])
}
for (const name of ['members', 'joined_members']) {
  await measure(`/${name}`, Array<string>(LISTS).fill(get(`${path}/${name}`)))
}
const count = bench.numbers['bans']!
if (count > 0) {
  const bans = Array.from({ length: count }, (_, n) => ({
    type: 'm.room.member',
    state_key: `@banned-${n}:elsewhere.example`,
    content: { membership: 'ban' },
  }))
  const request = { preset: 'private_chat', initial_state: bans }
  const url = '/_matrix/client/v3/createRoom'
  await measure(`createRoom with ${count} bans`, [
    requestText(target, 'POST', url, owner!.accessToken, request),
  ])
}
console.log(bench.stalls.table())
bench.setup.close()
process.exit(0)
