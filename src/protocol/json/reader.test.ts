import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JSON_DEPTH_MAX, JSON_NUMBER_CHARS_MAX } from '../limits.ts'
import { canonicalJson, findLooseNumber } from './canonical.ts'
import { readExactly } from './exact-reader.ts'
import { readJson, readJsonBytes } from './reader.ts'
import { isObject, type JsonValue, member, NumberToken, setMember } from './value.ts'

/** The value, from both ways of the reader, which must agree. */
function read(text: string, mode: 'strict' | 'lenient' = 'lenient'): JsonValue {
  const fast = readJson(text, mode)
  const exact = readExactly(text, mode)
  assert.deepEqual(fast, exact, text)
  assert.ok(fast.ok, `${text}: ${fast.ok || fast.why}`)
  return fast.value
}

/** The rule that refuses the text. */
function refused(text: string, mode: 'strict' | 'lenient' = 'strict'): string {
  const fast = readJson(text, mode)
  const exact = readExactly(text, mode)
  assert.deepEqual(fast, exact, text)
  assert.ok(!fast.ok, `${text} was read`)
  return fast.rule
}

test('5.1.1 the reader keeps number tokens in lenient mode, and v1-v5 round-trip', () => {
  for (const [text, canonical] of [
    ['1.0', '1.0'],
    ['1e3', '1000.0'],
    ['1E+3', '1000.0'],
    ['-0', '0'],
    ['-0.0', '-0.0'],
    ['0.0', '0.0'],
    ['1.50', '1.5'],
    ['9007199254740992', '9007199254740992'],
    ['-9007199254740993', '-9007199254740993'],
    ['9223372036854775807', '9223372036854775807'],
    ['1e15', '1000000000000000.0'],
    ['1e16', '1e+16'],
    ['1.5e16', '1.5e+16'],
    ['123456789012345680.0', '1.2345678901234568e+17'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['-1.25e-7', '-1.25e-07'],
    ['5e-324', '5e-324'],
    ['1e100', '1e+100'],
    ['50.57', '50.57'],
  ] as const) {
    const value = read(text)
    assert.ok(value instanceof NumberToken, text)
    assert.equal(value.token, text)
    assert.equal(canonicalJson(value), canonical)
    assert.equal(canonicalJson({ a: [value] }), `{"a":[${canonical}]}`)
  }
  assert.throws(() => canonicalJson(new NumberToken('1e400')), /out of range/)
  assert.equal(JSON.stringify({ a: new NumberToken('1.50') }), '{"a":1.5}')
})

test('5.1.1, adv-41, adv-25: strict mode refuses floats, exponents, -0 and integers beyond 2^53-1', () => {
  assert.equal(read('9007199254740991', 'strict'), 9007199254740991)
  assert.equal(read('-9007199254740991', 'strict'), -9007199254740991)
  assert.equal(read('0', 'strict'), 0)
  for (const text of ['1.5', '1.0', '1e3', '1E3', '1e-3', '-0.0', '0e0']) {
    assert.equal(refused(`{"a":${text}}`), 'json.float', text)
    assert.equal(refused(text), 'json.float', text)
    assert.equal(refused(`[${text}]`), 'json.float', text)
    assert.equal(refused(`[1,\n ${text}]`), 'json.float', text)
  }
  for (const text of ['-0']) assert.equal(refused(`[${text}]`), 'json.negative_zero')
  for (const text of ['9007199254740992', '-9007199254740992', '9223372036854775808']) {
    assert.equal(refused(`[${text}]`), 'json.range', text)
  }
  for (const text of ['NaN', 'Infinity', '-Infinity', 'nan'])
    assert.equal(refused(`[${text}]`, 'lenient'), 'json.syntax')
})

test('adv-41: duplicate keys, lone surrogates and deep nesting are refused in every mode', () => {
  for (const mode of ['strict', 'lenient'] as const) {
    assert.equal(refused('{"a":1,"a":1}', mode), 'json.duplicate_key')
    assert.equal(refused('{"a":1,"\\u0061":1}', mode), 'json.duplicate_key')
    assert.equal(refused('{"__proto__":1,"__proto__":2}', mode), 'json.duplicate_key')
    assert.equal(refused('[{"x":{"b":{},"c":0,"b":[]}}]', mode), 'json.duplicate_key')
    assert.equal(refused('"\\ud800"', mode), 'json.lone_surrogate')
    assert.equal(refused('["\\udc00\\ud800"]', mode), 'json.lone_surrogate')
    assert.equal(refused('{"\\ud83d":1}', mode), 'json.lone_surrogate')
    assert.equal(refused('"\ud800"', mode), 'json.lone_surrogate')
    const deep = '['.repeat(JSON_DEPTH_MAX) + ']'.repeat(JSON_DEPTH_MAX)
    read(deep, mode)
    assert.equal(refused(`[${deep}]`, mode), 'json.depth')
    assert.equal(
      refused(`${'{"a":'.repeat(JSON_DEPTH_MAX + 1)}0${'}'.repeat(JSON_DEPTH_MAX + 1)}`, mode),
      'json.depth',
    )
  }
  assert.equal(read('"\\ud83d\\ude00"'), '😀')
  assert.equal(refused('1'.repeat(JSON_NUMBER_CHARS_MAX + 1), 'lenient'), 'json.number_length')
})

test('strings, escapes and white space', () => {
  assert.equal(read('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"'), '"\\/\b\f\n\r\té')
  assert.equal(read('"\\uABCD\\uabcd"'), '\uabcd\uabcd')
  assert.deepEqual(read(' \t\r\n[ 1 , {"a" : [ ] , "b":{ } } , true,false ,null ] \n'), [
    1,
    { a: [], b: {} },
    true,
    false,
    null,
  ])
  const object = read('{"__proto__":{"x":1},"constructor":2}')
  assert.ok(isObject(object))
  assert.deepEqual(Object.keys(object), ['__proto__', 'constructor'])
  assert.deepEqual(member(object, '__proto__'), { x: 1 })
  assert.equal(Object.getPrototypeOf(object), Object.prototype)
  assert.equal(member({}, 'constructor'), undefined)
})

test('texts that are not JSON', () => {
  const bad = [
    '',
    ' ',
    '{',
    '}',
    '[',
    ']',
    '[1',
    '[1,',
    '[1,]',
    '[,1]',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
  ]
  bad.push(
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '{1:1}',
    '[1 2]',
    '1 2',
    'tru',
    'nul',
    'fals',
    'truex',
    '01',
    '-',
    '-01',
    '+1',
  )
  bad.push(
    '1.',
    '.5',
    '1e',
    '1e+',
    '"',
    '"a',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\',
    '"a\nb"',
    '"\u0000"',
    '[1]]',
    '{}}',
  )
  bad.push('\ufeff{}', '[1}', '{"a":1]', '/**/1', '0x10', '1_0', 'undefined')
  for (const text of bad) {
    assert.equal(refused(text, 'lenient'), 'json.syntax', JSON.stringify(text))
    assert.throws(() => JSON.parse(text))
  }
})

test('bytes must be UTF-8, and a byte order mark is no JSON', () => {
  const bytes = (...values: number[]) => readJsonBytes(Uint8Array.from(values), 'strict')
  assert.deepEqual(bytes(0x22, 0xc3, 0xa9, 0x22), { ok: true, value: 'é' })
  for (const wrong of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xc3],
  ]) {
    const result = bytes(...wrong)
    assert.equal(!result.ok && result.rule, 'json.utf8')
  }
  const marked = bytes(0xef, 0xbb, 0xbf, 0x31)
  assert.equal(!marked.ok && marked.rule, 'json.syntax')
})

test('findLooseNumber names a number that canonical JSON has not', () => {
  assert.equal(findLooseNumber(read('{"a":[1,{"b":2}],"c":"1.5"}')), undefined)
  assert.equal(findLooseNumber(read('{"a":[1,{"b":1.0}]}')), 'json.float')
  assert.equal(findLooseNumber(read('[-0]')), 'json.negative_zero')
  assert.equal(findLooseNumber(read('[9007199254740992]')), 'json.range')
})

test('setMember and the fast way agree about __proto__', () => {
  const object: Record<string, JsonValue> = {}
  setMember(object, '__proto__', 1)
  setMember(object, 'a', 2)
  assert.deepEqual(Object.entries(object), Object.entries(JSON.parse('{"__proto__":1,"a":2}')))
})

/** A small seeded generator (xorshift), so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let x = seed
  return (below) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % below
  }
}

test('fuzz: against JSON.parse where both accept, and both ways of the reader agree', () => {
  const next = random(20261122)
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"b"',
    '"\\u0041"',
    '"\\ud83d\\ude00"',
    '1',
    '-1',
    '0',
    '-0',
    '1.5',
    ' ',
  ]
  pieces.push(
    '1e2',
    'true',
    'false',
    'null',
    '"',
    '\\',
    'e',
    '.',
    '12345678901234567890',
    '"__proto__"',
    '\n',
    '"é😀"',
    '"10"',
  )
  let accepted = 0
  for (let round = 0; round < 16_000; round++) {
    let text = ''
    if (round % 2 === 0) {
      for (let i = next(9); i >= 0; i--) text += pieces[next(pieces.length)]
    } else text = mutate(generate(next, 0), next)
    const mode = next(2) === 0 ? 'strict' : 'lenient'
    const ours = readJson(text, mode)
    assert.equal(JSON.stringify(ours), JSON.stringify(readExactly(text, mode)), text)
    if (!ours.ok) {
      if (ours.rule === 'json.syntax') assert.throws(() => JSON.parse(text), text)
      continue
    }
    accepted++
    // Integers beyond 2^53 and -0 print as JSON.parse has them.
    assert.equal(JSON.stringify(ours.value), JSON.stringify(JSON.parse(text)), text)
  }
  assert.ok(accepted > 4_000, `${accepted}`)
})

function generate(next: (below: number) => number, depth: number): string {
  const kind = next(depth > 4 ? 5 : 7)
  if (kind === 0) return String(next(1000) - 500)
  if (kind === 1) return ['true', 'false', 'null', '-0', '2.50', '1e5', '9007199254740993'][next(7)]!
  if (kind <= 4) return JSON.stringify(['a', 'é', '😀', '"\\', '\u0001', 'toString', ''][next(7)])
  const size = next(4)
  if (kind === 5) return `[${Array.from({ length: size }, () => generate(next, depth + 1)).join(',')}]`
  return `{${Array.from({ length: size }, (_, i) => `"k${next(3) === 0 ? 0 : i}":${generate(next, depth + 1)}`).join(', ')}}`
}

function mutate(text: string, next: (below: number) => number): string {
  if (next(3) > 0) return text
  const at = next(text.length + 1)
  return text.slice(0, at) + ['', '"', '}', ',', '\\', '0', '.'][next(7)] + text.slice(at + next(2))
}

test('step budget: hostile texts take time linear in their length', () => {
  const time = (text: string) => {
    const start = process.hrtime.bigint()
    readJson(text, 'lenient')
    return Number(process.hrtime.bigint() - start) / text.length
  }
  const hostile = [
    (n: number) => '['.repeat(n),
    (n: number) => '"'.repeat(n),
    (n: number) => `"${'\\\\'.repeat(n)}`,
    (n: number) => `[${'1.5,'.repeat(n)}`,
    (n: number) => `"${'😀'.repeat(n)}"`,
    (n: number) => `{${Array.from({ length: n }, (_, i) => `"k${i}":-0`).join()}}`,
    (n: number) => ' '.repeat(n),
  ]
  for (const make of hostile) {
    time(make(1000))
    const small = Math.max(time(make(4_000)), 5)
    const large = time(make(256_000))
    assert.ok(large < small * 30, `${make}: ${small} ns and ${large} ns per character`)
  }
})
