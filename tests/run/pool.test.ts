import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type FileResult, type PoolOptions, runFiles } from './pool.ts'

const PLANTED = {
  passes: `test('one', () => {}); test('two', { skip: 'no moon' }, () => {}); test.todo('three')`,
  fails: `describe('a', () => { test('b', () => assert.equal(1, 2)); test('c', () => {}) })`,
  throws: `throw new Error('at load')`,
  exits: `test('fine', () => {}); setTimeout(() => process.exit(3), 50)`,
  empty: `console.log('nothing to see')`,
  hangs: `test('fine', () => {}); setInterval(() => {}, 1000)`,
  leaves: `test('child', () => { spawn('sleep', ['1000'], { stdio: 'inherit' }).unref() })`,
}
const HEAD = `import { after, before, describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
`

const PASSES = [
  ['passed', 'one', ''],
  ['skipped', 'two', 'no moon'],
  ['skipped', 'three', 'todo: true'],
]
const FAILS = [
  ['failed', 'a > b'],
  ['passed', 'a > c'],
]

/** Runs planted files in these batches. @returns their results by name. */
async function runPlanted(
  planted: Record<string, string>,
  batches: string[][],
  more: Pick<PoolOptions, 'env' | 'ready'> = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-pool-'))
  const results: Record<string, FileResult> = {}
  const pathOf = (name: string) => join(folder, `${name}.test.ts`)
  try {
    for (const [name, text] of Object.entries(planted)) writeFileSync(pathOf(name), HEAD + text)
    await runFiles(
      batches.map((names) => names.map(pathOf)),
      {
        jobs: 2,
        ...more,
        fileMsMax: 5_000,
        signal: new AbortController().signal,
        done: (result) => {
          results[result.file.slice(folder.length + 1, -'.test.ts'.length)] = result
        },
      },
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
  return (name: string) => results[name]?.outcomes.map((o) => [o.result, o.name, o.why.split('\n')[0]])
}

test('what is given as environment is there for the tests alone', async () => {
  const planted = { one: `test('one', () => assert.equal(process.env['PLANTED'], 'here'))` }
  const told = await runPlanted(planted, [['one']], { env: { PLANTED: 'here' } })
  assert.deepEqual(told('one'), [['passed', 'one', '']])
  assert.equal(process.env['PLANTED'], undefined)
})

test('a batch begins when what it waits for is there, and holds no other up', async () => {
  const there = new AbortController()
  const begun: [string, boolean][] = []
  const waits = once(there.signal, 'abort').then(() => begun.push(['one', there.signal.aborted]))
  const ready = (files: readonly string[]) => {
    if (files[0]?.includes('/one.')) return waits
    begun.push(['two', there.signal.aborted])
    setTimeout(() => there.abort(), 100)
    return undefined
  }
  const planted = { one: `test('one', () => {})`, two: `test('two', () => {})` }
  const told = await runPlanted(planted, [['one'], ['two']], { ready })
  assert.deepEqual(begun, [
    ['two', false],
    ['one', true],
  ])
  for (const name of ['one', 'two']) assert.deepEqual(told(name), [['passed', name, '']])
})

test('each way in which a test file can end badly is a failure, and nothing is left behind', async () => {
  const told = await runPlanted(
    PLANTED,
    Object.keys(PLANTED).map((name) => [name]),
  )
  assert.deepEqual(told('passes'), PASSES)
  assert.deepEqual(
    told('fails')?.map(([result, name]) => [result, name]),
    FAILS,
  )
  assert.match(told('fails')?.[0]?.[2] ?? '', /Expected values to be strictly equal/)
  assert.deepEqual(told('throws'), [['failed', '(the file)', 'Error: at load']])
  assert.deepEqual(told('exits')?.at(-1), ['failed', '(the file)', 'ended with 3'])
  assert.deepEqual(told('empty'), [['failed', '(the file)', 'holds no test']])
  assert.deepEqual(told('hangs')?.at(-1), ['failed', '(the file)', 'still running after 5 s, killed'])
  // Its grandchild holds the output open: had it not been killed, this run would last 1000 s.
  assert.deepEqual(told('leaves'), [['passed', 'child', '']])
})

test('files of one process keep their results apart', async () => {
  const hooks = `before(() => { globalThis.log = [...globalThis.log ?? [], 'before'] })
test('own hooks alone', () => assert.deepEqual(globalThis.log, ['before']))
after(() => { globalThis.log = undefined })`
  const files = { ...PLANTED, one: hooks, two: hooks }
  const told = await runPlanted(files, [['one', 'fails', 'empty', 'throws', 'two', 'passes']])
  for (const name of ['one', 'two']) assert.deepEqual(told(name), [['passed', 'own hooks alone', '']])
  assert.deepEqual(told('passes'), PASSES)
  assert.deepEqual(
    told('fails')?.map(([result, name]) => [result, name]),
    FAILS,
  )
  assert.deepEqual(told('throws'), [['failed', '(the file)', 'Error: at load']])
  assert.deepEqual(told('empty'), [['failed', '(the file)', 'holds no test']])
})

test('the files of a process that ended badly run again alone, and the one at fault is named', async () => {
  const files = {
    ...PLANTED,
    late: `test('waits', () => new Promise((done) => setTimeout(done, 500)))`,
    sets: `test('sets', () => { globalThis.set = true })`,
    dies: `test('dies after the other', () => { if (globalThis.set) process.exit(4) })`,
  }
  const told = await runPlanted(files, [
    ['exits', 'fails', 'late'],
    ['sets', 'dies'],
  ])
  assert.deepEqual(told('exits')?.at(-1), ['failed', '(the file)', 'ended with 3'])
  assert.deepEqual(told('late'), [['passed', 'waits', '']])
  assert.equal(told('fails')?.length, 2)
  assert.deepEqual(told('sets'), [['passed', 'sets', '']])
  assert.match(told('dies')?.at(-1)?.join() ?? '', /^failed,\(the file\),ended with 4 in one process: .*sets/)
})
