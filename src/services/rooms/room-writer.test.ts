/** What the writer of rooms acknowledges, and when. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { StoreError } from '#/base/store-error.ts'
import { realWorld } from '#/base/world.ts'
import type { CommitResult, Plan } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { signingKeyFromSeed } from '#/protocol/crypto/ed25519.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { handTurns } from '../../../tests/support/hand-turns.ts'
import { openMemoryStore } from '../../../tests/support/memory-store.ts'
import { createSigner } from '../keys/signer.ts'
import { CreateRoomService } from './create/create-room.ts'
import { createDirectory } from './directory/create-directory.ts'
import { BUILDS_PER_TURN, REPLAN_MAX } from './limits.ts'
import { MembershipService } from './membership.ts'
import { ROOM_OPTIONS_DEFAULT as options } from './options.ts'
import { RoomWriter } from './room-writer.ts'
import { SendService } from './send.ts'

const NO_RULES = { mayInvite: async () => {}, profileRules: { onInvite: true, perRoom: true } }

const SERVER = 'test.example' as ServerName
const ALICE = '@alice:test.example' as UserId
const FROM = { userId: ALICE, deviceId: 'D' }

let plain: Store
let roomId: RoomId
const signer = createSigner(SERVER, signingKeyFromSeed('t', new Uint8Array(32).fill(1)))
const { clock } = realWorld

before(async () => {
  plain = openMemoryStore()
  const account = { user: ALICE, passwordHash: null, admin: false, guest: false, ts: 0 }
  await plain.commit({ lane: ALICE, ops: [{ op: 'account.create', ...account }] })
  const writer = new RoomWriter({ store: plain, signer, clock })
  const rooms = new CreateRoomService({
    store: plain,
    signer,
    world: realWorld,
    ...NO_RULES,
    profile: async () => ({}),
    directory: createDirectory({ store: plain, writer, world: realWorld, serverName: SERVER, options }),
    options,
    onJob: () => {},
  })
  roomId = await rooms.create({
    creator: ALICE,
    version: '12',
    preset: 'private_chat',
    creationContent: {},
    powerLevels: {},
    initialState: [],
    invite: [],
    isDirect: false,
  })
})
after(() => plain[Symbol.asyncDispose]())

/** Services over a store whose commits a test holds back, and lets go or fails. */
function held() {
  const waiting: { go: () => void; fail: (error: Error) => void }[] = []
  const store: Store = {
    ...plain,
    commit: (plan: Plan) =>
      new Promise<CommitResult>((resolve, reject) => {
        waiting.push({ go: () => plain.commit(plan).then(resolve, reject), fail: reject })
      }),
  }
  const writer = new RoomWriter({ store, signer, clock })
  const membership = new MembershipService({
    writer,
    store,
    serverName: SERVER,
    ...NO_RULES,
    profile: async () => ({}),
  })
  const send = new SendService({ writer, membership, store, clock, redactionRetentionMs: undefined })
  return { waiting, writer, send, membership }
}

const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** How a promise stands. */
function watch<T>(promise: Promise<T>): { state: string } {
  const seen = { state: 'pending' }
  promise.then(
    () => (seen.state = 'done'),
    () => (seen.state = 'failed'),
  )
  return seen
}

test('nothing is acknowledged before it is on disk, also not what the same content says already', async () => {
  const { waiting, send } = held()
  const first = send.state(FROM, roomId, 'com.example.a', '', { n: 1 })
  await turns()
  const second = send.state(FROM, roomId, 'com.example.a', '', { n: 1 })
  const [one, two] = [watch(first), watch(second)]
  await turns()
  assert.deepEqual([waiting.length, one.state, two.state], [1, 'pending', 'pending'])
  waiting[0]!.go()
  assert.equal(await second, await first)
})

test('what holds only in a write that fails is written by whoever relied on it', async () => {
  const { waiting, send } = held()
  const first = send.state(FROM, roomId, 'com.example.b', '', { n: 1 })
  await turns()
  const second = send.state(FROM, roomId, 'com.example.b', '', { n: 1 })
  const two = watch(second)
  await turns()
  waiting[0]!.fail(new StoreError('unavailable', 'the disk is full'))
  await assert.rejects(first, /disk is full/)
  await turns()
  if (two.state === 'pending') {
    waiting[1]!.go()
    const [row] = await plain.state.current((await plain.rooms.byId(roomId))!.nid, [['com.example.b', '']])
    assert.equal(row?.eventId, await second)
  } else assert.equal(two.state, 'failed')
})

test('a membership that is only on its way is not acknowledged either', async () => {
  const { waiting, membership } = held()
  const join = { roomId, sender: ALICE, target: ALICE, membership: 'join', content: { a: 1 } } as const
  const first = membership.change(join)
  await turns()
  const second = watch(membership.change(join))
  await turns()
  assert.deepEqual([waiting.length, second.state], [1, 'pending'])
  waiting[0]!.go()
  await first
  await turns()
  assert.equal(second.state, 'done')
})

test('after a failed write all that was built on it fails or is built anew, and the room goes on', async () => {
  const { waiting, send } = held()
  const sends = [1, 2, 3].map((n) =>
    send.message(FROM, roomId, 'com.example.m', { n }, { scope: 's', txnId: `f${n}` }),
  )
  await turns()
  assert.equal(waiting.length, 3)
  const [first, ...others] = waiting
  first!.fail(new StoreError('unavailable', 'no disk'))
  for (const other of others) other.go()
  await assert.rejects(sends[0]!, /no disk/)
  await turns()
  while (waiting.length > 3) {
    waiting.splice(3, 1)[0]!.go()
    await turns()
  }
  const ids = await Promise.all(sends.slice(1))
  const rows = await plain.events.byIds(ids)
  assert.deepEqual(rows.map((row) => JSON.parse(row.json).content.n).sort(), [2, 3])
})

test('a guard that always fails is given up, with the time to try again', async () => {
  let commits = 0
  const store: Store = {
    ...plain,
    commit: async () => {
      commits++
      return { ok: false, conflict: 'head' }
    },
  }
  const writer = new RoomWriter({ store, signer, clock })
  const write = writer.write({ roomId, draft: () => ({ type: 'com.example.m', sender: ALICE, content: {} }) })
  await assert.rejects(write, { errcode: 'M_LIMIT_EXCEEDED' })
  assert.equal(commits, REPLAN_MAX)
})

test('two writers of one room never lose a message to each other', async () => {
  const [a, b] = [1, 2].map(() => {
    const writer = new RoomWriter({ store: plain, signer, clock })
    const membership = new MembershipService({
      writer,
      store: plain,
      serverName: SERVER,
      ...NO_RULES,
      profile: async () => ({}),
    })
    return new SendService({ writer, membership, store: plain, clock, redactionRetentionMs: undefined })
  })
  const ids = await Promise.all(
    [a!, b!, a!, b!, b!, a!].map((send, n) =>
      send.message(FROM, roomId, 'com.example.two', { n }, { scope: 'two', txnId: `t${n}` }),
    ),
  )
  assert.equal(new Set(ids).size, 6)
  assert.equal((await plain.events.byIds(ids)).length, 6)
})

test('a refusal is no reason to read the room anew for the others', async () => {
  const { waiting, send } = held()
  const mallory = { userId: '@mallory:test.example' as UserId, deviceId: 'M' }
  const good = send.message(FROM, roomId, 'com.example.m', {}, { scope: 's', txnId: 'g1' })
  const bad = send.message(mallory, roomId, 'com.example.m', {}, { scope: 's', txnId: 'g2' })
  await assert.rejects(bad, { errcode: 'M_FORBIDDEN' })
  const next = send.message(FROM, roomId, 'com.example.m', {}, { scope: 's', txnId: 'g3' })
  await turns()
  assert.equal(waiting.length, 2)
  for (const each of waiting) each.go()
  assert.notEqual(await good, await next)
})

test('a turn of the event loop builds so many events and no more, whoever sends them', async () => {
  const plans: Plan[] = []
  const never = new Promise<CommitResult>(() => {})
  const store: Store = {
    ...plain,
    commit: (plan) => {
      plans.push(plan)
      return never
    },
  }
  const byHand = handTurns()
  const writer = new RoomWriter({ store, signer, clock: byHand.clock })
  const draft = () => ({ type: 'm.room.message', sender: ALICE, content: {} })
  for (let n = 0; n < 2 * BUILDS_PER_TURN + 1; n++) void writer.write({ roomId, draft })
  const built: number[] = []
  for (let n = 0; n < 4; n++) {
    await turns()
    built.push(plans.length)
    byHand.turn()
  }
  assert.deepEqual(built, [BUILDS_PER_TURN, 2 * BUILDS_PER_TURN, plans.length, plans.length])
  assert.equal(plans.length, 2 * BUILDS_PER_TURN + 1)
})
