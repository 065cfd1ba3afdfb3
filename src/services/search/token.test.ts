import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TOKEN_CHARS_MAX } from './limits.ts'
import { formatToken, parseToken } from './token.ts'

test('tokens read back', () => {
  const plain = { before: 17, offset: 0, given: 30 }
  for (const token of [
    plain,
    { ...plain, group: { key: 'room_id', value: '!a_b.c:x.y' } },
    { ...plain, group: { key: 'sender', value: '@é=/+:x' } },
  ] as const) {
    assert.deepEqual(parseToken(3, formatToken(3, token)), token)
  }
})

test('what is no token of this life is refused', () => {
  const good = formatToken(3, { before: 1, offset: 2, given: 3 })
  assert.equal(parseToken(4, good), undefined)
  for (const text of ['', 'x', 's3_1', good.slice(1), `${good}_1`, 'f3_1_2_-3', 'f3_1_2_x', `${good}.x`]) {
    assert.equal(parseToken(3, text), undefined, text)
  }
  assert.equal(parseToken(3, `${good}.r${'a'.repeat(TOKEN_CHARS_MAX)}`), undefined)
})
