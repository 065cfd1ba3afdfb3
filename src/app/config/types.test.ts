import assert from 'node:assert/strict'
import { test } from 'node:test'
import { either, list, map, object, oneOf, oneOrMore, orNull } from './compound-types.ts'
import { memoryFiles } from './memory-files.ts'
import { nodeOf, type Plain } from './node.ts'
import { option, type Reading, required, supported, type Type } from './option.ts'
import * as types from './types.ts'

const AT = { file: 'f', line: 1, key: 'k' }

/** The value, or the problems. */
function read<T>(
  type: Type<T>,
  value: Plain,
): { value: T | undefined; problems: string[]; unknown: string[] } {
  const problems: string[] = []
  const unknown: string[] = []
  const reading: Reading = {
    files: memoryFiles({}, '/work'),
    problem: (at, text) => problems.push(`${at.key}: ${text}`),
    notice() {},
    notYet() {},
    unknown: (at, nearest) => unknown.push(`${at.key} ${nearest}`),
  }
  return { value: type.read(nodeOf(value, AT), reading), problems, unknown }
}

function fits<T>(type: Type<T>, value: Plain, expected: T): void {
  const got = read(type, value)
  assert.deepEqual(got.problems, [])
  assert.deepEqual(got.value, expected)
}

function refuses(type: Type<unknown>, ...values: Plain[]): void {
  for (const value of values) {
    const got = read(type, value)
    assert.equal(got.value, undefined, JSON.stringify(value))
    assert.ok(got.problems.length > 0, JSON.stringify(value))
  }
}

test('strings: numbers are refused with advice, except where they count as written', () => {
  fits(types.string, 'x', 'x')
  refuses(types.string, 1, true, null, ['x'], { x: 1 })
  assert.match(read(types.string, 1).problems[0]!, /expected a string, found the number 1; put it in quotes/)
  fits(types.text, 10, '10')
  refuses(types.text, null, ['x'])
})

test('booleans, and those that may be words', () => {
  fits(types.bool, true, true)
  refuses(types.bool, 'true', 1, null)
  fits(types.looseBool, 'yes', true)
  fits(types.looseBool, 'OFF', false)
  refuses(types.looseBool, 'maybe')
})

test('integers and numbers', () => {
  fits(types.int(0), 3, 3)
  fits(types.int(0), 3.0, 3)
  refuses(types.int(0, 10), -1, 11, 1.5, '3', true)
  assert.match(read(types.int(0, 10), 11).problems[0]!, /a whole number from 0 to 10, found the number 11/)
  fits(types.number, 0.2, 0.2)
  refuses(types.number, -0.1, '1', Number.NaN)
})

test('durations and sizes come out as milliseconds and bytes', () => {
  fits(types.duration, '5m', 300_000)
  fits(types.size, '50M', 52_428_800)
  refuses(types.duration, '5 days', true)
  refuses(types.positiveDuration, 0, '0s')
  refuses(types.size, '5X')
})

test('paths are relative to the working directory', () => {
  fits(types.path, 'a/b', '/work/a/b')
  fits(types.path, '/a/../b', '/b')
  refuses(types.path, '', 3)
})

test('URLs, ports and IP ranges', () => {
  fits(types.url, 'https://example.org', 'https://example.org')
  refuses(types.url, 'example.org', 'ftp://example.org', '//x')
  fits(types.port, 8008, 8008)
  fits(types.port, '25', 25)
  refuses(types.port, 65_536, -1, 'smtp')
  for (const range of ['10.0.0.0/8', '::1', '192.168.1.1', 'fe80::/10']) fits(types.ipRange, range, range)
  refuses(types.ipRange, '10.0.0.0/33', '256.1.1.1', 'example.org', '::1/129', '1.2.3.4/8/8', 'x:y')
})

test('regular expressions must compile, Python’s named groups included', () => {
  fits(types.regex, '^.*@example\\.org$', '^.*@example\\.org$')
  fits(types.regex, '(?P<a>x)', '(?P<a>x)')
  refuses(types.regex, '(', '[')
})

test('secrets are wrapped, empty ones are none, and messages do not repeat them', () => {
  assert.equal(read(types.secretText, 'hunter2').value?.reveal(), 'hunter2')
  fits(types.secretText, '', null)
  const wrong = read(types.secretText, 4711)
  assert.deepEqual(wrong.problems, ['k: expected a string (a secret), found a number'])
})

test('words, alternatives, nothing', () => {
  fits(oneOf('a', 'b'), 'a', 'a')
  fits(oneOf('1', '1.2'), 1.2, '1.2')
  refuses(oneOf('a', 'b'), 'c', null)
  const presence = either(types.bool, oneOf('untracked'))
  fits(presence, false, false)
  fits(presence, 'untracked', 'untracked')
  assert.deepEqual(read(presence, 'x').problems, [
    'k: expected true or false, or one of untracked, found "x"',
  ])
  fits(orNull(types.int()), null, null)
})

test('lists and maps report each wrong entry with its path', () => {
  fits(list(types.string), ['a', 'b'], ['a', 'b'])
  assert.deepEqual(
    read(list(types.int(0)), [1, -1, 'x']).problems.map((p) => p.split(':')[0]),
    ['k[1]', 'k[2]'],
  )
  refuses(list(types.string, 1), [])
  fits(oneOrMore(types.string), 'a', ['a'])
  fits(oneOrMore(types.string), ['a', 'b'], ['a', 'b'])
  fits(map(types.int(0)), { a: 1 }, new Map([['a', 1]]))
  assert.deepEqual(
    read(map(types.int(0)), { a: 'x' }).problems.map((p) => p.split(':')[0]),
    ['k.a'],
  )
})

test('maps with fixed keys: defaults, required keys, unknown keys', () => {
  const type = object({
    a_b: option(types.int(0), supported, 7, ''),
    name: required(types.string, supported, ''),
  })
  fits(type, { name: 'x' }, { aB: 7, name: 'x' })
  assert.deepEqual(read(type, {}).problems, ['k.name: missing; expected a string'])
  assert.deepEqual(read(type, { name: 'x', nmae: 'y' }).unknown, ['k.nmae name'])
  assert.deepEqual(read(type, [1]).problems, ['k: expected a map with the keys a_b, name, found a list'])
})

test('long values are shortened in messages', () => {
  const [problem = ''] = read(types.int(), 'x'.repeat(500)).problems
  assert.ok(problem.length < 140, problem)
})
