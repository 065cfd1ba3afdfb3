import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connect as tlsConnect } from 'node:tls'
import { metricsProm } from '#/adapters/metrics-prom.ts'
import { silentLog } from '#/base/log.ts'
import { realWorld } from '#/base/world.ts'
import { createDispatch } from '#/http/dispatch.ts'
import { healthRoute, metricsRoute } from '#/http/ops-routes.ts'
import { unlimited } from '#/http/rate-limiter.ts'
import { requestIds } from '#/http/request-ids.ts'
import { CERTIFICATE_ONE, CERTIFICATE_TWO } from './certificates.fixture.ts'
import { openListeners } from './listeners.ts'
import { request, serve, sleep, testDispatch, Wire } from './sockets.fixture.ts'
import type { TlsMaterial } from './tls.ts'

const folder = mkdtempSync(join(tmpdir(), 'http-'))
after(() => rmSync(folder, { recursive: true }))

test('several addresses, and all or nothing', async () => {
  await using server = await serve({ at: { port: 0, addresses: ['127.0.0.1', '127.0.0.2'] } })
  for (const bound of server.listeners.bound) {
    assert.ok('port' in bound)
    const answer = await fetch(`http://${bound.host}:${bound.port}/who`)
    assert.equal(answer.status, 200)
  }
  const taken = { at: { port: server.port, addresses: ['127.0.0.1'] }, dispatch: testDispatch() }
  const free = join(folder, 'free.sock')
  const fresh = { at: { path: free, mode: 0o600 }, dispatch: testDispatch() }
  await assert.rejects(openListeners([fresh, taken], silentLog), /EADDRINUSE/)
  assert.ok(!existsSync(free), 'what was open is closed again')
})

test('TLS, and a new certificate without a restart', async () => {
  let material: TlsMaterial = { ...CERTIFICATE_ONE, minVersion: 'TLSv1.2' }
  await using server = await serve({ tls: () => material })
  const name = () =>
    new Promise<string>((resolve, reject) => {
      const socket = tlsConnect({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        const { subject } = socket.getPeerCertificate()
        socket.write(request('GET', '/who', undefined, { Connection: 'close' }))
        let text = ''
        socket.on('data', (data) => {
          text += String(data)
        })
        socket.on('close', () => resolve(`${subject.CN} ${text.slice(9, 12)}`))
      })
      socket.on('error', reject)
    })
  assert.equal(await name(), 'one.test 200')
  material = { ...CERTIFICATE_TWO, minVersion: 'TLSv1.2' }
  server.listeners.reloadTls()
  assert.equal(await name(), 'two.test 200')
  material = { ...CERTIFICATE_TWO, minVersion: 'TLSv1.2', cert: 'broken' }
  assert.throws(() => server.listeners.reloadTls())
  assert.equal(await name(), 'two.test 200', 'the old one stays')
})

test('a unix socket with its mode; a stale one is replaced, a live one and other files are not', async () => {
  const path = join(folder, 'a.sock')
  const at = { path, mode: 0o660 }
  const server = await serve({ at })
  assert.equal(statSync(path).mode & 0o777, 0o660)
  using wire = await Wire.to(path)
  wire.send(request('GET', '/who'))
  await wire.until(/"remote":"unix"/)
  await assert.rejects(serve({ at }), /in use/)
  await server.listeners.close(0)
  const plain = join(folder, 'plain')
  writeFileSync(plain, 'precious')
  await assert.rejects(serve({ at: { path: plain, mode: 0o600 } }), /not a socket/)
  await using again = await serve({ at })
  assert.equal(again.listeners.bound.length, 1)
})

test('adv-61: X-Forwarded-For counts only where x_forwarded is set and the peer is trusted', async () => {
  const ask = async (options: object, forwarded: string, more: Record<string, string> = {}) => {
    await using server = await serve(options)
    const answer = await fetch(`http://127.0.0.1:${server.port}/who`, {
      headers: { 'X-Forwarded-For': forwarded, 'X-Request-Id': 'from-proxy', ...more },
    })
    return (await answer.json()) as { remote: string; id: string }
  }
  assert.equal((await ask({}, '203.0.113.9')).remote, '127.0.0.1')
  assert.equal((await ask({ xForwarded: true }, '203.0.113.9')).remote, '203.0.113.9')
  assert.equal((await ask({ xForwarded: true }, '198.51.100.1, 203.0.113.9, 10.0.0.5')).remote, '203.0.113.9')
  const narrow = { xForwarded: true, trustedProxies: ['192.0.2.1'] }
  assert.equal((await ask(narrow, '203.0.113.9')).remote, '127.0.0.1')
  assert.notEqual((await ask({}, 'x')).id, 'from-proxy')
  assert.equal((await ask({ requestIdHeader: 'X-Request-Id' }, 'x')).id, 'from-proxy')
  assert.notEqual((await ask({ ...narrow, requestIdHeader: 'X-Request-Id' }, 'x')).id, 'from-proxy')
})

test('shutdown: a running request is finished, new ones are refused, idle connections end', async () => {
  const server = await serve()
  using busy = await Wire.to(server.port)
  using idle = await Wire.to(server.port)
  idle.send(request('POST', '/echo', 'idle'))
  await idle.until(/idle$/)
  busy.send(request('GET', '/after/150'))
  await server.events.of('started')
  const closed = server.listeners.close(5000)
  await idle.ended
  await assert.rejects(fetch(`http://127.0.0.1:${server.port}/who`))
  const text = await busy.until(/"waited":"150"/)
  assert.match(text, /Connection: close/)
  await closed
  await busy.ended
  assert.equal(server.listeners.inFlight(), 0)
})

test('shutdown: after the grace handlers are aborted, and close ends', async () => {
  const server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('GET', '/after/600000'))
  await server.events.of('started')
  const start = performance.now()
  await server.listeners.close(100)
  const took = performance.now() - start
  assert.ok(server.events.saw('aborted'))
  assert.ok(took >= 95 && took < 1500, `${took}`)
})

test('shutdown during a body that never ends: the grace counts too', async () => {
  const server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('POST', '/stream', '', { 'Content-Length': '500' }), 'half')
  await sleep(30)
  const start = performance.now()
  await server.listeners.close(50)
  assert.ok(performance.now() - start < 2500)
})

test('a metrics listener serves metrics and nothing else', async () => {
  const metrics = metricsProm({ process: true })
  const shared = {
    authenticate: { user: () => assert.fail() },
    limiter: unlimited,
    log: silentLog,
    metrics,
    clock: realWorld.clock,
    ids: requestIds(realWorld.rng),
    serverName: 'test',
  }
  const wrong: string[] = []
  const main = createDispatch({ ...shared, routes: [healthRoute(() => wrong)] })
  const own = createDispatch({ ...shared, metrics: metricsProm(), routes: [metricsRoute(metrics)] })
  await using mainServer = await serve({ dispatch: main })
  await using metricsServer = await serve({ dispatch: own })
  const health = () => fetch(`http://127.0.0.1:${mainServer.port}/health`)
  const ok = await health()
  assert.equal(await ok.text(), 'OK')
  wrong.push('disk full')
  const red = await health()
  assert.equal(red.status, 503)
  assert.match(await red.text(), /disk full/)
  const text = await (await fetch(`http://127.0.0.1:${metricsServer.port}/_synapse/metrics`)).text()
  assert.match(
    text,
    /synapse_http_server_requests_received_total\{method="GET",servlet="\/health",server_name="test"\} 2/,
  )
  assert.match(text, /synapse_http_server_responses_total\{method="GET",code="503",server_name="test"\} 1/)
  assert.match(
    text,
    /synapse_http_server_response_time_seconds_count\{method="GET",servlet="\/health",tag="",code="200"/,
  )
  assert.equal((await fetch(`http://127.0.0.1:${metricsServer.port}/health`)).status, 404)
  assert.equal((await fetch(`http://127.0.0.1:${mainServer.port}/_synapse/metrics`)).status, 404)
})
