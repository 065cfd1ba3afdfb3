import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readLogConfig } from './log-config.ts'
import { memoryFiles } from './memory-files.ts'

const AT = { file: 'h.yaml', line: 7, key: 'log_config' }

function read(text: string) {
  return readLogConfig('/l', AT, memoryFiles({ '/l': text }))
}

test('the level of the root is taken, loggers and handlers are passed over with a warning', () => {
  const text = readFileSync(
    new URL('../../../tests/fixtures/config/synapse.log.config', import.meta.url),
    'utf8',
  )
  const log = read(text)
  assert.equal(log.level, 'info')
  assert.deepEqual(
    log.notices.map((n) => [n.kind, n.line, n.key]),
    [['ignored', 7, 'log_config']],
  )
  assert.deepEqual(log.problems, [])
})

test('Python’s names of levels', () => {
  const levels = ['CRITICAL', 'error', 'WARN', 'WARNING', 'INFO', 'DEBUG', 'NOTSET']
  const got = levels.map((level) => read(`root: {level: ${level}}\n`).level)
  assert.deepEqual(got, ['fatal', 'error', 'warn', 'warn', 'info', 'debug', 'trace'])
  assert.match(read('loggers: {a: {level: DEBUG}}\n').notices[0]?.text ?? '', /only the level of the root/)
})

test('a wrong level is a problem in the logging file', () => {
  const { problems } = read('version: 1\nroot:\n  level: LOUD\n')
  assert.deepEqual(
    problems.map((p) => [p.file, p.line, p.key]),
    [['/l', 3, 'root.level']],
  )
})

test('a missing file is a warning, a broken one a problem', () => {
  const missing = readLogConfig('/gone', AT, memoryFiles({}))
  assert.deepEqual([missing.level, missing.problems.length, missing.notices[0]?.line], ['info', 0, 7])
  assert.equal(read('root: [').problems[0]?.file, '/l')
})
