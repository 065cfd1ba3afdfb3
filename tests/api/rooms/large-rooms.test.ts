/** Rooms with thousands of first events: made slice by slice, and there whole or not at all. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { coversPart } from '../../support/covers.ts'
import { allState, createRoom, getState, join, say, sync, texts, V3 } from '../../support/room-calls.ts'
import { SERVER_NAME, TestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'
import { watchedStore } from '../../support/watched-store.ts'

coversPart('POST /_matrix/client/v3/createRoom', 'POST /_matrix/client/v3/rooms/{roomId}/upgrade')

const watch = watchedStore()
const { plans } = watch
let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start({ wrapStore: watch.wrap })
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const CREATE = `${V3}/createRoom`

function bans(count: number, more: Json[] = []): Json[] {
  const member = (state_key: string, membership: string): Json => ({
    type: 'm.room.member',
    state_key,
    content: { membership },
  })
  const list = Array.from({ length: count }, (_, i) => member(`@spam-${i}:elsewhere.example`, 'ban'))
  return [...list, ...more]
}

const isOpening = (ops: readonly Op[]): boolean => ops.some((op) => op.op === 'room.open')

/** Rooms that are in the database without being found by anybody. */
const hiddenRooms = (): Promise<number> => server.count('SELECT COUNT(*) AS n FROM rooms WHERE stale = 2')

test('a room with 5,000 bans in initial_state is made in small plans and has them all', async () => {
  plans.length = 0
  const roomId = await createRoom(alice, { initial_state: bans(5000), name: 'Quiet', invite: [bob.userId] })
  const state = await allState(alice, roomId)
  assert.equal(state.size, 5000 + 8)
  assert.equal(state.get('m.room.member|@spam-4999:elsewhere.example').content.membership, 'ban')
  assert.equal(state.get('m.room.name|').content.name, 'Quiet')
  const events = plans.map((ops) => ops.filter((op) => op.op === 'event.insert').length)
  assert.ok(Math.max(...events) <= 60, `one plan has ${Math.max(...events)} events`)
  assert.equal(await hiddenRooms(), 0)
  await say(alice, roomId, 'at last')
  await join(bob, roomId)
  const section = (await sync(bob)).rooms.join[roomId]
  assert.equal(texts(section.timeline.events).at(-1), 'at last')
  assert.deepEqual(
    [section.summary['m.joined_member_count'], section.summary['m.invited_member_count']],
    [2, 0],
  )
  assert.deepEqual(await server.verify(), [])
})

test('who asks while a large room is made sees nothing of it, and all of it afterwards', async () => {
  let since = (await sync(alice)).next_batch as string
  let asked = 0
  watch.onCommit = async (ops) => {
    const slices = ops.some((op) => op.op === 'event.insert')
    if (!slices || asked++ % 3 !== 0) return
    assert.deepEqual((await sync(alice, { since })).rooms?.join ?? {}, {})
    since = (await sync(alice)).next_batch
  }
  const local = { type: 'm.room.member', state_key: bob.userId, content: { membership: 'invite' } }
  const first = { type: 'com.example.first', state_key: '', content: { it: 'is' } }
  const roomId = await createRoom(alice, { initial_state: bans(400, [first]).reverse().concat(local) })
  watch.onCommit = undefined
  assert.ok(asked > 6)
  const section = (await sync(alice, { since })).rooms.join[roomId]
  const told = [...section.state.events, ...section.timeline.events]
  assert.equal(section.timeline.limited, true)
  assert.equal(new Set(told.map((event: Json) => event.event_id)).size, 400 + 8)
  const invited = (await sync(bob)).rooms.invite[roomId]
  assert.ok(invited.invite_state.events.some((event: Json) => event.type === 'm.room.create'))
})

test('a token from the making of a large room is not taken for one of a member, also after a new name', async () => {
  let since = ''
  watch.onCommit = async (ops) => {
    if (isOpening(ops)) since = (await sync(alice)).next_batch
  }
  const roomId = await createRoom(alice, { initial_state: bans(120) })
  watch.onCommit = undefined
  await alice.put(`${V3}/profile/${encodeURIComponent(alice.userId)}/displayname`, { displayname: 'Anew' })
  await until('the new name is written', () =>
    plans.some((ops) => ops.some((op) => op.op === 'event.insert' && op.json.includes('"Anew"'))),
  )
  const section = (await sync(alice, { since })).rooms.join[roomId]
  assert.ok(section.state.events.some((event: Json) => event.type === 'm.room.create'))
})

test('a large room whose making fails is cleared away', async () => {
  const bad = { type: 'm.room.member', state_key: bob.userId, content: { membership: 'join' } }
  await alice.refused('403 M_FORBIDDEN', 'POST', CREATE, { initial_state: bans(200, [bad]) })
  await until('the room is cleared away', async () => (await hiddenRooms()) === 0)
  assert.deepEqual(await server.verify(), [])
})

test('a large room whose making a crash ended is cleared away after the restart', async () => {
  watch.onCommit = (ops) => {
    if (isOpening(ops)) throw new Error('the server is gone')
    if (ops.some((op) => op.op === 'job.put' && op.key === 'crash')) throw new Error('gone')
  }
  const { status } = await alice
    .call('POST', CREATE, { initial_state: bans(200) })
    .catch(() => ({ status: 500 }))
  watch.onCommit = undefined
  assert.equal(status, 500)
  await server.restart((ask) => ask(`UPDATE jobs SET due_ts = 0 WHERE kind = 'rooms.delete'`))
  await until('the room is cleared away', async () => (await hiddenRooms()) === 0)
  assert.deepEqual(await server.verify(), [])
})

test('more invitations than a new room may send are refused, in initial_state too', async () => {
  const invite = (i: number): Json => ({
    type: 'm.room.member',
    state_key: `@u${i}:${SERVER_NAME}`,
    content: { membership: 'invite' },
  })
  const initial_state = Array.from({ length: 101 }, (_, i) => invite(i))
  await alice.refused('400 M_INVALID_PARAM', 'POST', CREATE, { initial_state })
  await alice.refused('400 M_INVALID_PARAM', 'POST', CREATE, { initial_state: initial_state.slice(0, 1) })
})

for (const version of ['11', '12']) {
  test(`an upgrade to version ${version} takes 5,000 bans along before anybody can come in`, async () => {
    const old = await createRoom(alice, {
      initial_state: bans(5000),
      room_version: '10',
      preset: 'public_chat',
    })
    await join(bob, old)
    plans.length = 0
    const path = `${V3}/rooms/${encodeURIComponent(old)}/upgrade`
    const { replacement_room: roomId } = await alice.post(path, { new_version: version })
    const opening = plans.findIndex(isOpening)
    const inserted = plans
      .slice(0, opening + 1)
      .flat()
      .filter((op) => op.op === 'event.insert' && op.stateKey?.startsWith('@spam'))
    assert.equal(inserted.length, 5000)
    assert.equal((await getState(alice, old, 'm.room.tombstone')).replacement_room, roomId)
    const { predecessor } = await getState(alice, roomId, 'm.room.create')
    assert.equal(predecessor.room_id, old)
    assert.equal(
      (await allState(alice, roomId)).get('m.room.member|@spam-7:elsewhere.example').content.membership,
      'ban',
    )
    await join(bob, roomId)
    assert.equal(await hiddenRooms(), 0)
    assert.deepEqual(await server.verify(), [])
  })
}
