import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALLOW, ERRCODES, MatrixError, refuse } from './errors.ts'

test('P5 an error has its code, usual status and extra members', () => {
  const slow = new MatrixError('M_LIMIT_EXCEEDED', 'slow down', { retry_after_ms: 5 })
  assert.equal(slow.status, 429)
  assert.equal(slow.errcode, 'M_LIMIT_EXCEEDED')
  assert.equal(slow.message, 'slow down')
  assert.deepEqual(slow.extra, { retry_after_ms: 5 })
  assert.ok(slow instanceof Error)
  assert.deepEqual(new MatrixError('M_FORBIDDEN', 'no').extra, {})
  // @ts-expect-error the extra member is required
  new MatrixError('M_LIMIT_EXCEEDED', 'slow down')
  for (const [code, status] of Object.entries(ERRCODES)) {
    assert.ok(status >= 400 && (status < 500 || code === 'M_NOT_YET_UPLOADED'), `${code} is a refusal`)
  }
})

test('verdicts are values', () => {
  assert.deepEqual(ALLOW, { ok: true })
  assert.deepEqual(refuse('a.b', 'why'), { ok: false, rule: 'a.b', why: 'why' })
})
