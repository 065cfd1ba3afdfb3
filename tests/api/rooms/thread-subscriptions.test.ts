import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json, Query } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { reply } from '../../support/relation-calls.ts'
import { leave, roomOf, say, sync } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{threadRoot}/subscription',
  'PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{threadRoot}/subscription',
  'DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{threadRoot}/subscription',
  'GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions',
)

const UNSTABLE = '/_matrix/client/unstable'
const PAGE = `${UNSTABLE}/io.element.msc4308/thread_subscriptions`

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const url = (roomId: string, root: string): string =>
  `${UNSTABLE}/io.element.msc4306/rooms/${encodeURIComponent(roomId)}/thread/${encodeURIComponent(root)}/subscription`

const page = (who: ApiClient, query: Query = {}): Promise<Json> => who.get(PAGE, { dir: 'b', ...query })

async function thread(): Promise<{ roomId: string; root: string; child: string; at: string }> {
  const roomId = await roomOf([alice, bob])
  const root = await say(alice, roomId, 'root')
  const child = await reply(alice, roomId, root, 'child')
  return { roomId, root, child, at: url(roomId, root) }
}

test('subscribing by hand, and by the client because of an event in the thread', async () => {
  const { at, child } = await thread()
  await bob.refused('404 M_NOT_FOUND', 'GET', at)
  await bob.put(at, { automatic: child })
  assert.deepEqual(await bob.get(at), { automatic: true })
  await bob.put(at, {})
  assert.deepEqual(await bob.get(at), { automatic: false })
  await bob.put(at, { automatic: child })
  assert.deepEqual(await bob.get(at), { automatic: false }, 'what the user asked for stays')
  await alice.refused('404 M_NOT_FOUND', 'GET', at)
})

test('after unsubscribing only something newer subscribes by itself', async () => {
  const { roomId, root, child, at } = await thread()
  assert.deepEqual(await bob.ok('DELETE', at), {})
  await bob.put(at, {})
  assert.deepEqual(await bob.ok('DELETE', at), {})
  assert.deepEqual(await bob.ok('DELETE', at), {})
  await bob.refused('404 M_NOT_FOUND', 'GET', at)
  const code = '409 IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION'
  await bob.refused(code, 'PUT', at, { automatic: child })
  const newer = await reply(alice, roomId, root, 'newer')
  await bob.put(at, { automatic: newer })
  assert.deepEqual(await bob.get(at), { automatic: true })
})

test('threads and causes must be seen and fit together', async () => {
  const { roomId, root, at } = await thread()
  const loose = await say(alice, roomId, 'loose')
  await bob.refused('400 IO.ELEMENT.MSC4306.M_NOT_IN_THREAD', 'PUT', at, { automatic: loose })
  await bob.refused('404 M_NOT_FOUND', 'PUT', at, { automatic: '$nothing' })
  await bob.refused('400 M_INVALID_PARAM', 'PUT', at, { automatic: 'nothing' })
  await bob.refused('400 M_INVALID_PARAM', 'PUT', url(roomId, 'nothing'), {})
  const carol = await server.user('carol')
  for (const method of ['GET', 'PUT', 'DELETE'] as const) {
    await carol.refused('404 M_NOT_FOUND', method, at, method === 'PUT' ? {} : undefined)
    await bob.refused('404 M_NOT_FOUND', method, url(roomId, '$nothing'), method === 'PUT' ? {} : undefined)
  }
  await leave(bob, roomId)
  await bob.put(url(roomId, root), {})
})

test('catching up goes backwards through what changed', async () => {
  const dora = await server.user('dora')
  const roomId = await roomOf([alice, dora])
  const roots: string[] = []
  for (let i = 0; i < 4; i++) roots.push(await say(alice, roomId, `root ${i}`))
  assert.deepEqual(await page(dora), {})
  for (const root of roots) await dora.put(url(roomId, root), {})
  const before = (await sync(dora)).next_batch
  await dora.ok('DELETE', url(roomId, roots[1]!))
  const all = await page(dora)
  assert.deepEqual(Object.keys(all.subscribed[roomId]).sort(), [roots[0], roots[2], roots[3]].sort())
  assert.equal(all.subscribed[roomId][roots[0]!].automatic, false)
  assert.ok(all.unsubscribed[roomId][roots[1]!].bump_stamp > all.subscribed[roomId][roots[3]!].bump_stamp)
  assert.equal(all.end, undefined)
  const first = await page(dora, { limit: 2 })
  assert.deepEqual(
    [first.unsubscribed, first.subscribed],
    [all.unsubscribed, { [roomId]: { [roots[3]!]: all.subscribed[roomId][roots[3]!] } }],
  )
  const second = await page(dora, { limit: 2, from: first.end })
  assert.deepEqual(Object.keys(second.subscribed[roomId]).sort(), [roots[0], roots[2]].sort())
  assert.equal(second.end, undefined)
  const since = await page(dora, { to: before })
  assert.deepEqual([since.subscribed, Object.keys(since.unsubscribed[roomId])], [undefined, [roots[1]]])
  assert.deepEqual(await page(alice), {})
})

test('bad questions are refused', async () => {
  for (const query of ['', 'dir=f', 'dir=b&limit=0', 'dir=b&limit=x', 'dir=b&from=x', 'dir=b&to=s99_1']) {
    const { status } = await alice.call('GET', `${PAGE}?${query}`)
    assert.equal(status, 400, query)
  }
  const { status } = await server.anonymous().call('GET', `${PAGE}?dir=b`)
  assert.equal(status, 401)
})
