/**
 * Rare, large deeds of a server and how long the event loop stands still for them: a room's upgrade, the purge of its
 * history, its deletion, the search index made anew, the deactivation of somebody in many rooms. Without sockets.
 *
 *   node bench/rooms/deeds.ts [--postgres URL] [--members 2000] [--messages 5000] [--rooms 300]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type AssembledServer, assemble } from '#/app/assemble.ts'
import { diskReader } from '#/app/config/files.ts'
import { loadConfig } from '#/app/config/load.ts'
import { LoopStalls, type Stall, threadTimes, watchPauses } from '#/app/loop-stalls.ts'
import { serverOptions } from '#/app/server-options.ts'
import { silentLog } from '#/base/log.ts'
import { noMetrics } from '#/base/metrics.ts'
import { realWorld, sleep } from '#/base/world.ts'
import { unlimited } from '#/http/rate-limiter.ts'
import type { Store } from '#/ports/store/store.ts'
import { signingKeyFromSeed } from '#/protocol/crypto/ed25519.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { rebuildSearch, SEARCH_INDEX_KIND, searchIndexHandler } from '#/services/search/index-jobs.ts'
import { forEachLimited, type User } from '../lib/matrix.ts'
import { putAccounts } from '../lib/put-accounts.ts'
import { openBench } from '../state/stores.ts'

const { values } = parseArgs({
  options: {
    postgres: { type: 'string' },
    members: { type: 'string', default: '2000' },
    messages: { type: 'string', default: '5000' },
    rooms: { type: 'string', default: '300' },
  },
})
const SERVER = 'bench.example' as ServerName
const AT_ONCE = 50
const V3 = '/_matrix/client/v3'
const QUIET_MS = 2000
/** Hashing that costs nothing. */
const passwords = { hash: async () => 'x', verify: async () => true, outdated: () => false }

type Json = Record<string, unknown>

async function open(store: Store, folder: string): Promise<AssembledServer> {
  const path = join(folder, 'homeserver.yaml')
  writeFileSync(
    path,
    `server_name: ${SERVER}\nreport_stats: false\ndatabase: { name: sqlite3, args: { database: "unused.db" } }\n`,
  )
  const { config } = loadConfig([path])
  const server = await assemble({
    ...{ store, world: realWorld, log: silentLog, metrics: noMetrics, limits: unlimited, passwords },
    serverName: SERVER,
    signingKey: signingKeyFromSeed('b', new Uint8Array(32).fill(1)),
    options: serverOptions(config, diskReader()),
  })
  server.start()
  return server
}

function caller(server: AssembledServer) {
  const { signal } = new AbortController()
  return async (user: User, method: string, path: string, body?: Json): Promise<Json> => {
    const reply = await server.dispatches.client({
      ...{ method, url: V3 + path, remote: '127.0.0.1', signal },
      headers: { authorization: `Bearer ${user.accessToken}` },
      body: body && Buffer.from(JSON.stringify(body)),
    })
    const answer = JSON.parse(String(reply.body)) as Json
    if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(answer)}`)
    return answer
  }
}

const times = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await sleep(realWorld.clock, 20)
}

/** Says what the event loop did while `deed` was done. */
async function watch(name: string, deed: () => Promise<unknown>): Promise<void> {
  const late: number[] = []
  const found: Stall[] = []
  const stalls = new LoopStalls({
    clock: realWorld.clock,
    times: threadTimes,
    onLook: (ms) => late.push(ms),
    onStall: (stall) => found.push(stall),
  })
  const stop = watchPauses(stalls)
  const begun = performance.now()
  await deed()
  const ms = performance.now() - begun
  await sleep(realWorld.clock, 50)
  stop()
  stalls.cancel()
  const longest = (part: keyof Stall): string => Math.max(0, ...found.map((stall) => stall[part])).toFixed(1)
  const p99 = late.sort((a, b) => a - b)[Math.ceil(late.length * 0.99) - 1] ?? 0
  const cells = [name, ms.toFixed(0), p99.toFixed(1), Math.max(0, ...late).toFixed(1)]
  console.log(
    `| ${[...cells, longest('work'), longest('gc'), longest('wait'), longest('workPerEvent')].join(' | ')} |`,
  )
}

const folder = mkdtempSync(join(tmpdir(), 'bench-deeds-'))
try {
  await using bench = await openBench(values.postgres, folder)
  const { store } = bench
  const server = await open(store, folder)
  const call = caller(server)
  const [owner, ...others] = await putAccounts(store, SERVER, Number(values.members), 'x')
  const make = async (body: Json): Promise<string> =>
    String((await call(owner!, 'POST', '/createRoom', body))['room_id'])
  const roomId = await make({ preset: 'public_chat' })
  const room = `/rooms/${encodeURIComponent(roomId)}`
  await forEachLimited(others, AT_ONCE, async (user) => void (await call(user, 'POST', `${room}/join`, {})))
  const messages = times(Number(values.messages))
  await forEachLimited(messages, AT_ONCE, async (n) => {
    const body = { msgtype: 'm.text', body: `message ${n} of a room with much to say` }
    await call(owner!, 'PUT', `${room}/send/m.room.message/m${n}`, body)
  })
  const leaver = others[0]!
  await forEachLimited(times(Number(values.rooms)), AT_ONCE, async () => {
    const path = `/rooms/${encodeURIComponent(await make({ preset: 'public_chat' }))}/join`
    await call(leaver, 'POST', path, {})
  })
  console.log(
    '| deed | ms | p99 | longest | work | gc | wait | work per input |\n|---|---|---|---|---|---|---|---|',
  )
  await watch('nothing', () => sleep(realWorld.clock, QUIET_MS))
  await watch('search index made anew', async () => {
    await rebuildSearch(store, realWorld.clock)
    /* The command plans it for the next start; here it is done at once. */
    const fill = searchIndexHandler(store, realWorld.clock)
    const job = { kind: SEARCH_INDEX_KIND, key: 'all', dueTs: 0, data: '{}', attempts: 0 }
    while ((await fill(job)) !== undefined) await sleep(realWorld.clock, 0)
  })
  await watch('upgrade of the room', () => call(owner!, 'POST', `${room}/upgrade`, { new_version: '12' }))
  await watch('deactivation of a member of many rooms', async () => {
    const identifier = { type: 'm.id.user', user: leaver.userId }
    const auth = { type: 'm.login.password', identifier, password: 'x' }
    await call(leaver, 'POST', '/account/deactivate', { auth })
    await until(async () =>
      (await store.rooms.membershipsOf(leaver.userId)).every((one) => one.membership !== 'join'),
    )
  })
  const { nid } = (await store.rooms.byId(roomId))!
  const left = async (): Promise<number> =>
    (await store.jobs.due(Number.MAX_SAFE_INTEGER, 100)).filter(({ key }) => key === String(nid)).length
  await watch('purge of the history', async () => {
    await server.purge.history(roomId, realWorld.clock.now() + 1)
    await until(async () => (await left()) === 0)
  })
  await watch('deletion of the room', async () => {
    await server.purge.room(roomId)
    await until(async () => (await left()) === 0)
  })
  server.wakeWaiting()
  await server.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
