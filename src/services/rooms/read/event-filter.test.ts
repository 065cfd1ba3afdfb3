import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '#/protocol/json/value.ts'
import { parseEventFilter, parseRoomEventFilter } from './event-filter.ts'

const message = { type: 'm.room.message', sender: '@a:x', json: '{"content":{"url":"mxc://x/y"}}' }

function passes(filter: JsonObject, event = message): boolean {
  return parseEventFilter(filter).passes(event)
}

test('types and senders, with stars, denials before permissions', () => {
  assert.equal(passes({}), true)
  assert.equal(passes({ types: ['m.room.*'] }), true)
  assert.equal(passes({ types: ['*message'] }), true)
  assert.equal(passes({ types: ['m.*.mess*e'] }), true)
  assert.equal(passes({ types: ['m.*.x*e'] }), false)
  assert.equal(passes({ types: ['m.room.message'], not_types: ['m.room.message'] }), false)
  assert.equal(passes({ types: [] }), false)
  assert.equal(passes({ senders: ['@b:x'] }), false)
  assert.equal(passes({ not_senders: ['@a:x'] }), false)
})

test('parts around a star do not share characters', () => {
  assert.equal(passes({ types: ['ab*ba'] }, { ...message, type: 'aba' }), false)
  assert.equal(passes({ types: ['ab*ba'] }, { ...message, type: 'abba' }), true)
  assert.equal(passes({ types: ['a*b*b'] }, { ...message, type: 'ab' }), false)
})

test('a pattern of many stars costs no more than its length (adv-30)', () => {
  const types = [`${'a*'.repeat(5000)}b`]
  const filter = parseEventFilter({ types })
  assert.equal(filter.passes({ ...message, type: 'a'.repeat(255) }), false)
})

test('contains_url looks into the content', () => {
  assert.equal(passes({ contains_url: true }), true)
  assert.equal(passes({ contains_url: false }), false)
  assert.equal(passes({ contains_url: true }, { ...message, json: '{"content":{}}' }), false)
})

test('limits stay within bounds, and wrong values are refused with their place', () => {
  assert.equal(parseEventFilter({ limit: 0 }).limit, 0)
  assert.equal(parseEventFilter({ limit: 10_000 }).limit, 1000)
  assert.throws(() => parseEventFilter({ limit: 'x' }), /limit/)
  assert.throws(() => parseEventFilter({ types: 'm.room.message' }), /types/)
  assert.throws(() => parseEventFilter({ types: [1] }), /types/)
  assert.throws(() => parseRoomEventFilter({ lazy_load_members: 'yes' }), /lazy_load_members/)
})

test('filters that pass all or nothing say so, because then less is read', () => {
  assert.equal(parseEventFilter({ limit: 5 }).passesAll, true)
  assert.equal(parseEventFilter({ types: ['*'] }).passesAll, false)
  assert.equal(parseEventFilter({ types: [] }).passesNone, true)
  assert.equal(parseEventFilter({ not_types: ['*'] }).passesNone, true)
})

test('rooms of a filter', () => {
  const filter = parseEventFilter({ rooms: ['!a:x', '!b:x'], not_rooms: ['!b:x'] })
  assert.deepEqual(['!a:x', '!b:x', '!c:x'].map(filter.passesRoom), [true, false, false])
})
