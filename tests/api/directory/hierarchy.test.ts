import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import { HIERARCHY_WALK_MS, SPACE_CHILDREN_MAX } from '#/services/rooms/spaces/limits.ts'
import type { ApiClient, Json, Query } from '../../support/api-client.ts'
import { withQuery } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { createRoom, invite, join, setState } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('GET /_matrix/client/v1/rooms/{roomId}/hierarchy')

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const path = (roomId: string): string => `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/hierarchy`
const tree = (who: ApiClient, roomId: string, query: Query = {}): Promise<Json> =>
  who.get(path(roomId), query)
const ids = (page: Json): string[] => page.rooms.map((room: Json) => room.room_id)

function space(body: Json = {}): Promise<string> {
  return createRoom(alice, { preset: 'public_chat', creation_content: { type: 'm.space' }, ...body })
}
const room = (body: Json = {}): Promise<string> => createRoom(alice, { preset: 'public_chat', ...body })
const add = (parent: string, child: string, more: Json = {}): Promise<string> =>
  setState(alice, parent, 'm.space.child', { via: ['test.example'], ...more }, child)

async function allPages(who: ApiClient, roomId: string, query: Query): Promise<string[]> {
  const found: string[] = []
  let from: string | undefined
  do {
    const page = await tree(who, roomId, { ...query, from })
    found.push(...ids(page))
    from = page.next_batch
  } while (from !== undefined)
  return found
}

test('a tree is walked depth first, children in order, each with its events', async () => {
  const [root, inner, a, b, c] = [
    await space({ name: 'Root' }),
    await space(),
    await room(),
    await room(),
    await room(),
  ]
  await add(root, a, { order: 'b' })
  await add(root, inner, { order: 'a', suggested: true })
  await add(inner, b)
  await add(inner, c, { order: 'zz' })
  const page = await tree(bob, root)
  assert.deepEqual(ids(page), [root, inner, c, b, a])
  assert.equal(page.next_batch, undefined)
  const [first, , leaf] = page.rooms
  assert.deepEqual(
    first.children_state.map((event: Json) => event.state_key),
    [inner, a],
  )
  const { origin_server_ts: ts, ...event } = first.children_state[0]
  assert.equal(typeof ts, 'number')
  assert.deepEqual(event, {
    type: 'm.space.child',
    state_key: inner,
    sender: alice.userId,
    content: { via: ['test.example'], order: 'a', suggested: true },
  })
  assert.deepEqual(leaf.children_state, [])
  assert.equal(first.name, 'Root')
  assert.equal(first.room_type, 'm.space')
  assert.equal(first.room_version, '12')
})

test('children without an order come last, by age; bad orders count as none', async () => {
  const root = await space()
  const rooms = [await room(), await room(), await room(), await room(), await room()]
  const orders = [undefined, 'x'.repeat(51), 'é', '~', ' ']
  for (const [i, child] of rooms.entries()) {
    await add(root, child, orders[i] === undefined ? {} : { order: orders[i] })
  }
  const [none, long, accented, last, first] = rooms
  const page = await alice.get(path(root), {}, { events: false })
  assert.deepEqual(ids(page), [root, first, last, none, long, accented])
})

test('adv-46 cycles end, and a room that is in two spaces is shown once', async () => {
  const [root, inner, shared] = [await space(), await space(), await room()]
  await add(root, inner)
  await add(inner, root)
  await add(inner, inner)
  await add(inner, shared)
  await add(root, shared)
  assert.deepEqual(ids(await tree(alice, root)), [root, inner, shared])
  assert.deepEqual(await allPages(alice, root, { limit: 1 }), [root, inner, shared])
})

test('pages go on where the last one ended, and may be asked for again', async () => {
  const root = await space()
  const rooms: string[] = []
  for (let i = 0; i < 7; i++) {
    rooms.push(await room())
    await add(root, rooms.at(-1)!, { order: String(i) })
  }
  for (const limit of [1, 2, 3, 7, 8, 1000]) {
    assert.deepEqual(await allPages(bob, root, { limit }), [root, ...rooms])
  }
  const first = await tree(bob, root, { limit: 3 })
  const second = await tree(bob, root, { limit: 3, from: first.next_batch })
  assert.deepEqual(ids(await tree(bob, root, { limit: 3, from: first.next_batch })), ids(second))
})

test('a token belongs to its user, its room and its parameters', async () => {
  const [root, other] = [await space(), await space()]
  for (const parent of [root, other]) {
    await add(parent, await room(), { suggested: true })
    await add(parent, await room(), { suggested: true })
  }
  const query = { limit: 1, max_depth: 3, suggested_only: true }
  const { next_batch: from } = await tree(bob, root, query)
  assert.ok(from)
  const refused = (who: ApiClient, roomId: string, change: Query): Promise<Json> =>
    who.refused('400 M_INVALID_PARAM', 'GET', withQuery(path(roomId), { ...query, from, ...change }))
  await refused(alice, root, {})
  await refused(bob, other, {})
  await refused(bob, root, { max_depth: 4 })
  await refused(bob, root, { suggested_only: false })
  await refused(bob, root, { from: 'nothing' })
  assert.equal(ids(await tree(bob, root, { ...query, limit: 5, from })).length, 2)
})

test('max_depth and suggested_only keep rooms out', async () => {
  const [root, inner, deep, plain] = [await space(), await space(), await room(), await room()]
  await add(root, inner, { suggested: true })
  await add(inner, deep, { suggested: true })
  await add(root, plain)
  assert.deepEqual(ids(await tree(alice, root, { max_depth: 0 })), [root])
  assert.deepEqual(ids(await tree(alice, root, { max_depth: 1 })), [root, inner, plain])
  assert.deepEqual(ids(await tree(alice, root, { max_depth: 2 })), [root, inner, deep, plain])
  const suggested = await tree(alice, root, { suggested_only: true })
  assert.deepEqual(ids(suggested), [root, inner, deep])
  assert.equal(suggested.rooms[0].children_state.length, 1)
})

test('adv-55 a tree shows nobody a room that they may not see', async () => {
  const root = await space()
  const rules = (content: Json): Json => ({
    preset: 'private_chat',
    initial_state: [{ type: 'm.room.join_rules', content }],
  })
  const allow = [{ type: 'm.room_membership', room_id: root }]
  const hidden = await room({ preset: 'private_chat', name: 'secret' })
  const early = await room({ ...rules({ join_rule: 'knock' }), room_version: '6' })
  const restricted = await room(rules({ join_rule: 'restricted', allow }))
  const knock = await room(rules({ join_rule: 'knock' }))
  const knockRestricted = await room(rules({ join_rule: 'knock_restricted', allow }))
  const visible = { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }
  const readable = await room({ preset: 'private_chat', initial_state: [visible] })
  const all = [hidden, early, restricted, knock, knockRestricted, readable]
  for (const [i, child] of all.entries()) await add(root, child, { order: String(i) })
  await add(root, '!unknown:elsewhere.example')
  assert.deepEqual(ids(await tree(bob, root)), [root, knock, knockRestricted, readable])
  await join(bob, root)
  const page = await tree(bob, root)
  assert.deepEqual(ids(page), [root, restricted, knock, knockRestricted, readable])
  assert.deepEqual(page.rooms[1].allowed_room_ids, [root])
  await invite(alice, hidden, bob)
  assert.deepEqual(ids(await tree(bob, root)).slice(0, 2), [root, hidden])
  assert.deepEqual(ids(await tree(alice, root)), [root, ...all])
})

test('the first room must be visible, and there', async () => {
  const secret = await space({ preset: 'private_chat' })
  await bob.refused('403 M_FORBIDDEN', 'GET', path(secret))
  await bob.refused('403 M_FORBIDDEN', 'GET', path('!nowhere:test.example'))
  await bob.refused('400 M_INVALID_PARAM', 'GET', path('nowhere'))
  for (const query of ['limit=0', 'limit=x', 'max_depth=-1', 'suggested_only=5']) {
    await alice.refused('400 M_INVALID_PARAM', 'GET', `${path(secret)}?${query}`)
  }
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', path(secret))
})

test('children that were taken out or are badly formed do not count', async () => {
  const root = await space()
  const child = await room()
  for (const content of [{}, { via: [] }, { via: 'test.example' }, { via: [5] }, { suggested: true }]) {
    await setState(alice, root, 'm.space.child', content, child)
    const page = await tree(alice, root)
    assert.deepEqual([ids(page), page.rooms[0].children_state], [[root], []])
  }
  await setState(alice, root, 'm.space.child', { via: ['test.example'] }, 'no-room-id')
  assert.deepEqual((await tree(alice, root)).rooms[0].children_state, [])
})

test('a room that is no space has no children, whatever its state says', async () => {
  const [plain, child] = [await room(), await room()]
  await add(plain, child)
  const page = await tree(alice, plain)
  assert.deepEqual([ids(page), page.rooms[0].children_state], [[plain], []])
})

test('the children of one space are limited', async () => {
  const root = await space()
  await Promise.all(
    Array.from({ length: SPACE_CHILDREN_MAX + 20 }, (_, i) => add(root, `!child${i}:elsewhere.example`)),
  )
  const page = await tree(alice, root)
  assert.equal(page.rooms[0].children_state.length, SPACE_CHILDREN_MAX)
  assert.deepEqual(await allPages(alice, root, {}), [root])
})

test('a walk that nobody goes on with ends', async () => {
  let later = 0
  const { clock } = realWorld
  const world = { ...realWorld, clock: { ...clock, monotonic: () => clock.monotonic() + later } }
  const timed = await TestServer.start({ world })
  const ann = await timed.user('ann')
  const root = await createRoom(ann, { creation_content: { type: 'm.space' } })
  const child = await createRoom(ann)
  await setState(ann, root, 'm.space.child', { via: ['test.example'] }, child)
  const { next_batch: from } = await tree(ann, root, { limit: 1 })
  later = HIERARCHY_WALK_MS / 2
  assert.deepEqual(ids(await tree(ann, root, { limit: 1, from })), [child])
  later = 2 * HIERARCHY_WALK_MS
  await ann.refused('400 M_INVALID_PARAM', 'GET', withQuery(path(root), { limit: 1, from }))
  await timed.close()
})

test('a page that a restart came before is refused, and the tree can be walked anew', async () => {
  const own = await TestServer.start()
  try {
    const who = await own.user('who')
    const root = await createRoom(who, { creation_content: { type: 'm.space' } })
    for (let i = 0; i < 3; i++)
      await setState(who, root, 'm.space.child', { via: ['x'] }, await createRoom(who))
    const { next_batch: from } = await tree(who, root, { limit: 2 })
    assert.ok(from)
    await own.restart()
    await who.refused('400 M_INVALID_PARAM', 'GET', withQuery(path(root), { from, limit: 2 }))
    assert.equal((await allPages(who, root, { limit: 2 })).length, 4)
  } finally {
    await own.close()
  }
})
