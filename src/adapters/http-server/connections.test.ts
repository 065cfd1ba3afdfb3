import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { HEAD_BYTES_MAX } from './limits.ts'
import { request, serve, sleep, Wire } from './sockets.fixture.ts'

const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length

test('adv-88: pipelined requests are answered in their order', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('GET', '/after/80') + request('GET', '/after/1') + request('POST', '/echo', 'third'))
  const text = await wire.until(/third$/)
  assert.ok(text.indexOf('"waited":"80"') < text.indexOf('"waited":"1"'))
  assert.ok(text.indexOf('"waited":"1"') < text.indexOf('third'))
  assert.equal(count(text, /HTTP\/1\.1 200/g), 3)
})

test("adv-88: garbage after a request never becomes that request's answer", async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(`${request('GET', '/after/100')}NONSENSE\r\n\r\n`)
  await wire.ended
  assert.ok(!wire.text.includes('400'), wire.text)
})

test('adv-88: requests with two readings are refused', async () => {
  await using server = await serve()
  const smuggling = {
    'length and chunked': { 'Content-Length': '4', 'Transfer-Encoding': 'chunked' },
    'two lengths': { 'Content-Length': '4\r\nContent-Length: 5' },
    'bad length': { 'Content-Length': '+4' },
    'coding that is not chunked last': { 'Transfer-Encoding': 'chunked, identity' },
    'space before the colon': { 'Transfer-Encoding : chunked\r\nX': 'y' },
    'bare line feed': { 'X: y\nContent-Length': '4' },
  }
  for (const [name, headers] of Object.entries(smuggling)) {
    using wire = await Wire.to(server.port)
    wire.send(request('POST', '/echo', '0\r\n\r\nGET /who HTTP/1.1\r\nHost: x\r\n\r\n', headers as never))
    await wire.ended
    assert.match(wire.text, /^HTTP\/1\.1 400 /, name)
    assert.match(wire.text, /Access-Control-Allow-Origin: \*/, name)
    assert.equal(count(wire.text, /HTTP\/1\.1/g), 1, name)
  }
})

test('keep-alive: many requests on one connection; Connection: close ends it', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  for (let i = 0; i < 20; i++) {
    wire.send(request('POST', '/echo', `request-${i}`))
    await wire.until(new RegExp(`request-${i}$`))
  }
  wire.send(request('POST', '/echo', 'last', { Connection: 'close' }))
  await wire.ended
  assert.match(wire.text, /last$/)
})

test('a head that is too large: 431, as JSON', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('GET', `/who?${'x'.repeat(HEAD_BYTES_MAX + 1)}`))
  assert.match(await wire.until(/"errcode"/), /^HTTP\/1\.1 431 /)
})

test('a client that leaves aborts its handler', async () => {
  await using server = await serve()
  const wire = await Wire.to(server.port)
  wire.send(request('GET', '/after/60000'))
  await server.events.of('started')
  wire.socket.destroy()
  await server.events.of('aborted')
  await sleep(10)
  assert.equal(server.listeners.inFlight(), 0)
  assert.equal(server.lines.at(-1)?.fields['status'], 499)
})

test('HEAD has the length and no body', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('HEAD', '/large/100', undefined, { Connection: 'close' }))
  await wire.ended
  assert.match(wire.text, /Content-Length: 108/)
  assert.match(wire.text, /\r\n\r\n$/)
})

test('streamed answers: whole when the source is, broken connection when it fails', async () => {
  await using server = await serve()
  const whole = await fetch(`http://127.0.0.1:${server.port}/pieces/40`)
  assert.equal((await whole.arrayBuffer()).byteLength, 40 * 65_536)
  const broken = await fetch(`http://127.0.0.1:${server.port}/pieces/60`)
  await assert.rejects(broken.arrayBuffer())
  assert.ok(server.lines.some((line) => line.message === 'an answer was broken off'))
})

test('the source of an answer that nobody gets is released', async () => {
  await using server = await serve()
  using wire = await Wire.to(server.port)
  wire.send(request('HEAD', '/pieces/40', undefined, { Connection: 'close' }))
  await wire.ended
  assert.match(wire.text, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n$/)
  await server.events.of('source released')
})

test('a client that takes no answer is cut off', async () => {
  await using server = await serve({ times: { sweepMs: 20, answerStallMs: 100 } })
  const wire = await Wire.to(server.port)
  wire.socket.pause()
  wire.send(request('GET', '/large/30000000'))
  await sleep(100)
  assert.equal(server.listeners.inFlight(), 1)
  for (let i = 0; i < 100 && server.listeners.inFlight() > 0; i++) await sleep(20)
  assert.equal(server.listeners.inFlight(), 0)
  wire.socket.destroy()
})

test('compress: gzip for those who accept it, not for small answers', async () => {
  await using server = await serve({ compress: true })
  const url = `http://127.0.0.1:${server.port}`
  const raw = async (path: string, accept: string) => {
    using wire = await Wire.to(server.port)
    wire.send(request('GET', path, undefined, { 'Accept-Encoding': accept, Connection: 'close' }))
    await wire.ended
    return wire.text
  }
  const zipped = await raw('/large/5000', 'br, gzip;q=0.5')
  assert.match(zipped, /Content-Encoding: gzip/)
  const body = Buffer.from(zipped.slice(zipped.indexOf('\r\n\r\n') + 4), 'latin1')
  assert.equal(gunzipSync(body).byteLength, 5008)
  assert.ok(!(await raw('/large/5000', 'gzip;q=0, br')).includes('Content-Encoding'))
  assert.ok(!(await raw('/large/50', 'gzip')).includes('Content-Encoding'))
  assert.equal(((await (await fetch(`${url}/large/5000`)).json()) as { x: string }).x.length, 5000)
})
