/** Names in member events, when the name changes while somebody comes into a room. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { ApiClient } from '../../support/api-client.ts'
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
  const events = server.database
    .prepare(`SELECT json FROM events WHERE type = 'm.room.member' AND state_key = ?`)
    .all(bob.userId)
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
