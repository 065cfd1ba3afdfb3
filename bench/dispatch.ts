/**
 * What dispatch costs per send request, without sockets, store or log output: routing, authentication from a cache,
 * rate limit, path parameters, the event's JSON, rendering, metrics.
 * Run: node bench/dispatch.ts [requests]
 */
import { parseArgs } from 'node:util'
import { metricsProm } from '#/adapters/metrics-prom.ts'
import { silentLog } from '#/base/log.ts'
import { noMetrics } from '#/base/metrics.ts'
import { realWorld } from '#/base/world.ts'
import { createDispatch } from '#/http/dispatch.ts'
import { LIMITS } from '#/http/limit-names.ts'
import { RateLimiter } from '#/http/rate-limiter.ts'
import { requestIds } from '#/http/request-ids.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'

const count = Number(parseArgs({ allowPositionals: true }).positionals[0] ?? 200_000)
const alice: Requester = {
  userId: '@alice:localhost' as UserId,
  deviceId: 'DEV',
  isGuest: false,
  isAdmin: false,
  appserviceId: undefined,
  sessionId: 1,
  rateLimit: { perSecond: 1e9, burst: 1e9 },
}
const C3 = '/_matrix/client/v3'
const others: Route[] = Array.from({ length: 230 }, (_, i) =>
  route({
    method: 'GET',
    path: `${C3}/other${i}/:x`,
    spec: 'own',
    auth: 'user',
    limit: 'none',
    handle: () => ({}),
  }),
)
const send = route({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/:roomId/send/:eventType/:txnId',
  also: ['/_matrix/client/r0/rooms/:roomId/send/:eventType/:txnId'],
  spec: 'client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid',
  auth: 'user',
  limit: 'rc_message',
  params: { roomId: parseRoomId },
  body: 'event',
  handle: () => ({ event_id: '$WNGnSbKkTxQHZPLVJ4GdGjzDkwkUsmCoFuUqyFpFJaU' }),
})
const url = `${C3}/rooms/${encodeURIComponent('!QtykxKocfZaZOUrTwp:localhost')}/send/m.room.message/m1234567890.1`
const body = Buffer.from(
  JSON.stringify({ msgtype: 'm.text', body: 'A message of the usual length, with ünicode.' }),
)
const headers = {
  authorization: 'Bearer syt_YWxpY2U_abcdefghijklmnop_0abcde',
  'content-type': 'application/json',
}

for (const [name, metrics] of [
  ['no metrics', noMetrics],
  ['prom-client', metricsProm()],
] as const) {
  const dispatch = createDispatch({
    routes: [...others, send],
    authenticate: { user: () => alice },
    limiter: new RateLimiter(realWorld.clock, LIMITS),
    log: silentLog,
    metrics,
    clock: realWorld.clock,
    ids: requestIds(realWorld.rng),
    serverName: 'localhost',
  })
  const { signal } = new AbortController()
  const run = async (times: number): Promise<number> => {
    const cpu = process.cpuUsage()
    for (let i = 0; i < times; i++) {
      const reply = await dispatch({ method: 'PUT', url, headers, body, remote: '127.0.0.1', signal })
      if (reply.status !== 200) throw new Error(String(reply.body))
    }
    const used = process.cpuUsage(cpu)
    return (used.user + used.system) / times
  }
  await run(count / 10)
  console.log(`${name}: ${(await run(count)).toFixed(2)} us CPU per send`)
}
