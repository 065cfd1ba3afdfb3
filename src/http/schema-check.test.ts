import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Compile } from 'typebox/compile'
import { FINDINGS_MAX } from './limits.ts'
import { type TSchema, t } from './schema.ts'
import { checkerOf } from './schema-check.ts'

const ROUNDS = 1_000
const NAMES = ['a', 'b/c', '~', 'type', 'é']

/** Numbers below a bound, the same in each run. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

type Dice = ReturnType<typeof dice>
const pick = <T>(die: Dice, items: readonly T[]): T => items[die(items.length)] as T

function anySchema(die: Dice, depth: number): TSchema {
  const inner = (): TSchema => anySchema(die, depth - 1)
  const kinds: (() => TSchema)[] = [
    () => t.text(die(4)),
    () => t.userId,
    () => t.bool,
    () => t.number,
    () => t.int(-1, die(3)),
    () => t.oneOf('a', 'b'),
    () => t.json,
    () => t.any,
  ]
  if (depth > 0) {
    kinds.push(
      () => t.nullable(inner()),
      () => t.array(inner(), die(3)),
      () => t.record(inner()),
      () => {
        const members = NAMES.filter(() => die(2) === 0)
        return t.object(
          Object.fromEntries(members.map((name) => [name, die(2) === 0 ? t.opt(inner()) : inner()])),
        )
      },
    )
  }
  return pick(die, kinds)()
}

function anyValue(die: Dice, depth: number): unknown {
  const inner = (): unknown => anyValue(die, depth - 1)
  const texts = ['', 'a', 'b', 'abc', '𝄞𝄞', '𝄞', 'e\u0301', '\ud800', 'x'.repeat(300)]
  const plain = [null, true, false, 0, -1, 1, 2, 1.5, 1e300, -0]
  const kind = die(depth > 0 ? 5 : 3)
  if (kind === 0) return pick(die, texts)
  if (kind < 3) return pick(die, plain)
  if (kind === 3) return Array.from({ length: die(4) }, inner)
  return Object.fromEntries(NAMES.filter(() => die(2) === 0).map((name) => [name, inner()]))
}

test('a value fits, and its findings are the same, as with the library that the types come from', () => {
  const die = dice(5)
  const counts = { fits: 0, differs: 0, several: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const schema = anySchema(die, 3)
    const own = checkerOf(schema)
    const library = Compile(schema)
    for (let n = 0; n < 4; n++) {
      const value = anyValue(die, 3)
      const about = `${JSON.stringify(schema)} and ${JSON.stringify(value)}`
      assert.equal(own.fits(value), library.Check(value), about)
      const wanted = library
        .Errors(value)
        .map(({ keyword, instancePath, message }) => ({ keyword, instancePath, message }))
      const found = own.findings(value)
      const plain = found.map(({ keyword, instancePath, message }) => ({ keyword, instancePath, message }))
      assert.deepEqual(plain, wanted, about)
      counts[found.length === 0 ? 'fits' : 'differs']++
      if (found.length > 1) counts.several++
    }
  }
  assert.ok(counts.fits > ROUNDS / 4 && counts.differs > ROUNDS && counts.several > ROUNDS / 4)
})

test('absent members are named, and names that every object inherits are not there', () => {
  const { findings, fits } = checkerOf(
    t.object({ toString: t.any, constructor: t.opt(t.bool), a: t.object({ b: t.bool }) }),
  )
  const absent = findings({ a: {} }).map(({ instancePath, absent }) => [instancePath, absent])
  assert.deepEqual(absent, [
    ['', ['toString']],
    ['/a', ['b']],
  ])
  assert.ok(fits({ toString: 1, a: { b: true } }))
  assert.ok(fits(JSON.parse('{"toString":1,"a":{"b":true},"__proto__":{"a":1}}')))
  assert.ok(!checkerOf(t.record(t.bool)).fits(JSON.parse('{"__proto__":1}')))
})

test('adv-34: findings are few, however much is wrong, and a long text costs what its limit is', () => {
  const many = Array.from({ length: 10_000 }, () => 1)
  assert.equal(checkerOf(t.array(t.text(1))).findings(many).length, FINDINGS_MAX)
  const record = Object.fromEntries(many.map((_, index) => [`k${index}`, 1]))
  assert.equal(checkerOf(t.record(t.text(1))).findings(record).length, FINDINGS_MAX)
  const { fits } = checkerOf(t.text(3))
  for (const [text, good] of [
    ['abc', true],
    ['abcd', false],
    ['𝄞𝄞𝄞', true],
    ['𝄞𝄞𝄞𝄞', false],
  ] as const)
    assert.equal(fits(text), good, text)
})

test('a keyword or a type that is not checked does not start', () => {
  for (const schema of [
    { type: 'string', pattern: 'a' },
    { type: 'date' },
    { type: 'toString' },
    { const: 1 },
  ])
    assert.throws(() => checkerOf(schema as TSchema), /not checked/)
})
