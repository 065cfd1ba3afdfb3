/**
 * Sliding sync of a user in many rooms, without sockets: the first window of 20, growing windows up to all rooms, a
 * request with nothing new, and one with one new message.
 *
 *   node bench/sync/sliding.ts [rooms]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realWorld } from '#/base/world.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import { createRoom, join as joinRoom, say } from '../../tests/support/room-calls.ts'
import { all, SlidingLoop } from '../../tests/support/sliding-calls.ts'
import { SERVER_NAME, TestServer } from '../../tests/support/test-server.ts'

const ROOMS = Number(process.argv[2] ?? 5000)
const AT_ONCE = 50
const ROUNDS = 200

const folder = mkdtempSync(join(tmpdir(), 'myelin-sliding-'))
const onFatal = (error: Error): void => {
  throw error
}
const store = await openSqlite({
  path: join(folder, 'store.db'),
  serverName: SERVER_NAME,
  world: realWorld,
  onFatal,
})
const server = await TestServer.start({ wrapStore: () => store })
const [reader, other] = [await server.user('reader'), await server.user('other')]

const rooms: string[] = []
const started = performance.now()
for (let i = 0; i < ROOMS; i += AT_ONCE) {
  const some = Array.from({ length: Math.min(AT_ONCE, ROOMS - i) }, async (_, n) => {
    const roomId = await createRoom(other, { preset: 'public_chat', name: `room ${i + n}` })
    await joinRoom(reader, roomId)
    rooms.push(roomId)
  })
  await Promise.all(some)
}
console.log(`${ROOMS} rooms in ${Math.round(performance.now() - started)} ms`)

function report(what: string, times: number[]): void {
  times.sort((a, b) => a - b)
  const at = (percent: number): string =>
    times[Math.min(times.length - 1, Math.floor((times.length * percent) / 100))]!.toFixed(2)
  console.log(
    `${what}: p50 ${at(50)} ms, p99 ${at(99)} ms, max ${times.at(-1)!.toFixed(2)} ms, ${times.length} times`,
  )
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}

const required_state = [
  ['m.room.name', ''],
  ['m.room.encryption', ''],
  ['m.room.create', ''],
  ['m.room.power_levels', ''],
  ['m.room.member', '$LAZY'],
  ['m.room.member', '$ME'],
  ['m.space.child', '*'],
]
const list = (to: number, limit = 1) => ({
  all: all({ ranges: [[0, to]], timeline_limit: limit, required_state }),
})
const filtered = {
  all: all({
    ranges: [[0, 19]],
    timeline_limit: 1,
    required_state,
    filters: { not_room_types: ['m.space'] },
  }),
}

const cold = new SlidingLoop(reader, { conn_id: 'cold', lists: list(19) })
report('first window, nothing ready', [await timed(() => cold.next())])
for (const [name, lists] of [
  ['first window', list(19)],
  ['first window of a filtered list', filtered],
] as const) {
  const times: number[] = []
  for (let i = 0; i < ROUNDS / 4; i++) {
    times.push(await timed(() => new SlidingLoop(reader, { conn_id: `c${i}`, lists }).next()))
  }
  report(name, times)
}
const loop = new SlidingLoop(reader, { lists: list(19) })
await loop.next()
const growing: number[] = []
for (let to = 99; to < ROOMS + 100; to += 100) growing.push(await timed(() => loop.next({ lists: list(to) })))
report('a hundred rooms more', growing)
const idle: number[] = []
for (let i = 0; i < ROUNDS; i++) idle.push(await timed(() => loop.next()))
report('nothing new, all rooms in the window', idle)
const one: number[] = []
for (let i = 0; i < ROUNDS; i++) {
  const roomId = rooms[(i * 7919) % rooms.length]!
  await say(other, roomId, 'news')
  one.push(
    await timed(async () => {
      if (!(await loop.next()).rooms[roomId]) throw new Error('the message did not come')
    }),
  )
}
report('one message, all rooms in the window', one)
await server.close()
rmSync(folder, { recursive: true })
process.exit(0)
