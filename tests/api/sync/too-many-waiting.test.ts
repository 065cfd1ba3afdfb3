/** More waiting requests of one user than may wait: the oldest are answered, and nobody keeps the server busy. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WAITING_PER_USER_MAX } from '#/services/sync/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { coversPart } from '../../support/covers.ts'
import { roomOf, say, sync, V3 } from '../../support/room-calls.ts'
import { all, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

coversPart('GET /_matrix/client/v3/sync')

let server: TestServer
before(async () => {
  server = await TestServer.start()
})
after(() => server.close())

const timeout = 30_000
/** Longer than it takes to answer, far shorter than the waiting. */
const A_WHILE_MS = 300

type Begun = (who: ApiClient) => Promise<() => Promise<Json>>

const KINDS: Record<string, Begun> = {
  '/sync': async (who) => {
    const { next_batch: since } = await sync(who)
    return () => sync(who, { since, timeout })
  },
  'sliding sync': async (who) => {
    const lists = { l: all() }
    const { pos } = await sliding(who, { lists })
    return () => sliding(who, { lists }, { pos, timeout })
  },
  '/events': async (who) => {
    const { end: from } = await who.get(`${V3}/events`, { timeout: 0 })
    return () => who.get(`${V3}/events`, { from, timeout })
  },
}

for (const [name, begin] of Object.entries(KINDS)) {
  test(`D3: waiting requests of ${name} beyond the limit are answered at once, the others wait in peace`, async () => {
    const bob = await server.user('bob')
    const roomId = await roomOf([bob])
    const ask = await begin(bob)
    const tooMany = 5
    let answered = 0
    const requests = Array.from({ length: WAITING_PER_USER_MAX + tooMany }, () =>
      ask().then(() => {
        answered++
      }),
    )
    await until('the oldest are answered', () => answered === tooMany)
    await sleep(A_WHILE_MS)
    assert.equal(answered, tooMany)
    await say(bob, roomId, 'wakes all')
    await Promise.all(requests)
  })
}
