import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JSON_DEPTH_MAX } from '../limits.ts'
import { canonicalJson, compareCodePoints, NotCanonical } from './canonical.ts'
import { readJson } from './reader.ts'
import { type JsonValue, NumberToken } from './value.ts'

test('5.1.1 examples of the appendices', () => {
  const examples: [string, string][] = [
    ['{}', '{}'],
    ['{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'],
    ['{"b": "2", "a": "1"}', '{"a":"1","b":"2"}'],
    [
      '{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"medium":"email","address":"john.doe@example.org"},{"medium":"msisdn","address":"123456789"}]}}}',
      '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
    ],
    ['{"a": "日本語"}', '{"a":"日本語"}'],
    ['{"本": 2, "日": 1}', '{"日":1,"本":2}'],
    ['{"a": "\\u65E5"}', '{"a":"日"}'],
    ['{"a": null}', '{"a":null}'],
    ['{"a": -0, "b": 1e10}', '{"a":0,"b":10000000000}'],
  ]
  for (const [text, canonical] of examples) assert.equal(canonicalJson(JSON.parse(text)), canonical)
})

test('5.1.1 keys sort by code point, also integer-like ones and those beyond the basic plane', () => {
  const keys = ['\u{10000}', '\uffff', '\ue000', '\ud7ff', 'a', 'Z', '10', '9', '1', '', '__proto__', 'ab']
  const byCodePoint = [
    '',
    '1',
    '10',
    '9',
    'Z',
    '__proto__',
    'a',
    'ab',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
  ]
  const text = `{${keys.map((key) => `${JSON.stringify(key)}:{"b":1,"a":2}`).join(',')}}`
  const expected = `{${byCodePoint.map((key) => `${JSON.stringify(key)}:{"a":2,"b":1}`).join(',')}}`
  assert.equal(canonicalJson(JSON.parse(text)), expected)
  assert.deepEqual([...keys].sort(compareCodePoints), byCodePoint)
  assert.deepEqual([...keys].reverse().sort(compareCodePoints), byCodePoint)
  assert.notDeepEqual([...keys].sort(), byCodePoint)
})

test('escapes are the shortest, and nothing beyond ASCII is escaped', () => {
  const all = Array.from({ length: 0x20 }, (_, i) => String.fromCharCode(i)).join('')
  const expected =
    '"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f' +
    '\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f"'
  assert.equal(canonicalJson(all), expected)
  assert.equal(canonicalJson('"\\/\u007f\u2028é😀'), '"\\"\\\\/\u007f\u2028é😀"')
})

test('what has no canonical form is refused, not changed', () => {
  const refused: unknown[] = [1.5, Number.NaN, Infinity, 2 ** 53, undefined, { a: undefined }, [undefined]]
  refused.push('\ud800', { '\udc00': 1 }, ['\ud800'], { b: 1, a: { c: '\ud800x' } }, { 1: { b: 1.5 } })
  refused.push(new NumberToken('1e999'))
  for (const value of refused) assert.throws(() => canonicalJson(value as JsonValue), NotCanonical)
  let deep: JsonValue = 0
  for (let i = 0; i < JSON_DEPTH_MAX * 2; i++) deep = [deep]
  assert.throws(() => canonicalJson(deep), NotCanonical)
  // An escaped backslash before "ud" is no surrogate.
  assert.equal(canonicalJson('\\ud800'), '"\\\\ud800"')
  assert.equal(
    canonicalJson(['\\ud800', { '\\udc00': null }, new NumberToken('-0')]),
    '["\\\\ud800",{"\\\\udc00":null},0]',
  )
})

test('arrays and objects in order are not copied, others are, and values stay as they were', () => {
  const value = { a: [1, { c: 1, b: 2 }, 3], d: { y: 1, x: [{ b: 1, a: 1 }] } }
  const before = JSON.stringify(value)
  assert.equal(canonicalJson(value), '{"a":[1,{"b":2,"c":1},3],"d":{"x":[{"a":1,"b":1}],"y":1}}')
  assert.equal(JSON.stringify(value), before)
  assert.equal(canonicalJson({ 5: 1, b: { d: 1, c: 2 } }), '{"5":1,"b":{"c":2,"d":1}}')
  assert.equal(
    canonicalJson(JSON.parse('{"__proto__":1,"b":{"d":1,"c":2}}')),
    '{"__proto__":1,"b":{"c":2,"d":1}}',
  )
  assert.equal(canonicalJson({ b: 1, a: new NumberToken('1.0') }), '{"a":1.0,"b":1}')
})

test('fuzz: canonical JSON is stable, sorted, and reads back as the same value', () => {
  let x = 88172645
  const next = (below: number) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % below
  }
  const keys = ['a', 'b', '1', '2', '10', 'é', '\ue000', '😀', '__proto__', 'constructor', '']
  const make = (depth: number): string => {
    const kind = next(depth > 3 ? 3 : 5)
    if (kind === 0) return String(next(2 ** 31))
    if (kind === 1) return JSON.stringify(keys[next(keys.length)])
    if (kind === 2) return ['true', 'null', '1.5', '-0', '1e20'][next(5)]!
    if (kind === 3) return `[${Array.from({ length: next(4) }, () => make(depth + 1)).join()}]`
    const mine = keys.filter(() => next(3) === 0).sort(() => next(3) - 1)
    return `{${mine.map((key) => `${JSON.stringify(key)}:${make(depth + 1)}`).join()}}`
  }
  for (let round = 0; round < 5_000; round++) {
    const text = make(0)
    const read = readJson(text, 'lenient')
    assert.ok(read.ok, text)
    const canonical = canonicalJson(read.value)
    const again = readJson(canonical, 'lenient')
    assert.ok(again.ok, canonical)
    assert.equal(canonicalJson(again.value), canonical)
    // The plain way, with a token in front, must write the same.
    const plain = canonicalJson([new NumberToken('1.5'), read.value])
    assert.equal(plain, `[1.5,${canonical}]`)
  }
})

test('work is linear in nesting: unordered keys at every level are visited once', () => {
  let text = '0'
  for (let i = 0; i < JSON_DEPTH_MAX; i++) text = i % 2 === 0 ? `{"b":${text},"a":1}` : `{"a":1,"b":${text}}`
  const start = process.hrtime.bigint()
  for (let i = 0; i < 100; i++) canonicalJson(JSON.parse(text))
  assert.ok(Number(process.hrtime.bigint() - start) < 500e6)
})
