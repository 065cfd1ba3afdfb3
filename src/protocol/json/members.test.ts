import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Walk, walkMembers } from './members.ts'
import { readJson } from './reader.ts'

const byDepth =
  (depth: number): Walk =>
  (path) =>
    path.length < depth ? 'enter' : 'give'

function walked(text: string | Uint8Array, walk: Walk): { given: string[]; rule: string | undefined } {
  const given: string[] = []
  const members = walkMembers(Buffer.from(text), walk)
  for (;;) {
    const step = members.next()
    if (step.done) return { given, rule: step.value?.rule }
    given.push(`${step.value.path.join('/')}=${step.value.text}`)
  }
}

const rule = (text: string | Uint8Array, walk = byDepth(2)) => walked(text, walk).rule

test('values of the inner objects are given as text, in order', () => {
  const text = ' { "a" : { "b" : {"x":[1,"}"]} , "c":"q\\"}" } , "d":{}, "é":{"\\u0041": 12 , "n":null} } '
  assert.deepEqual(walked(text, byDepth(2)), {
    given: ['a/b={"x":[1,"}"]}', 'a/c="q\\"}"', 'é/A=12 ', 'é/n=null'],
    rule: undefined,
  })
  assert.deepEqual(walked('{}', byDepth(2)), { given: [], rule: undefined })
})

test('what is not asked for is left out', () => {
  const walk: Walk = (path) => (path[0] !== 'm' ? 'skip' : path.length < 2 ? 'enter' : 'give')
  assert.deepEqual(walked('{"o":{"m":1},"m":{"k":[]},"p":5}', walk), { given: ['m/k=[]'], rule: undefined })
})

test('adv-41 names that come twice, and bytes that are not UTF-8, are refused', () => {
  assert.equal(rule('{"a":{"b":1,"b":2}}'), 'json.duplicate_key')
  assert.equal(rule('{"a":{},"\\u0061":{}}'), 'json.duplicate_key')
  assert.equal(rule('{"a":{"b":1},"c":{"b":2}}'), undefined)
  assert.equal(
    rule(Buffer.concat([Buffer.from('{"a":{"b":"'), Buffer.from([0xff]), Buffer.from('"}}')])),
    'json.utf8',
  )
  assert.equal(rule('{"\\ud800":{}}'), 'json.lone_surrogate')
})

test('what must be an object and is none is refused', () => {
  for (const value of ['[]', '1', '"s"', 'null']) assert.equal(rule(`{"a":${value}}`), 'json.object')
})

test('a text that is not JSON is refused at every cut, and never a good one', () => {
  const good = '{"a":{"b":{"c":"\\\\"},"d":[true,{}]},"e":{}}'
  assert.equal(rule(good), undefined)
  for (let cut = 0; cut < good.length; cut++)
    assert.notEqual(rule(good.slice(0, cut)), undefined, good.slice(0, cut))
  for (const bad of [
    '',
    '[]',
    '{,}',
    '{"a":{"b":1,}}',
    '{"a":{}}x',
    '{"a" {}}',
    '{a:{}}',
    '{"a":{"b":}}',
    '{"a":{}"b":{}}',
  ])
    assert.notEqual(rule(bad), undefined, bad)
})

test('a value that is too long is refused where it is, given or skipped', () => {
  const long = `{"a":{"b":"${'x'.repeat(50)}","c":[${'1,'.repeat(30)}1]}}`
  const refusal = (bytesMax: number, walk: Walk) => [...stepsOf(long, walk, bytesMax)].at(-1)
  assert.equal(refusal(63, byDepth(2)), undefined)
  assert.equal(refusal(62, byDepth(2)), 'json.size')
  assert.equal(refusal(51, byDepth(2)), 'json.size')
  assert.equal(
    refusal(51, () => 'skip'),
    'json.size',
  )
})

function* stepsOf(text: string, walk: Walk, bytesMax: number): Generator<string | undefined> {
  const refusal = yield* (function* () {
    const members = walkMembers(Buffer.from(text), walk, bytesMax)
    for (;;) {
      const step = members.next()
      if (step.done) return step.value?.rule
      yield step.value.text
    }
  })()
  yield refusal
}

test('quotes behind backslashes are told apart', () => {
  for (const inner of ['', '\\\\', '\\"', '\\\\\\"', 'a\\\\', '\\"\\"\\\\']) {
    const text = `{"a":{"b":"${inner}","c":["${inner}"]}}`
    assert.deepEqual(walked(text, byDepth(2)), {
      given: [`a/b="${inner}"`, `a/c=["${inner}"]`],
      rule: undefined,
    })
  }
  assert.equal(rule('{"a":{"b":"\\"}}'), 'json.syntax')
})

test('what is put together from the pieces is what the reader reads', () => {
  const value: Record<string, Record<string, unknown>> = {}
  for (let i = 0; i < 50; i++) value[`u${i}`] = { a: { i, s: '}]",:' }, b: [i, [i]], [`c${i}`]: 'é\u{1f600}' }
  const text = JSON.stringify(value, null, 1)
  const again: Record<string, Record<string, unknown>> = {}
  for (const member of walkMembers(Buffer.from(text), byDepth(2))) {
    const [outer, inner] = member.path as [string, string]
    const read = readJson(member.text.trim(), 'strict')
    again[outer] ??= {}
    again[outer][inner] = read.ok ? read.value : undefined
  }
  assert.deepEqual(again, value)
})
