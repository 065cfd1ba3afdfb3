/** Requests that wait are answered at once when the session that asks has ended. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, type ApiClient, withQuery } from '../../support/api-client.ts'
import { createRoom, say, sync, V3 } from '../../support/room-calls.ts'
import { SLIDING } from '../../support/sliding-calls.ts'

import { TestServer } from '../../support/test-server.ts'
import { administrator } from '../people/people.ts'

let server: TestServer
before(async () => {
  server = await TestServer.start()
})
after(() => server.close())

const LONG_MS = 30_000
const SOON_MS = 5000

/** What `who`, a member of a room, waits for. */
type Wait = (who: ApiClient, roomId: string) => Promise<() => Promise<Answer>>

const WAITS: readonly (readonly [string, Wait])[] = [
  [
    'sync',
    async (who) => {
      const { next_batch: since } = await sync(who)
      return () => who.call('GET', withQuery(`${V3}/sync`, { since, timeout: LONG_MS }))
    },
  ],
  [
    'sliding sync',
    async (who) => {
      const body = { extensions: { account_data: { enabled: true } } }
      const { pos } = await who.post(SLIDING, body)
      return () => who.call('POST', withQuery(SLIDING, { pos, timeout: LONG_MS }), body)
    },
  ],
  ['look at /events', async (who) => () => who.call('GET', `${V3}/events?timeout=${LONG_MS}`)],
  [
    'look at the /events of a room',
    async (who, room_id) => () => who.call('GET', withQuery(`${V3}/events`, { room_id, timeout: LONG_MS })),
  ],
]

const ENDS: readonly (readonly [string, string, (who: ApiClient, admin: ApiClient) => Promise<unknown>])[] = [
  ['logs out', '401 M_UNKNOWN_TOKEN', (who) => who.post(`${V3}/logout`)],
  ['logs out everywhere', '401 M_UNKNOWN_TOKEN', (who) => who.post(`${V3}/logout/all`)],
  [
    'is locked',
    '401 M_USER_LOCKED',
    (who, admin) =>
      admin.put(`/_matrix/client/v1/admin/lock/${encodeURIComponent(who.userId)}`, { locked: true }),
  ],
  [
    'is deactivated',
    '401 M_UNKNOWN_TOKEN',
    (who) =>
      who.post(`${V3}/account/deactivate`, {
        auth: {
          type: 'm.login.password',
          identifier: { type: 'm.id.user', user: who.userId },
          password: 'a password',
        },
      }),
  ],
]

for (const [kind, begin] of WAITS) {
  for (const [what, verdict, end] of ENDS) {
    test(`a ${kind} that waits is answered when the user ${what}`, async () => {
      const [who, admin] = [await server.user('who'), await administrator(server)]
      const roomId = await createRoom(who)
      const ask = await begin(who, roomId)
      const started = performance.now()
      const waiting = ask()
      await new Promise((resolve) => setTimeout(resolve, 20))
      await end(who, admin)
      const { status, json } = await waiting
      assert.equal(`${status} ${json.errcode}`, verdict)
      assert.ok(performance.now() - started < SOON_MS)
    })
  }

  test(`a ${kind} of another device goes on waiting`, async () => {
    const who = await server.user('who')
    const other = await server.device(who)
    const roomId = await createRoom(who)
    const ask = await begin(who, roomId)
    const started = performance.now()
    const waiting = ask()
    await new Promise((resolve) => setTimeout(resolve, 20))
    await other.post(`${V3}/logout`)
    await who.put(`${V3}/user/${encodeURIComponent(who.userId)}/account_data/com.example`, { a: 1 })
    await say(who, roomId, 'news')
    assert.equal((await waiting).status, 200)
    assert.ok(performance.now() - started < LONG_MS, 'it is news that ended it, not its time')
  })
}
