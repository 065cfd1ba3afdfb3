import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TSchema, t } from './schema.ts'
import { checkerOf } from './schema-check.ts'

test('absent members are named together, and names that every object inherits are not there', () => {
  const check = checkerOf(
    t.object({ toString: t.any, constructor: t.opt(t.bool), a: t.object({ b: t.bool, c: t.bool }) }),
  )
  assert.deepEqual(check({})?.absent, ['toString', 'a'])
  const inner = check({ toString: 1, a: {} })
  assert.deepEqual([inner?.at, inner?.absent], ['/a', ['b', 'c']])
  assert.equal(check({ toString: 1, a: { b: true, c: true } }), undefined)
  assert.equal(check(JSON.parse('{"toString":1,"a":{"b":true,"c":false},"__proto__":{"a":1}}')), undefined)
  assert.equal(checkerOf(t.record(t.bool))(JSON.parse('{"__proto__":1}'))?.message, 'must be boolean')
})

test('what is wrong goes before what is absent, wherever it is', () => {
  const check = checkerOf(t.object({ a: t.bool, list: t.array(t.object({ required: t.text(1) })) }))
  const fault = check({ list: [{}, { required: 'ab' }] })
  assert.deepEqual([fault?.at, fault?.absent], ['/list/1/required', undefined])
  assert.match(fault?.message ?? '', /more than 1 char/)
  assert.deepEqual(check({ a: true, list: [{}] })?.absent, ['required'])
})

test('a text is as long as its characters, a member that may be null may be absent only if that is said', () => {
  const short = checkerOf(t.text(3))
  assert.deepEqual(
    ['abc', 'abcd', '𝄞𝄞𝄞', '𝄞𝄞𝄞𝄞'].map((text) => short(text) === undefined),
    [true, false, true, false],
  )
  const check = checkerOf(t.object({ a: t.nullable(t.int(0, 9)), b: t.opt(t.oneOf('x', 'y')) }))
  assert.deepEqual(
    [{ a: null }, { a: 3, b: 'x' }, {}, { a: 3, b: null }, { a: 10 }, { a: 1.5 }, [], null].map(
      (value) => check(value) === undefined,
    ),
    [true, true, false, false, false, false, false, false],
  )
})

test('adv-34: one finding ends the check, however much is wrong', () => {
  let read = 0
  const wrong = new Proxy(
    Array.from({ length: 100_000 }, () => 1),
    {
      get(target, name, receiver) {
        if (typeof name === 'string' && /^[0-9]+$/.test(name)) read++
        return Reflect.get(target, name, receiver)
      },
    },
  )
  assert.equal(checkerOf(t.array(t.text(1), 1_000_000))(wrong)?.at, '/0')
  assert.ok(read < 10, `${read} items were read`)
})

test('a keyword that Ajv does not know is a mistake', () => {
  assert.throws(() => checkerOf({ type: 'string', maxlength: 1 } as unknown as TSchema)(''), /maxlength/)
})
