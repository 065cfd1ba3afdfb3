import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainOf } from './node.ts'
import { nodeAt } from './tree-edit.ts'
import { readYaml } from './yaml-node.ts'

function read(text: string) {
  return readYaml(text, 'f.yaml')
}

function plain(text: string): unknown {
  const { problems, root } = read(text)
  assert.deepEqual(problems, [])
  return { ...(plainOf(root!) as object) }
}

test('YAML 1.1 as Synapse reads it', () => {
  assert.deepEqual(plain('a: yes\nb: off\nc: 0660\nd: 1_000\ne: ~\nf: "yes"\ng: 2024-01-01\nh:\n'), {
    a: true,
    b: false,
    c: 0o660,
    d: 1000,
    e: null,
    f: 'yes',
    g: '2024-01-01',
    h: null,
  })
})

test('aliases and merge keys', () => {
  const { root } = read('base: &b\n  x: 1\n  y: 2\nz:\n  <<: *b\n  x: 3\nw: *b\n')
  assert.equal(nodeAt(root!, 'z.x')?.kind === 'scalar' && plainOf(nodeAt(root!, 'z.x')!), 3)
  assert.equal(plainOf(nodeAt(root!, 'z.y')!), 2)
  assert.equal(plainOf(nodeAt(root!, 'w.y')!), 2)
})

test('every value knows file, line and path', () => {
  const { root } = read('# comment\na:\n  b:\n    - c: 1\n    - d:\n        e: 2\n')
  assert.deepEqual(nodeAt(root!, 'a.b')?.at, { file: 'f.yaml', line: 3, key: 'a.b' })
  const list = nodeAt(root!, 'a.b')
  assert.ok(list?.kind === 'list')
  assert.deepEqual(list.items[0]?.at, { file: 'f.yaml', line: 4, key: 'a.b[0]' })
  const second = list.items[1]
  assert.ok(second?.kind === 'map')
  assert.deepEqual(nodeAt(second, 'd.e')?.at, { file: 'f.yaml', line: 6, key: 'a.b[1].d.e' })
})

test('a key given twice: the last counts, with a notice', () => {
  const { notices, root } = read('a: 1\nb: 2\na: 3\n')
  assert.equal(plainOf(nodeAt(root!, 'a')!), 3)
  assert.deepEqual(
    notices.map((n) => [n.kind, n.line, n.key]),
    [['ignored', 3, 'a']],
  )
  assert.match(notices[0]!.text, /line 1/)
})

test('broken YAML is a problem with its line', () => {
  const { problems } = read('a: 1\nb: [1\nc: 2\n')
  assert.ok(problems.length > 0)
  assert.ok(problems.every((p) => p.file === 'f.yaml' && p.line >= 2))
  assert.match(problems[0]!.text, /^expected valid YAML/)
  assert.match(read('a: !!python/name:os.system x\n').problems[0]!.text, /expected valid YAML/)
})

test('a second document is a problem', () => {
  assert.deepEqual(
    read('a: 1\n---\nb: 2\n').problems.map((p) => p.line),
    [2],
  )
})

test('an empty file is passed over; a list or a word is no configuration', () => {
  const found = (text: string) => {
    const { notices, problems, root } = read(text)
    assert.equal(root, undefined)
    return [problems.length, notices.length]
  }
  for (const text of ['', '# only a comment\n']) assert.deepEqual(found(text), [0, 1], text)
  for (const text of ['- 1\n', 'word\n']) assert.deepEqual(found(text), [1, 0], text)
})

test('one letter is a text, as in the reader of Synapse, and yes and on are booleans', () => {
  const value = (text: string) => {
    const node = read(`a: ${text}\n`).root?.entries.get('a')
    return node?.kind === 'scalar' ? node.value : undefined
  }
  assert.deepEqual(['y', 'n', 'Y', 'N'].map(value), ['y', 'n', 'Y', 'N'])
  assert.deepEqual(['yes', 'no', 'on', 'off', 'true'].map(value), [true, false, true, false, true])
})

test('an alias that contains itself, and aliases that multiply, are stopped', () => {
  assert.match(read('a: &a [*a]\n').problems[0]!.text, /expected at most/)
  const bomb = Array.from({ length: 9 }, (_, i) => {
    const inner = i === 0 ? '1' : `*a${i - 1}`
    return `k${i}: &a${i} [${Array(10).fill(inner).join(', ')}]\n`
  }).join('')
  assert.match(read(bomb).problems[0]!.text, /expected at most/)
})

test('a key named __proto__ touches nothing', () => {
  const { root } = read('a:\n  __proto__:\n    polluted: yes\n')
  const value = plainOf(nodeAt(root!, 'a')!) as Record<string, unknown>
  assert.equal(Object.getPrototypeOf(value), null)
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
})
