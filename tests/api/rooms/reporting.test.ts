import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import { LIMITS } from '#/http/limit-names.ts'
import { RateLimiter } from '#/http/rate-limiter.ts'
import type { ReportKind, ReportRow } from '#/ports/store/reports.ts'
import type { ApiClient } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { createRoom, inRoom, roomOf, say, setState, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'POST /_matrix/client/v3/rooms/{roomId}/report',
  'POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}',
  'POST /_matrix/client/v3/users/{userId}/report',
)

let server: TestServer
let alice: ApiClient
let bob: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
})
after(() => server.close())

const userUrl = (userId: string): string => `${V3}/users/${encodeURIComponent(userId)}/report`

async function newest(kind: ReportKind, reporter: ApiClient): Promise<ReportRow | undefined> {
  const query = { kind, dir: 'b', limit: 1, reporter: reporter.userId } as const
  return (await server.store.reports.page(query))[0]
}

test('a report of an event is kept with who, what and why', async () => {
  const roomId = await roomOf([alice, bob])
  const id = await say(alice, roomId, 'bad')
  assert.deepEqual(await bob.post(inRoom(roomId, 'report', id), { reason: 'rude', score: -50 }), {})
  const report = await newest('event', bob)
  assert.equal(report?.roomId, roomId)
  assert.deepEqual(
    [report.event, report.target, report.reason, report.score],
    [id, alice.userId, 'rude', -50],
  )
  await bob.post(inRoom(roomId, 'report', id), {})
  assert.equal((await newest('event', bob))?.reason, null)
})

test('an event is reported only by who is in its room and sees it; all else is one refusal', async () => {
  const roomId = await createRoom(alice)
  const id = await say(alice, roomId, 'secret')
  const late = await createRoom(alice, { preset: 'public_chat' })
  await setState(alice, late, 'm.room.history_visibility', { history_visibility: 'joined' })
  const hidden = await say(alice, late, 'hidden')
  await bob.post(inRoom(late, 'join'))
  const answers = [
    await bob.refused('404 M_NOT_FOUND', 'POST', inRoom(roomId, 'report', id), { reason: 'x' }),
    await bob.refused('404 M_NOT_FOUND', 'POST', inRoom(roomId, 'report', '$none'), { reason: 'x' }),
    await bob.refused('404 M_NOT_FOUND', 'POST', inRoom('!none:x', 'report', id), { reason: 'x' }),
    await bob.refused('404 M_NOT_FOUND', 'POST', inRoom(late, 'report', id), { reason: 'x' }),
    await bob.refused('404 M_NOT_FOUND', 'POST', inRoom(late, 'report', hidden), { reason: 'x' }),
  ]
  assert.equal(new Set(answers.map((answer) => answer.error)).size, 1)
})

test('a report of a room or a user is answered alike whether they exist or not', async () => {
  const roomId = await createRoom(alice)
  assert.deepEqual(await bob.post(inRoom(roomId, 'report'), { reason: 'whole room' }), {})
  assert.equal((await newest('room', bob))?.roomId, roomId)
  const count = (await server.store.reports.page({ kind: 'room', dir: 'f', limit: 100 })).length
  assert.deepEqual(await bob.post(inRoom('!nowhere:test.example', 'report'), { reason: '' }), {})
  assert.equal((await server.store.reports.page({ kind: 'room', dir: 'f', limit: 100 })).length, count)
  assert.deepEqual(await bob.post(userUrl(alice.userId), { reason: '' }), {})
  const report = await newest('user', bob)
  assert.deepEqual([report?.target, report?.reason, report?.roomId], [alice.userId, '', null])
  assert.deepEqual(await bob.post(userUrl('@nobody:test.example'), { reason: 'x' }), {})
  assert.equal((await newest('user', bob))?.nid, report?.nid)
})

test('bad reports are refused', async () => {
  const roomId = await createRoom(alice)
  const id = await say(alice, roomId, 'x')
  const long = 'x'.repeat(10_001)
  for (const url of [inRoom(roomId, 'report'), userUrl(bob.userId)]) {
    await alice.refused('400 M_MISSING_PARAM', 'POST', url, {})
    await alice.refused('400 M_BAD_JSON', 'POST', url, { reason: 7 })
    await alice.refused('400 M_BAD_JSON', 'POST', url, { reason: long })
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', url, { reason: '' })
  }
  await alice.refused('400 M_BAD_JSON', 'POST', inRoom(roomId, 'report', id), { reason: null })
  await alice.refused('400 M_BAD_JSON', 'POST', inRoom(roomId, 'report', id), { score: 'low' })
  await alice.refused('400 M_INVALID_PARAM', 'POST', userUrl('nobody'), { reason: '' })
})

test('guests do not report', async () => {
  const roomId = await createRoom(alice)
  const guest = server.anonymous()
  guest.become(await guest.post(`${V3}/register?kind=guest`))
  for (const url of [inRoom(roomId, 'report'), userUrl(bob.userId), inRoom(roomId, 'report', '$x')])
    await guest.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'POST', url, { reason: '' })
  assert.equal(await newest('room', guest), undefined)
})

test('reports are limited per account', async () => {
  const limits = new RateLimiter(realWorld.clock, {
    ...LIMITS,
    rc_registration: { perSecond: 1000, burst: 1000 },
    rc_reports: { perSecond: 0.001, burst: 2 },
  })
  const limited = await TestServer.start({ limits })
  const [carol, dora] = [await limited.user('carol'), await limited.user('dora')]
  for (let i = 0; i < 2; i++) await carol.post(userUrl(dora.userId), { reason: '' })
  await carol.refused('429 M_LIMIT_EXCEEDED', 'POST', userUrl(dora.userId), { reason: '' })
  await dora.post(userUrl(carol.userId), { reason: '' })
  await limited.close()
})
