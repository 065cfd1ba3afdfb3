import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunked, request, serve, sleep, Wire } from './sockets.fixture.ts'

const CHUNKED = { 'Transfer-Encoding': 'chunked' }

test('adv-35: an announced body over the limit is refused before it is sent', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('POST', '/echo', '', { 'Content-Length': '1000000000' }))
  const text = await wire.until(/M_TOO_LARGE/)
  assert.match(text, /^HTTP\/1\.1 413 /)
  assert.match(text, /Access-Control-Allow-Origin: \*/)
  assert.match(text, /Connection: close/)
})

test('adv-35: an endless chunked body is cut off soon after its limit, and answered', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('POST', '/echo', undefined, CHUNKED))
  let sent = 0
  const piece = 'x'.repeat(16_384)
  const flood = setInterval(() => {
    if (!wire.socket.writable || wire.socket.writableLength > 1e6) return
    for (let i = 0; i < 16; i++) wire.send(`${piece.length.toString(16)}\r\n${piece}\r\n`)
    sent += 16 * piece.length
  }, 1)
  try {
    await wire.until(/M_TOO_LARGE/)
    await wire.ended
  } finally {
    clearInterval(flood)
  }
  assert.match(wire.text, /^HTTP\/1\.1 413 /)
  assert.ok(sent < 50e6, `${sent} bytes`)
})

test('bodies arrive whole: with a length, chunked, in pieces, empty, streamed', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('POST', '/echo', 'with-length'))
  await wire.until(/with-length$/)
  wire.send(request('POST', '/echo', chunked('chu', 'nked'), CHUNKED))
  await wire.until(/chunked$/)
  wire.send(request('POST', '/echo', '', { 'Content-Length': '6' }), 'pie')
  await sleep(20)
  wire.send('ces')
  await wire.until(/pieces$/)
  wire.send(request('POST', '/event', ''))
  await wire.until(/M_NOT_JSON/)
  wire.send(request('POST', '/stream', chunked('x'.repeat(60_000), 'x'.repeat(30_000)), CHUNKED))
  await wire.until(/"size":90000/)
  wire.send(request('POST', '/stream', chunked('x'.repeat(60_000), 'x'.repeat(60_000)), CHUNKED))
  await wire.until(/M_TOO_LARGE/)
})

test('any content type is taken, none too', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  const types = ['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'nonsense']
  for (const [index, type] of types.entries()) {
    wire.send(request('POST', '/event', `{"n":${index}}`, { 'Content-Type': type }))
    await wire.until(new RegExp(`"n":${index}`))
  }
  wire.send(request('POST', '/event', '{"n":99}'))
  await wire.until(/"n":99/)
})

test('a client that leaves in the middle of its body harms nobody', async () => {
  await using server = await serve()
  for (const path of ['/echo', '/stream']) {
    const wire = await Wire.to(server.port)
    wire.send(request('POST', path, '', { 'Content-Length': '500' }), 'half')
    await sleep(30)
    wire.socket.destroy()
  }
  await sleep(50)
  assert.equal(server.listeners.inFlight(), 0)
  assert.deepEqual(
    server.lines.map((line) => line.fields['status']),
    [499, 499],
  )
  assert.ok(!server.lines.some((line) => line.level === 'error'))
})

test('Expect: 100-continue gets its go-ahead, or the refusal instead of it', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('POST', '/echo', '', { 'Content-Length': '4', Expect: '100-continue' }))
  await wire.until(/^HTTP\/1\.1 100 Continue/)
  wire.send('body')
  await wire.until(/body$/)
  using other = await Wire.to(server.port)
  const start = performance.now()
  other.send(request('POST', '/echo', '', { 'Content-Length': '4000', Expect: '100-continue' }))
  await other.until(/M_TOO_LARGE/)
  await other.ended
  assert.ok(!other.text.includes('100 Continue'))
  assert.ok(performance.now() - start < 1000)
})

test('a body that the route does not want is thrown away and the connection goes on', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('POST', '/ignore', '', { 'Content-Length': '5' }))
  await wire.until(/"ok":true/)
  wire.send(`12345${request('GET', '/who')}`)
  await wire.until(/"remote":"127\.0\.0\.1"/)
})

test('a slow body is cut off: fewer bytes per second than the least', async () => {
  await using server = await serve({ times: { sweepMs: 20, bodyGraceMs: 50 } })
  using wire = await Wire.to(server.port)
  wire.send(request('POST', '/stream', '', { 'Content-Length': '5000' }))
  const drip = setInterval(() => wire.send('x'), 10)
  await wire.ended
  clearInterval(drip)
  await sleep(50)
  assert.equal(server.listeners.inFlight(), 0)
})
