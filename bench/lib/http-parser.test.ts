import assert from 'node:assert/strict'
import test from 'node:test'
import { ResponseParser } from './http-parser.ts'

interface Seen {
  readonly status: number
  readonly body: string
  readonly close: boolean
}

/** Feeds the stream in pieces cut at `cuts`, through one buffer that is overwritten each time, as a socket's is. */
function feed(stream: string, cuts: readonly number[]): { seen: Seen[]; parser: ResponseParser } {
  const seen: Seen[] = []
  const parser = new ResponseParser((status, bytes, start, end, close) => {
    seen.push({ status, body: bytes.toString('latin1', start, end), close })
  })
  const bytes = Buffer.from(stream, 'latin1')
  const buffer = Buffer.alloc(bytes.length)
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    bytes.copy(buffer, 0, from, to)
    parser.push(buffer, to - from)
    from = to
  }
  return { seen, parser }
}

const PLAIN = 'HTTP/1.1 200 OK\r\nServer: x\r\nCONTENT-length:  17 \r\n\r\n{"event_id":"$a"}'
const CHUNKED =
  'HTTP/1.1 429 Too Many Requests\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nC;ext=1\r\n, wide\r\nworl\r\n1\r\nd\r\n0\r\nTrailer: 1\r\n\r\n'
const EMPTY = 'HTTP/1.1 204 No Content\r\n\r\n'
const NOTHING = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
const INTERIM = 'HTTP/1.1 100 Continue\r\n\r\n'
const STREAM = PLAIN + CHUNKED + EMPTY + INTERIM + PLAIN + NOTHING
const EXPECTED: readonly Seen[] = [
  { status: 200, body: '{"event_id":"$a"}', close: false },
  { status: 429, body: 'hello, wide\r\nworld', close: false },
  { status: 204, body: '', close: false },
  { status: 200, body: '{"event_id":"$a"}', close: false },
  { status: 200, body: '', close: true },
]

test('a whole stream in one read', () => {
  const { seen, parser } = feed(STREAM, [])
  assert.deepEqual(seen, EXPECTED)
  assert.ok(parser.idle)
})

test('a stream cut once, at every place', () => {
  for (let cut = 1; cut < STREAM.length; cut++)
    assert.deepEqual(feed(STREAM, [cut]).seen, EXPECTED, `cut at ${cut}`)
})

test('a stream cut twice, at every pair of places', () => {
  for (let first = 1; first < STREAM.length; first += 3) {
    for (let second = first + 1; second < STREAM.length; second += 2) {
      assert.deepEqual(feed(STREAM, [first, second]).seen, EXPECTED, `cut at ${first} and ${second}`)
    }
  }
})

test('a stream byte by byte', () => {
  const cuts = Array.from({ length: STREAM.length - 1 }, (_, index) => index + 1)
  assert.deepEqual(feed(STREAM, cuts).seen, EXPECTED)
})

test('a body longer than any read', () => {
  const body = 'x'.repeat(300_000)
  const stream = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}${PLAIN}`
  const cuts = Array.from({ length: 73 }, (_, index) => (index + 1) * 4_096)
  const { seen } = feed(stream, cuts)
  assert.equal(seen.length, 2)
  assert.equal(seen[0]!.body, body)
  assert.deepEqual(seen[1], EXPECTED[0])
})

test('bytes of an earlier read are no part of the head', () => {
  const seen: number[] = []
  const parser = new ResponseParser((status) => seen.push(status))
  const buffer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  // Only the first 20 bytes were read; the rest lies in the buffer from before.
  parser.push(buffer, 20)
  assert.deepEqual(seen, [])
  assert.ok(!parser.idle)
  parser.push(Buffer.from('tent-Length: 0\r\n\r\n'), 17)
  assert.deepEqual(seen, [], 'the last line feed has not come')
  parser.push(Buffer.from('\n'), 1)
  assert.deepEqual(seen, [200])
})

test('what is no HTTP, or has no length, is refused', () => {
  assert.throws(() => feed('SSH-2.0-x\r\n\r\n', []), /not HTTP/)
  assert.throws(() => feed('HTTP/1.1 200 OK\r\n\r\nrest', []), /without a length/)
  assert.throws(() => feed('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n', []), /length/)
  assert.throws(() => feed('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', []), /chunk/)
  assert.throws(() => feed(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`, []), /too long/)
})
