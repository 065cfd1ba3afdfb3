import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOG_KEPT_BYTES_MAX, LogSink } from './log-sink.ts'

/** A disk with room for some bytes; more is refused as a full disk refuses it. */
function disk(room: number) {
  const state = { room, text: '', attempts: 0 }
  const write = (_fd: number, bytes: Uint8Array, offset: number): number => {
    state.attempts++
    if (state.room <= 0) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
    const part = bytes.subarray(offset, offset + state.room)
    state.room -= part.byteLength
    state.text += Buffer.from(part).toString()
    return part.byteLength
  }
  // Descriptor 2: a sink that is standard error has nobody to complain to.
  return { state, sink: new LogSink({ to: 2, bufferBytes: 0, write }) }
}

test('a full disk holds nobody up, and a line cut in its middle goes on there', () => {
  const { state, sink } = disk(14)
  sink.write('first line\n')
  sink.write('second line\n')
  assert.equal(state.text, 'first line\nsec')
  sink.write('third line\n')
  const { attempts } = state
  for (let i = 0; i < 1000; i++) sink.write('more\n')
  assert.equal(state.attempts, attempts, 'lines do not try a disk that has just refused')
  state.room = 1e6
  sink.flush()
  assert.ok(state.text.startsWith('first line\nsecond line\nthird line\nmore\n'), state.text.slice(0, 60))
  sink.write('last\n')
  assert.ok(state.text.endsWith('more\nlast\n'))
})

test('what is kept has a limit; lost lines are counted and told', () => {
  const { state, sink } = disk(0)
  const line = `${'x'.repeat(1023)}\n`
  const lines = LOG_KEPT_BYTES_MAX / 1024 + 500
  for (let i = 0; i < lines; i++) sink.write(line)
  state.room = 1e9
  sink.flush()
  sink.write('after\n')
  const written = state.text.split('\n')
  const lost = JSON.parse(written.find((text) => text.startsWith('{')) ?? '{}')
  const kept = written.filter((text) => text.startsWith('x')).length
  assert.equal(lost.msg, 'log lines were lost')
  assert.equal(lost.lines + kept, lines)
  assert.ok(kept <= LOG_KEPT_BYTES_MAX / 1024 + 1)
  assert.equal(written.at(-2), 'after')
})

test('without a failure lines wait until there are enough of them', () => {
  let text = ''
  const write = (_fd: number, bytes: Uint8Array): number => {
    text += Buffer.from(bytes).toString()
    return bytes.byteLength
  }
  const sink = new LogSink({ to: 2, bufferBytes: 20, write })
  sink.write('0123456789\n')
  assert.equal(text, '')
  sink.write('0123456789\n')
  assert.equal(text, '0123456789\n0123456789\n')
})
