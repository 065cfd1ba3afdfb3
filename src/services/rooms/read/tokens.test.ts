import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatStream, formatTopological, parseStream, parseTopological } from './tokens.ts'

test('tokens read as they were written', () => {
  const stream = { epoch: 3, position: 2 ** 51 }
  assert.deepEqual(parseStream(formatStream(stream)), stream)
  const place = { epoch: 1, depth: 17, arrival: -4 }
  assert.deepEqual(parseTopological(formatTopological(place)), place)
})

test('what is no token of ours is refused', () => {
  const foreign = [
    '',
    's',
    's1',
    's1_',
    's1_2_3',
    's1_2x',
    's 1_2',
    's01_2',
    's1_1e3',
    't1_2_3',
    `s1_${'9'.repeat(90)}`,
  ]
  for (const text of foreign) assert.equal(parseStream(text), undefined, text)
  for (const text of ['s1_2', 't1_2', 't1_2_3_4', 't1_NaN_2', 't1__2'])
    assert.equal(parseTopological(text), undefined, text)
})
