import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance, nearestName } from './nearest.ts'

test('distance counts inserts, deletes, replacements and swaps of neighbours', () => {
  assert.equal(editDistance('listeners', 'listeners', 3), 0)
  assert.equal(editDistance('listeners', 'listerners', 3), 1)
  assert.equal(editDistance('listeners', 'listners', 3), 1)
  assert.equal(editDistance('listeners', 'listenars', 3), 1)
  assert.equal(editDistance('listeners', 'lsiteners', 3), 1)
  assert.equal(editDistance('kitten', 'sitting', 3), 3)
})

test('distance stops above its bound', () => {
  assert.equal(editDistance('abc', 'xyz', 1), 2)
  assert.equal(editDistance('a', 'abcdef', 2), 3)
  assert.equal(editDistance('a'.repeat(10_000), 'b'.repeat(10_000), 3), 4)
})

test('the nearest name wins, and far ones are not offered', () => {
  const known = ['rc_message', 'rc_login', 'listeners', 'email', 'media_store_path']
  assert.equal(nearestName('rc_messages', known), 'rc_message')
  assert.equal(nearestName('listener', known), 'listeners')
  assert.equal(nearestName('emial', known), 'email')
  assert.equal(nearestName('media_storage_path', known), 'media_store_path')
  assert.equal(nearestName('xyz', known), undefined)
  assert.equal(nearestName('enable_everything', known), undefined)
})

test('of two names equally near the first is offered', () => {
  assert.equal(nearestName('rate', ['date', 'late']), 'date')
})
