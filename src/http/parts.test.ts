import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MatrixError } from '#/protocol/errors.ts'
import { JSON_DEPTH_MAX } from '#/protocol/limits.ts'
import { addressKey } from './address.ts'
import { parseJson, parseJsonObject } from './body.ts'
import { parseQuery } from './query.ts'
import { t } from './schema.ts'
import { bodyCheck, queryReader, unsafePart } from './validate.ts'

const refused = (errcode: string, match?: RegExp) => (error: unknown) =>
  error instanceof MatrixError &&
  error.errcode === errcode &&
  (match === undefined || match.test(error.message))
const bytes = (text: string) => Buffer.from(text)

test('query strings: first value, all values, plus, escapes, no value', () => {
  const query = parseQuery('a=1&b=x+y%2B&a=2&c&d=%E2%82%AC&&__proto__=z')
  assert.equal(query.get('a'), '1')
  assert.deepEqual(query.all('a'), ['1', '2'])
  assert.equal(query.get('b'), 'x y+')
  assert.equal(query.get('c'), '')
  assert.equal(query.get('d'), '€')
  assert.equal(query.get('__proto__'), 'z')
  assert.equal(query.get('toString'), undefined)
})

test('query strings: broken escapes, NUL and excess are refused', () => {
  for (const bad of ['a=%', 'a=%zz', 'a=%ff', '%c3%28=1', 'a=%00']) {
    assert.throws(() => parseQuery(bad), refused('M_INVALID_PARAM'), bad)
  }
  assert.throws(
    () => parseQuery(Array.from({ length: 201 }, (_, i) => `p${i}=1`).join('&')),
    refused('M_INVALID_PARAM', /too many/),
  )
  assert.throws(() => parseQuery('a=1&'.repeat(51)), refused('M_INVALID_PARAM', /repeated/))
  assert.throws(() => parseQuery('a'.repeat(40_000)), refused('M_INVALID_PARAM', /too long/))
})

test('query schemas convert and refuse', () => {
  const read = queryReader(
    t.object({
      limit: t.opt(t.int(0, 100)),
      full: t.opt(t.bool),
      dir: t.oneOf('f', 'b'),
      via: t.opt(t.array(t.serverName, 3)),
      ts: t.opt(t.number),
    }),
  )
  assert.deepEqual(read(parseQuery('dir=b&limit=10&full=true&via=a&via=b&ts=1.5&other=1')), {
    dir: 'b',
    limit: 10,
    full: true,
    via: ['a', 'b'],
    ts: 1.5,
  })
  assert.throws(() => read(parseQuery('limit=1')), refused('M_MISSING_PARAM', /'dir'/))
  for (const bad of ['limit=x', 'limit=1.0', 'limit=', 'limit=101', 'limit=-1', 'full=1', 'dir=c', 'via=']) {
    assert.throws(() => read(parseQuery(`${bad}&dir=f`)), refused('M_INVALID_PARAM'), bad)
  }
  assert.throws(() => read(parseQuery('dir=f&via=a&via=b&via=c&via=d')), refused('M_INVALID_PARAM', /via/))
})

test('body schemas: missing, wrong, and both', () => {
  const check = bodyCheck(
    t.object({ a: t.text(3), b: t.opt(t.object({ c: t.int(0) })), d: t.nullable(t.bool) }),
  )
  check({ a: 'x', d: null, more: 1 })
  assert.throws(() => check({ a: 'x' }), refused('M_MISSING_PARAM', /lacks d/))
  assert.throws(() => check({ a: 'x', d: true, b: {} }), refused('M_MISSING_PARAM', /b\.c/))
  assert.throws(() => check({ a: 1, d: true }), refused('M_BAD_JSON', /'a' in the body must be string/))
  assert.throws(() => check({ a: 'toolong', d: true }), refused('M_BAD_JSON'))
  assert.throws(() => check({ a: 1 }), refused('M_BAD_JSON'))
  assert.throws(
    () => check({ a: 'x', d: true, b: { c: true } }),
    refused('M_BAD_JSON'),
    'a boolean is no integer',
  )
})

test('adv-34: schemas with strings or arrays of any length are found', () => {
  assert.equal(
    unsafePart(t.object({ a: t.text(5), b: t.array(t.userId), c: t.json, d: t.record(t.text()) })),
    undefined,
  )
  assert.match(unsafePart({ type: 'object', properties: { a: { type: 'string' } } }) ?? '', /\.a: a string/)
  assert.match(unsafePart(t.record({ type: 'string' } as never)) ?? '', /a string/)
  assert.match(unsafePart({ type: 'array', items: {} }) ?? '', /an array/)
  assert.match(unsafePart({ type: 'string', maxLength: 5, pattern: '^(a+)+$' }) ?? '', /pattern/)
})

test('adv-41: JSON that canonical JSON refuses is told from text that is not JSON', () => {
  for (const bad of [
    '',
    '{',
    'nope',
    '{"a":NaN}',
    '{"a":Infinity}',
    "{'a':1}",
    '{"a":1}x',
    '\ufeff{}',
    '{"a":01}',
  ]) {
    assert.throws(() => parseJson(bytes(bad), 'plain'), refused('M_NOT_JSON'), bad)
  }
  assert.throws(
    () => parseJson(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'plain'),
    refused('M_NOT_JSON', /UTF-8/),
  )
  for (const bad of [
    '{"a":1,"a":2}',
    '{"a":"\\ud800"}',
    '['.repeat(JSON_DEPTH_MAX + 1) + ']'.repeat(JSON_DEPTH_MAX + 1),
  ]) {
    assert.throws(() => parseJson(bytes(bad), 'plain'), refused('M_BAD_JSON'), bad.slice(0, 20))
  }
  for (const bad of ['{"a":1.5}', '{"a":-0}', '{"a":9007199254740993}', '{"a":1e3}']) {
    assert.throws(() => parseJsonObject(bytes(bad), 'strict'), refused('M_BAD_JSON'), bad)
    assert.equal(typeof parseJsonObject(bytes(bad), 'plain')['a'], 'number', bad)
    assert.equal(typeof parseJsonObject(bytes(bad), 'lenient')['a'], 'object', bad)
  }
  for (const bad of ['[]', '1', 'null', '"x"']) {
    assert.throws(() => parseJsonObject(bytes(bad), 'strict'), refused('M_BAD_JSON', /object/), bad)
  }
})

test('addresses as keys: a /64 for IPv6, the host for IPv4', () => {
  assert.equal(addressKey('192.0.2.7'), '192.0.2.7')
  assert.equal(addressKey('::ffff:192.0.2.7'), '192.0.2.7')
  assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  assert.equal(addressKey('2001:DB8:1:2::9'), '2001:db8:1:2::/64')
  assert.equal(addressKey('2001:db8::1'), '2001:db8:0:0::/64')
  assert.equal(addressKey('fe80::1%eth0'), 'fe80:0:0:0::/64')
  assert.equal(addressKey('::1'), '0:0:0:0::/64')
  assert.equal(addressKey('unix'), 'unix')
})
