import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEnvelope } from './envelope.ts'

const PDUS: ReadonlySet<string> = new Set(['pdus', 'event'])

test('5.1.2 one bad event stays text and does not spoil the transaction (adv-45, adv-17)', () => {
  const body =
    ' {"origin":"a", "pdus" : [ {"a":1,"a":2} , {"x":1.5}, "\\ud800", [1,[2]], 5 ] ,"event":{"b":"]}"}, "n":1.0}'
  const read = readEnvelope(body, PDUS)
  assert.ok(read.ok)
  assert.deepEqual(read.value.raw.get('pdus'), ['{"a":1,"a":2}', '{"x":1.5}', '"\\ud800"', '[1,[2]]', '5'])
  assert.equal(read.value.raw.get('event'), '{"b":"]}"}')
  assert.equal(read.value.members['origin'], 'a')
  assert.deepEqual(Object.keys(read.value.members), ['origin', 'n'])
})

test('empty and odd bodies', () => {
  for (const text of ['{}', ' { } ', '{"pdus":[]}', '{"pdus": [ ] }', '{"pdus":5}', '{"pdus":[{}]}']) {
    assert.ok(readEnvelope(text, PDUS).ok, text)
  }
  const rule = (text: string) => {
    const read = readEnvelope(text, PDUS)
    return read.ok ? 'ok' : read.rule
  }
  for (const text of [
    '',
    '[]',
    '5',
    '{',
    '{}x',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a":1',
    '{a:1}',
    '{"a":1 "b":2}',
  ]) {
    assert.equal(rule(text), 'json.syntax', text)
  }
  for (const text of [
    '{"pdus":[1,]}',
    '{"pdus":[,]}',
    '{"pdus":[1 2]}',
    '{"pdus":[1',
    '{"pdus":["',
    '{"pdus":[{]}',
    '{"pdus":}',
  ]) {
    assert.equal(rule(text), 'json.syntax', text)
  }
  assert.equal(rule('{"a":1,"a":2}'), 'json.duplicate_key')
  assert.equal(rule('{"pdus":[],"pdus":[]}'), 'json.duplicate_key')
  assert.equal(rule('{"a":{"b":1,"b":2}}'), 'json.duplicate_key')
  assert.equal(rule('{"\\ud800":1}'), 'json.lone_surrogate')
  assert.equal(rule('{"a\n":1}'), 'json.syntax')
  assert.equal(rule('{"a'), 'json.syntax')
})
