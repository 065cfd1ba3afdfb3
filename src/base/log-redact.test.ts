import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSecretName, REDACTED, redactText, redactValue } from './log-redact.ts'

test('tokens leave texts, the rest stays', () => {
  assert.equal(
    redactText('GET /sync?access_token=abc&since=s1 200'),
    `GET /sync?access_token=${REDACTED}&since=s1 200`,
  )
  assert.equal(redactText('Authorization: bearer abc.def-ghi'), `Authorization: bearer ${REDACTED}`)
  assert.equal(redactText('saw syt_YWxpY2U_abcdef_123 twice'), `saw syt_${REDACTED} twice`)
  assert.equal(redactText('nothing to hide'), 'nothing to hide')
})

test('fields with secret names never show, at any depth, in any spelling', () => {
  for (const name of [
    'password',
    'new_password',
    'access_token',
    'accessToken',
    'Authorization',
    'as_token',
    'body',
  ]) {
    assert.ok(isSecretName(name), name)
    assert.deepEqual(redactValue({ a: { [name]: 'hunter2', b: 1 } }), { a: { [name]: REDACTED, b: 1 } })
  }
  assert.ok(!isSecretName('user') && !isSecretName('room') && !isSecretName('toString'))
})

test('errors keep type, message, code, stack and cause, without tokens', () => {
  const error = new TypeError('bad ?access_token=abc', { cause: new Error('Bearer xyz') })
  const out = redactValue({ error: Object.assign(error, { code: 'E_X', secretBody: 'x' }) }) as {
    error: Record<string, unknown>
  }
  assert.equal(out.error['type'], 'TypeError')
  assert.equal(out.error['code'], 'E_X')
  assert.match(String(out.error['stack']), /log-redact\.test/)
  assert.ok(!/abc|xyz|secretBody/.test(JSON.stringify(out)))
})

test('lines stay bounded: long texts, wide and deep values, bytes, cycles', () => {
  const cycle: Record<string, unknown> = {}
  cycle['me'] = cycle
  const text = JSON.stringify(
    redactValue({
      long: 'x'.repeat(100_000),
      wide: Array.from({ length: 1000 }, (_, i) => i),
      bytes: Buffer.from('secret'),
      cycle,
      big: 10n,
      f: () => 1,
    }),
  )
  assert.ok(text.length < 20_000, `${text.length}`)
  assert.match(text, /<6 bytes>/)
  assert.match(text, /<deep>/)
})

test('redaction of a long hostile text is linear', () => {
  const text = 'access_token='.repeat(1200)
  const start = performance.now()
  for (let i = 0; i < 100; i++) redactText(text)
  assert.ok(performance.now() - start < 1000)
})
