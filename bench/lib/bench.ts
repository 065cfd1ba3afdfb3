/** What the sync benchmarks share: the command line, rooms full of members, and single measured requests. */
/** What the benches of one server share: their command line, requests that are timed, rooms that are filled. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Connection, loopbackTarget, type Target } from './connection.ts'
import { SETUP_CONCURRENCY } from './limits.ts'
import { call, forEachLimited, requestText, Setup, type User } from './matrix.ts'
import type { Processes } from './meter.ts'
import { findListeners } from './proc.ts'
import { StallLog } from './stalls.ts'

export interface Bench {
  readonly target: Target
  readonly setup: Setup
  readonly processes: Processes
  /** Stalls of the server's event loop, where `--metrics` said where to read them. */
  readonly stalls: StallLog
  /** Where the server keeps its files, if that was said. */
  readonly dataDir: string | undefined
  /** Numbers given on the command line, or their defaults. */
  readonly numbers: Readonly<Record<string, number>>
  /** Texts given on the command line. */
  readonly texts: Readonly<Record<string, string | undefined>>
}

/**
 * Reads `--url`, `--shared-secret`, `--pid`, `--db-pid`, `--metrics`, `--accounts`, `--data-dir` (what
 * `bench/peers/*.sh` print), the named numbers and texts. Throws with the option's name where one is missing or wrong.
 */
export function benchOf(defaults: Readonly<Record<string, number>>, texts: readonly string[] = []): Bench {
  const own = ['url', 'shared-secret', 'pid', 'db-pid', 'metrics', 'accounts', 'data-dir']
  const names = [...own, ...Object.keys(defaults), ...texts]
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]))
  const { values } = parseArgs({ options })
  const text = (name: string): string | undefined => values[name] as string | undefined
  const url = text('url')
  const secret = text('shared-secret')
  if (!url || !secret) throw new Error('--url and --shared-secret are needed')
  const target = loopbackTarget(url)
  const pids = (list: string | undefined): number[] => (list ? list.split(',').map(Number) : [])
  const numbers: Record<string, number> = {}
  for (const [name, byDefault] of Object.entries(defaults)) {
    const value = text(name) === undefined ? byDefault : Number(text(name))
    if (!(Number.isInteger(value) && value >= 0)) throw new Error(`--${name} must be a whole number`)
    numbers[name] = value
  }
  const server = text('pid') ? pids(text('pid')) : findListeners(target.port)
  const processes = { server, database: pids(text('db-pid')) }
  const accounts = text('accounts')
  const ready = accounts ? (JSON.parse(readFileSync(accounts, 'utf8')) as User[]) : []
  return {
    target,
    setup: new Setup(target, { by: 'shared-secret', secret }, undefined, ready),
    processes,
    stalls: new StallLog(text('metrics')),
    dataDir: text('data-dir'),
    numbers,
    texts: Object.fromEntries(texts.map((name) => [name, text(name)])),
  }
}

/** A request that must be answered with 200; gives the answer. */
export async function ask(
  connection: Connection,
  target: Target,
  user: User,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const answer = await call(connection, requestText(target, method, path, user.accessToken, body))
  if (answer.status !== 200) {
    throw new Error(
      `${method} ${path.slice(0, 80)}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`,
    )
  }
  return answer.body
}

/**
 * Public rooms made by their first member, whom the others join; each member of the first `talkers` then says
 * `messages` / `talkers` messages. Answers the room ids.
 */
export async function fillRooms(
  bench: Bench,
  memberships: readonly (readonly User[])[],
  messages: number,
  talkers = 5,
): Promise<string[]> {
  const { target } = bench
  const connections = Array.from({ length: SETUP_CONCURRENCY }, () => new Connection(target))
  const rooms: string[] = []
  await forEachLimited([...memberships.keys()], SETUP_CONCURRENCY, async (index, slot) => {
    const connection = connections[slot]!
    const [creator, ...others] = memberships[index]!
    const wanted = { preset: 'public_chat', name: `Room ${index}` }
    const made = await ask(connection, target, creator!, 'POST', '/_matrix/client/v3/createRoom', wanted)
    const roomId = String(made['room_id'])
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
    for (const member of others) await ask(connection, target, member, 'POST', `${path}/join`, {})
    const speakers = memberships[index]!.slice(0, talkers)
    for (let n = 0; n < messages; n++) {
      const body = { msgtype: 'm.text', body: `message ${n} of room ${index}, long enough to look like one` }
      await ask(
        connection,
        target,
        speakers[n % speakers.length]!,
        'PUT',
        `${path}/send/m.room.message/f${n}`,
        body,
      )
    }
    rooms[index] = roomId
  })
  for (const connection of connections) connection.close()
  return rooms
}

export interface Timed {
  readonly status: number
  readonly ms: number
  readonly bytes: number
  /** The whole answer; only what the caller must look at should keep it. */
  readonly text: string
}

/** One request and how long its whole answer took. */
export function timed(connection: Connection, request: string): Promise<Timed> {
  return new Promise((resolve) => {
    const begun = performance.now()
    connection.send(request, (status, bytes, start, end) => {
      const ms = performance.now() - begun
      resolve({ status, ms, bytes: end - start, text: bytes.toString('utf8', start, end) })
    })
  })
}

/** `ms` sorted, at the percentile `p`. */
export function at(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN
}

/** A line on standard error with the time of day. */
export function progress(text: string): void {
  console.error(`[${new Date().toISOString().slice(11, 19)}] ${text}`)
}
