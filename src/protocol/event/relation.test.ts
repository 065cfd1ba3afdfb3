import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../json/value.ts'
import { countsInAggregation, isRelationKey, relationOf } from './relation.ts'

const relates = (relation: unknown): JsonObject => ({ 'm.relates_to': relation }) as JsonObject

test('a relation is its kind, its target and its key', () => {
  const relation = relationOf(relates({ rel_type: 'm.annotation', event_id: '$e', key: 'x', more: 1 }))
  assert.deepEqual(relation, { relType: 'm.annotation', target: '$e', key: 'x' })
  assert.equal(relationOf(relates({ rel_type: 'r'.repeat(255), event_id: '$e' }))?.key, undefined)
})

test('what is not as the schema says is no relation', () => {
  const odd = [
    undefined,
    null,
    'x',
    [],
    {},
    { rel_type: 'x' },
    { event_id: '$e' },
    { rel_type: 'x', event_id: 'e' },
    { rel_type: 'x', event_id: '$' },
    { rel_type: '', event_id: '$e' },
    { rel_type: 'a\0b', event_id: '$e' },
    { rel_type: 'r'.repeat(256), event_id: '$e' },
    { rel_type: '\ud800', event_id: '$e' },
    { 'm.in_reply_to': { event_id: '$e' } },
  ]
  for (const relation of odd) assert.equal(relationOf(relates(relation)), undefined, JSON.stringify(relation))
  assert.equal(relationOf({}), undefined)
})

test('a key has 1 to 500 code points, and what a database can hold', () => {
  for (const key of ['x', 'k'.repeat(500), '🙂'.repeat(500)]) assert.ok(isRelationKey(key))
  for (const key of ['', 'k'.repeat(501), '🙂'.repeat(501), 'k'.repeat(100_000), 'a\0', '\udc00'])
    assert.ok(!isRelationKey(key))
  const long = relationOf(relates({ rel_type: 'm.annotation', event_id: '$e', key: 'k'.repeat(501) }))
  assert.deepEqual(long, { relType: 'm.annotation', target: '$e', key: undefined })
})

test('an edit counts when it says what is new, or is encrypted, and is no state', () => {
  const relation = { relType: 'm.replace', target: '$e', key: undefined } as never
  const counts = (type: string, content: JsonObject, stateKey?: string) =>
    countsInAggregation(relation, { type, stateKey, content })
  assert.ok(counts('m.room.message', { 'm.new_content': {} }))
  assert.ok(counts('m.room.encrypted', {}))
  assert.ok(!counts('m.room.message', {}))
  assert.ok(!counts('m.room.message', { 'm.new_content': 'x' }))
  assert.ok(!counts('m.room.message', { 'm.new_content': {} }, ''))
  assert.ok(countsInAggregation({ relType: 'm.thread' } as never, { type: 'x', stateKey: '', content: {} }))
})
