/**
 * CPU of the writer alone for the plans of messages, by the size of a group: what the writer thread does, on this
 * thread, with real commits on a file.
 * node bench/state/groups.ts [--plans 6000] [--folder /tmp] [--only 10x10]
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Op, Plan } from '#/ports/store/plan.ts'
import { migrate } from '#/storage/migrations/index.ts'
import { Connection } from '#/storage/sqlite/connection.ts'
import { WriterCore } from '#/storage/sqlite/writer-core.ts'

const { values } = parseArgs({
  options: {
    plans: { type: 'string', default: '6000' },
    folder: { type: 'string', default: tmpdir() },
    only: { type: 'string' },
    warm: { type: 'string', default: '2000' },
  },
})
const PLANS = Number(values.plans)
const WARM = Number(values.warm)
const TEXT = 'The quick brown fox jumps over the lazy dog, and Matrix clients wait for their events. '
const SERVER = 'bench.localhost'

const idOf = (): string => randomBytes(32).toString('base64url')

interface Room {
  readonly nid: number
  readonly lane: string
  readonly auth: readonly string[]
  last: string
  seq: number
}

function makeRoom(core: WriterCore): Room {
  const lane = `!${idOf()}`
  const auth = [`$${idOf()}`, `$${idOf()}`]
  const inserts = auth.map((eventId, slot): Op => {
    const type = slot === 0 ? 'm.room.create' : 'm.room.member'
    return insert({
      room: 'new',
      eventId,
      slot,
      type,
      sender: `@a:${SERVER}`,
      depth: slot,
      authEvents: [],
      json: '{}',
    })
  })
  const ops: Op[] = [{ op: 'room.create', roomId: lane, version: '12' }, ...inserts]
  const [made] = core.applyGroup([{ lane, ops }]).outcomes
  if (!made || !('results' in made)) throw new Error('no room')
  return { nid: made.results[0] as number, lane, auth, last: auth[1]!, seq: 0 }
}

type Insert = Extract<Op, { op: 'event.insert' }>

function insert(of: Omit<Insert, 'op' | 'ts' | 'flags' | 'rejectedRule' | 'stateKey' | 'live'>): Insert {
  return {
    op: 'event.insert',
    stateKey: null,
    ts: Date.now(),
    flags: 0,
    rejectedRule: null,
    live: true,
    ...of,
  }
}

let texts = 0

/** What the server plans for one message. */
function message(room: Room, sender: string): Plan {
  const eventId = `$${idOf()}`
  const depth = ++room.seq
  const body = `many-10-3:${String(++texts).padStart(8, '0')} ${TEXT}`.slice(0, 100)
  const json = JSON.stringify({
    auth_events: room.auth,
    content: { body, msgtype: 'm.text' },
    depth,
    hashes: { sha256: idOf() },
    origin_server_ts: Date.now(),
    prev_events: [room.last],
    room_id: room.lane,
    sender,
    signatures: { [SERVER]: { 'ed25519:a_bench': randomBytes(64).toString('base64').slice(0, 86) } },
    type: 'm.room.message',
  })
  room.last = eventId
  const type = 'm.room.message'
  const scope = `send/${room.lane}/m.room.message`
  const ops: Op[] = [
    {
      op: 'room.head',
      room: room.nid,
      expect: depth - 1,
      extremities: [eventId],
      depth,
      joinedDelta: 0,
      invitedDelta: 0,
    },
    insert({ slot: 0, room: room.nid, eventId, type, sender, depth, json, authEvents: room.auth }),
    { op: 'room.facts', room: room.nid, bump: true },
    {
      op: 'event.txn',
      event: { slot: 0 },
      user: sender,
      device: 'GPIBQFIQXZ',
      scope,
      txnId: `many-10-3:${texts}`,
      ts: Date.now(),
    },
    {
      op: 'push.event',
      event: { slot: 0 },
      room: room.nid,
      thread: 'main',
      kind: 1024,
      loud: false,
      readBy: sender,
      joined: undefined,
      actions: [],
      queue: [],
    },
  ]
  return { lane: room.lane, ops }
}

function run(rooms: number, senders: number, size: number): void {
  const folder = mkdtempSync(join(values.folder, 'myelin-groups-'))
  const connection = new Connection({ path: join(folder, 'bench.db'), cacheKib: 16_384 })
  connection.prepareForWriting()
  connection.run(migrate('sqlite', SERVER, undefined))
  const core = new WriterCore(connection, 0)
  core.applyGroup([{ lane: 'x', ops: [{ op: 'search.enable', on: true }] }])
  const made = Array.from({ length: rooms }, () => makeRoom(core))
  let at = 0
  const used = { user: 0, system: 0 }
  const each: number[] = []
  const begin = performance.now()
  for (let done = 0; done < PLANS + WARM; done += size) {
    const plans = Array.from({ length: size }, () => {
      const i = at++ % senders
      return message(made[i % rooms]!, `@bench-e36202df-${i}:${SERVER}`)
    })
    const text = JSON.stringify(plans)
    const before = process.threadCpuUsage()
    const outcome = JSON.stringify(core.applyGroup(JSON.parse(text) as Plan[]))
    const { user, system } = process.threadCpuUsage(before)
    if (outcome.includes('"failed"') || outcome.includes('"ok":false')) throw new Error(outcome)
    if (done < WARM) continue
    used.user += user
    used.system += system
    each.push(user + system)
  }
  const ms = (performance.now() - begin) / (PLANS + WARM)
  each.sort((a, b) => a - b)
  connection.close()
  rmSync(folder, { recursive: true })
  const micros = (n: number, plans = PLANS): string => (n / plans).toFixed(1).padStart(6)
  /* Other work on the machine makes groups dearer, never cheaper: the lower quartile is what changes can be told by. */
  const quartile = micros(each[Math.floor(each.length / 4)]!, size)
  console.log(
    `${senders} senders, ${rooms} rooms, groups of ${size}: ${micros(used.user + used.system)} us per plan ` +
      `(user ${micros(used.user)}, system ${micros(used.system)}), lower quartile ${quartile}, ${(ms * size).toFixed(2)} ms per group`,
  )
}

for (const [rooms, senders, size] of [
  [10, 10, 3],
  [10, 10, 10],
  [1, 200, 32],
  [100, 200, 64],
] as const) {
  if (values.only && values.only !== `${rooms}x${size}`) continue
  run(rooms, senders, size)
}
