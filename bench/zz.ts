/**
 * CPU of the server process per send request over a real socket, dispatch included, handler empty: our listener on
 * node:http, and the same dispatch behind Fastify. The generator is another process.
 * Run: node bench/http-adapters.ts [requests] [connections]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { fastify } from 'fastify'
import { openListeners } from '#/adapters/http-server/listeners.ts'
import { metricsProm } from '#/adapters/metrics-prom.ts'
import { silentLog } from '#/base/log.ts'
import { realWorld } from '#/base/world.ts'
import { createDispatch, type Dispatch } from '#/http/dispatch.ts'
import { unlimited } from '#/http/rate-limiter.ts'
import { requestIds } from '#/http/request-ids.ts'
import type { Requester } from '#/http/requester.ts'
import { route } from '#/http/route.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'

const alice: Requester = {
  userId: '@alice:localhost' as UserId,
  deviceId: 'DEV',
  isGuest: false,
  isAdmin: false,
  appserviceId: undefined,
  sessionId: 1,
  rateLimit: 'normal',
}

function dispatchOfBench(): Dispatch {
  const send = route({
    method: 'PUT',
    path: '/_matrix/client/v3/rooms/:roomId/send/:eventType/:txnId',
    spec: 'client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid',
    auth: 'user',
    limit: 'rc_message',
    params: { roomId: parseRoomId },
    body: 'event',
    handle: () => ({ event_id: '$WNGnSbKkTxQHZPLVJ4GdGjzDkwkUsmCoFuUqyFpFJaU' }),
  })
  return createDispatch({
    routes: [send],
    authenticate: { user: () => alice },
    limiter: unlimited,
    log: silentLog,
    metrics: metricsProm(),
    clock: realWorld.clock,
    ids: requestIds(realWorld.rng),
  })
}

async function serveNode(dispatch: Dispatch): Promise<number> {
  const listeners = await openListeners([{ at: { port: 0, addresses: ['127.0.0.1'] }, dispatch }], silentLog)
  const [bound] = listeners.bound
  return bound !== undefined && 'port' in bound ? bound.port : 0
}

/** As Fastify is meant to be used: a wildcard route, a content parser that collects the body, `reply.send`. */
async function serveFastify(dispatch: Dispatch): Promise<number> {
  const app = fastify({ logger: false, routerOptions: { maxParamLength: 10_000 }, bodyLimit: 1024 * 1024 })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.all('*', async (request, reply) => {
    const gone = new AbortController()
    reply.raw.on('close', () => {
      if (!reply.raw.writableFinished) gone.abort()
    })
    const answer = await dispatch({
      method: request.method,
      url: request.raw.url ?? '/',
      headers: (request.raw as IncomingMessage).headers,
      body: request.body as Uint8Array | undefined,
      remote: request.ip,
      signal: gone.signal,
    })
    return reply.code(answer.status).headers(answer.headers).send(answer.body)
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

async function child(kind: string): Promise<void> {
  const port = await (kind === 'node' ? serveNode : serveFastify)(dispatchOfBench())
  let mark = process.cpuUsage()
  process.on('message', (message) => {
    if (message === 'mark') {
      process.on('SIGUSR2', () => process.exit(0))
      mark = process.cpuUsage()
      process.send?.('marked')
      return
    }
    const used = process.cpuUsage(mark)
    process.send?.({ us: used.user + used.system, rss: process.memoryUsage().rss })
  })
  process.send?.(port)
}

const BODY = JSON.stringify({ msgtype: 'm.text', body: 'A message of the usual length, with ünicode.' })
const REQUEST = `PUT /_matrix/client/v3/rooms/!QtykxKocfZaZOUrTwp%3Alocalhost/send/m.room.message/m1 HTTP/1.1\r\n${[
  'Host: localhost',
  'Authorization: Bearer syt_YWxpY2U_abcdefghijklmnop_0abcde',
  'Content-Type: application/json',
  `Content-Length: ${Buffer.byteLength(BODY)}`,
].join('\r\n')}\r\n\r\n${BODY}`

/** Sends `count` requests, one at a time on each connection. */
function load(port: number, count: number, connections: number): Promise<void> {
  let left = count
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      const next = (): void => {
        if (left-- > 0) socket.write(REQUEST)
        else {
          socket.destroy()
          resolve()
        }
      }
      socket.on('connect', next)
      socket.on('error', reject)
      socket.on('data', (data) => {
        if (!data.toString('latin1').startsWith('HTTP/1.1 200')) reject(new Error(data.toString()))
        else next()
      })
    })
  return Promise.all(Array.from({ length: connections }, one)).then(() => {})
}

async function ask(server: ChildProcess, message: string): Promise<unknown> {
  const answer = once(server, 'message')
  server.send(message)
  return (await answer)[0]
}

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 50_000)
  const connections = Number(process.argv[3] ?? 50)
  for (const kind of ['node']) {
    const server = fork(import.meta.filename, ['--serve', kind])
    const [port] = (await once(server, 'message')) as [number]
    await load(port, count / 5, connections)
    await ask(server, 'mark')
    const start = performance.now()
    await load(port, count, connections)
    const seconds = (performance.now() - start) / 1000
    const { us, rss } = (await ask(server, 'report')) as { us: number; rss: number }
    console.log(
      `${kind}: ${(us / count).toFixed(1)} us CPU per request, ${Math.round(count / seconds)}/s, ${Math.round(rss / 1e6)} MB`,
    )
    server.kill('SIGUSR2')
    await once(server, 'exit')
  }
}

if (process.argv[2] === '--serve') await child(process.argv[3] ?? '')
else await main()
