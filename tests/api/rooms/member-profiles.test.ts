/** Names in member events, when the name changes while somebody comes into a room. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { createRoom, getState, join, roomOf, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'
import { watchedStore } from '../../support/watched-store.ts'

const watch = watchedStore()
let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start({ wrapStore: watch.wrap })
  alice = await server.user('alice')
})
after(() => server.close())

function rename(who: ApiClient, displayname: string): Promise<unknown> {
  return who.put(`${V3}/profile/${encodeURIComponent(who.userId)}/displayname`, { displayname })
}

const member = (ops: readonly Op[], user: string): string | undefined =>
  ops.find((op) => op.op === 'event.insert' && op.type === 'm.room.member' && op.stateKey === user)?.op

const nameIn = async (who: ApiClient, roomId: string): Promise<unknown> =>
  (await getState(who, roomId, 'm.room.member', who.userId)).displayname

test('a name that changes while a join is written is in the very event of the join', async () => {
  const roomId = await roomOf([alice])
  const bob = await server.user('bob')
  let renamed = false
  watch.onCommit = async (ops) => {
    if (renamed || !member(ops, bob.userId)) return
    renamed = true
    await rename(bob, 'Robert')
  }
  await join(bob, roomId)
  watch.onCommit = undefined
  assert.ok(renamed)
  /* No later event is needed, so that no crash can come before it. */
  const text = `SELECT json FROM events WHERE type = 'm.room.member' AND state_key = ?1`
  const events = await server.ask(text, bob.userId)
  assert.deepEqual(
    events.map((row) => JSON.parse(row['json'] as string).content.displayname),
    ['Robert'],
  )
  assert.equal(await nameIn(bob, roomId), 'Robert')
})

test('a name that changes while a room is made reaches it', async () => {
  const carol = await server.user('carol')
  let renamed = false
  watch.onCommit = async (ops) => {
    if (renamed || !member(ops, carol.userId)) return
    renamed = true
    await rename(carol, 'Caroline')
  }
  const roomId = await createRoom(carol)
  watch.onCommit = undefined
  for (let i = 0; (await nameIn(carol, roomId)) !== 'Caroline'; i++) {
    assert.ok(i < 300, 'the new name does not come')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
})

test('a name that changes again and again does not keep a join waiting for ever', async () => {
  const roomId = await roomOf([alice])
  const dave = await server.user('dave')
  let times = 0
  watch.onCommit = async (ops) => {
    if (member(ops, dave.userId)) await rename(dave, `Dave ${++times}`)
  }
  await dave.refused('429 M_LIMIT_EXCEEDED', 'POST', `${V3}/rooms/${encodeURIComponent(roomId)}/join`, {})
  watch.onCommit = undefined
  assert.ok(times < 20)
})

/** The names in a user's rooms once nothing more is due. */
async function namesIn(who: ApiClient, rooms: readonly string[], wanted: readonly unknown[]): Promise<void> {
  for (let i = 0; ; i++) {
    const names = await Promise.all(rooms.map((roomId) => nameIn(who, roomId)))
    const due = await server.store.jobs.due(Number.MAX_SAFE_INTEGER, 10, ['profile.spread'])
    if (due.length === 0) return assert.deepEqual(names, wanted)
    assert.ok(i < 300, `still ${names}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const nickname = (who: ApiClient, roomId: string, content: Json): Promise<Json> =>
  who.put(`${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.member/${encodeURIComponent(who.userId)}`, {
    membership: 'join',
    ...content,
  })

const nameOf = (who: ApiClient): string => `${V3}/profile/${encodeURIComponent(who.userId)}/displayname`

test('propagate_to says into which rooms a new name goes (MSC4466)', async () => {
  const erin = await server.user('erin')
  const rooms = [await createRoom(erin), await createRoom(erin)]
  const own = await nameIn(erin, rooms[0]!)
  await nickname(erin, rooms[1]!, { displayname: 'Nick', 'com.example.kept': 1, reason: 'because' })
  await erin.put(`${nameOf(erin)}?propagate_to=none`, { displayname: 'One' })
  await namesIn(erin, rooms, [own, 'Nick'])
  assert.equal((await erin.get(nameOf(erin))).displayname, 'One')
  await rename(erin, 'Two')
  await namesIn(erin, rooms, ['Two', 'Two'])
  const { 'com.example.kept': kept, reason } = await getState(erin, rooms[1]!, 'm.room.member', erin.userId)
  assert.deepEqual([kept, reason], [1, undefined])
  await nickname(erin, rooms[1]!, { displayname: 'Nick' })
  const unstable = 'computer.gingershaped.msc4466.propagate_to=unchanged'
  await erin.put(`${nameOf(erin)}?${unstable}`, { displayname: 'Three' })
  await erin.put(`${nameOf(erin)}?propagate_to=unchanged`, { displayname: 'Four' })
  await namesIn(erin, rooms, ['Four', 'Nick'])
  /* The name that is a room's own stays when something else changes. */
  const avatar = `${V3}/profile/${encodeURIComponent(erin.userId)}/avatar_url`
  await erin.put(avatar, { avatar_url: 'mxc://a/b' })
  await namesIn(erin, rooms, ['Four', 'Nick'])
  assert.equal((await getState(erin, rooms[1]!, 'm.room.member', erin.userId)).avatar_url, 'mxc://a/b')
  await erin.call('DELETE', `${nameOf(erin)}?propagate_to=unchanged`)
  await namesIn(erin, rooms, [undefined, 'Nick'])
})

test('a propagate_to that is none is refused for names, and nothing for other fields', async () => {
  const fay = await server.user('fay')
  await fay.refused('400 M_INVALID_PARAM', 'PUT', `${nameOf(fay)}?propagate_to=some`, { displayname: 'F' })
  const zone = `${V3}/profile/${encodeURIComponent(fay.userId)}/m.tz`
  await fay.put(`${zone}?propagate_to=some`, { 'm.tz': 'UTC' })
})

test('msc4069_profile_inhibit_propagation: the older name is heard where it is switched on', async () => {
  const open = await TestServer.start({
    configure: (plain) => ({
      ...plain,
      accounts: { ...plain.accounts, profile: { ...plain.accounts.profile, inhibitsPropagation: true } },
    }),
  })
  try {
    for (const [at, stays] of [
      [open, true],
      [server, false],
    ] as const) {
      const gus = await at.user('gus')
      const roomId = await createRoom(gus)
      const before = await nameIn(gus, roomId)
      await gus.put(`${nameOf(gus)}?org.matrix.msc4069.propagate=false`, { displayname: 'Gus' })
      const same = async (): Promise<boolean> => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        return (await nameIn(gus, roomId)) === before
      }
      /* What spreads does so soon; what does not is looked at once. */
      for (let tries = 0; !stays && tries < 100 && (await same()); tries++);
      assert.equal(await same(), stays)
    }
  } finally {
    await open.close()
  }
})
