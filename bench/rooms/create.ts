/**
 * Making rooms with many bans while others send: how long it takes, what it does to the others' times, and how long
 * the event loop stands still.
 * node bench/rooms/create.ts [--postgres URL] [--bans 5000] [--senders 10]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { realWorld } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { signingKeyFromSeed } from '#/protocol/crypto/ed25519.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { createSigner } from '#/services/keys/signer.ts'
import { CreateRoomService, type InitialState } from '#/services/rooms/create/create-room.ts'
import { createDirectory } from '#/services/rooms/directory/create-directory.ts'
import { ROOM_OPTIONS_DEFAULT as options } from '#/services/rooms/options.ts'
import { RoomWriter } from '#/services/rooms/room-writer.ts'
import { openBench } from '../state/stores.ts'

const { values } = parseArgs({
  options: {
    postgres: { type: 'string' },
    bans: { type: 'string', default: '5000' },
    senders: { type: 'string', default: '10' },
  },
})
const SERVER = 'bench.example' as ServerName
const ALICE = `@alice:${SERVER}` as UserId
const QUIET_MS = 3000
const signer = createSigner(SERVER, signingKeyFromSeed('b', new Uint8Array(32).fill(1)))

function services(store: Store): { rooms: CreateRoomService; writer: RoomWriter } {
  const writer = new RoomWriter({ store, signer, clock: realWorld.clock })
  const rooms = new CreateRoomService({
    store,
    signer,
    world: realWorld,
    mayInvite: async () => {},
    profileRules: { onInvite: true, perRoom: true },
    profile: async () => ({}),
    directory: createDirectory({ store, writer, world: realWorld, serverName: SERVER, options }),
    options,
    onJob: () => {},
  })
  return { rooms, writer }
}

function newRoom(rooms: CreateRoomService, initialState: InitialState[]): Promise<string> {
  const plain = { version: '12', preset: 'private_chat', creationContent: {}, powerLevels: {} } as const
  return rooms.create({ creator: ALICE, ...plain, initialState, invite: [], isDirect: false })
}

const at = (times: number[], part: number): string =>
  (times.sort((a, b) => a - b)[Math.floor(times.length * part)] ?? 0).toFixed(1)

const folder = mkdtempSync(join(tmpdir(), 'bench-rooms-'))
try {
  await using bench = await openBench(values.postgres, folder)
  const { store } = bench
  const account = { user: ALICE, passwordHash: null, admin: false, guest: false, ts: 0 }
  await store.commit({ lane: ALICE, ops: [{ op: 'account.create', ...account }] })
  const { rooms, writer } = services(store)
  let times: number[] = []
  let sending = true
  const senders = Array.from({ length: Number(values.senders) }, async () => {
    const roomId = await newRoom(rooms, [])
    while (sending) {
      const started = performance.now()
      const content = { msgtype: 'm.text', body: 'hello' }
      await writer.write({ roomId, draft: () => ({ type: 'm.room.message', sender: ALICE, content }) })
      times.push(performance.now() - started)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  let cpu = process.cpuUsage()
  const report = (name: string, ms: number): void => {
    const used = process.cpuUsage(cpu)
    cpu = process.cpuUsage()
    const cpuMs = (used.user + used.system) / 1000
    const cells = [
      name,
      ms.toFixed(0),
      cpuMs.toFixed(0),
      times.length,
      at(times, 0.5),
      at(times, 0.99),
      at(times, 0.9999),
    ]
    console.log(
      `| ${[...cells, (loop.percentile(99.9) / 1e6).toFixed(1), (loop.max / 1e6).toFixed(1)].join(' | ')} |`,
    )
    times = []
    loop.reset()
  }
  console.log('| what | ms | CPU ms | sends | p50 ms | p99 ms | max ms | loop p99.9 ms | loop max ms |')
  console.log('|---|---|---|---|---|---|---|---|---|')
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  report('warming', QUIET_MS)
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  report('senders alone', QUIET_MS)
  const bans = Array.from({ length: Number(values.bans) }, (_, i) => ({
    type: 'm.room.member',
    stateKey: `@spam-${i}:elsewhere.example`,
    content: { membership: 'ban' },
  }))
  for (let round = 1; round <= 3; round++) {
    const started = performance.now()
    await newRoom(rooms, bans)
    report(`room ${round} with ${bans.length} bans`, performance.now() - started)
  }
  sending = false
  await Promise.all(senders)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
