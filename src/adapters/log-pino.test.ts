import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { logPino } from './log-pino.ts'

const folder = mkdtempSync(join(tmpdir(), 'log-'))
after(() => rmSync(folder, { recursive: true }))
const lines = (path: string): Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

test('lines are JSON with level, time, message and the fields of all children', () => {
  const path = join(folder, 'a.log')
  const log = logPino({ level: 'info', to: path })
  log.child({ name: 'http' }).child({ request: 'r1' }).info('request', { status: 200 })
  log.debug('not written')
  log.flush()
  const [line, ...rest] = lines(path)
  assert.equal(rest.length, 0)
  assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual(
    { ...line, time: 0 },
    { level: 'info', time: 0, name: 'http', request: 'r1', status: 200, msg: 'request' },
  )
})

test('secrets in fields, messages, errors and children are redacted', () => {
  const path = join(folder, 'b.log')
  const log = logPino({ level: 'trace', to: path })
  log.child({ token: 'abcsecret' }).info('url /x?access_token=abcsecret', { password: 'abcsecret' })
  log.error('failed', { error: new Error('Bearer abcsecret') })
  log.flush()
  assert.equal(lines(path).length, 2)
  assert.ok(!readFileSync(path, 'utf8').includes('abcsecret'))
  assert.match(JSON.stringify(lines(path)[1]), /log-pino\.test/, 'the stack is there')
})

test('the level changes while it runs, for children made before too', () => {
  const path = join(folder, 'c.log')
  const log = logPino({ level: 'warn', to: path })
  const child = log.child({ name: 'x' })
  child.info('no')
  assert.equal(child.enabled('info'), false)
  log.setLevel('debug')
  child.debug('yes')
  log.setLevel('silent')
  child.fatal('no')
  log.flush()
  assert.deepEqual(
    lines(path).map((line) => line['msg']),
    ['yes'],
  )
})

test('an error is on disk when the call returns; reopen follows a rotated file', () => {
  const path = join(folder, 'd.log')
  const log = logPino({ level: 'info', to: path, bufferBytes: 8192 })
  log.info('buffered')
  assert.equal(lines(path).length, 0)
  log.error('now')
  assert.equal(lines(path).length, 2)
  renameSync(path, `${path}.1`)
  log.reopen()
  log.error('after')
  assert.deepEqual(
    lines(path).map((line) => line['msg']),
    ['after'],
  )
})
