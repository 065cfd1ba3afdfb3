import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type FileResult, runFiles } from './pool.ts'

const PLANTED = {
  passes: `test('one', () => {}); test('two', { skip: 'no moon' }, () => {}); test.todo('three')`,
  fails: `describe('a', () => { test('b', () => assert.equal(1, 2)); test('c', () => {}) })`,
  throws: `throw new Error('at load')`,
  exits: `test('fine', () => {}); setTimeout(() => process.exit(3), 50)`,
  empty: `console.log('nothing to see')`,
  hangs: `test('fine', () => {}); setInterval(() => {}, 1000)`,
  leaves: `test('child', () => { spawn('sleep', ['1000'], { stdio: 'inherit' }).unref() })`,
}
const HEAD = `import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
`

test('a variant has its environment and its name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-pool-'))
  const results: FileResult[] = []
  try {
    const file = join(folder, 'one.test.ts')
    writeFileSync(file, `${HEAD}test('one', () => assert.equal(process.env['VARIANT'], 'a'))`)
    await runFiles([file], {
      jobs: 1,
      fileMsMax: 60_000,
      signal: new AbortController().signal,
      done: (result) => void results.push(result),
      variant: { name: 'other', env: { VARIANT: 'a' } },
    })
    assert.deepEqual(
      results.map((each) => [each.file, each.outcomes.map(({ result }) => result)]),
      [[`${file} (other)`, ['passed']]],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('each way in which a test file can end badly is a failure, and nothing is left behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-pool-'))
  const results: Record<string, FileResult> = {}
  try {
    const files = Object.entries(PLANTED).map(([name, text]) => {
      writeFileSync(join(folder, `${name}.test.ts`), HEAD + text)
      return join(folder, `${name}.test.ts`)
    })
    await runFiles(files, {
      jobs: 2,
      fileMsMax: 4_000,
      signal: new AbortController().signal,
      done: (result) => {
        results[result.file.slice(folder.length + 1, -'.test.ts'.length)] = result
      },
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
  const told = (name: string) => results[name]?.outcomes.map((o) => [o.result, o.name, o.why.split('\n')[0]])
  assert.deepEqual(told('passes'), [
    ['passed', 'one', ''],
    ['skipped', 'two', 'no moon'],
    ['skipped', 'three', 'todo: true'],
  ])
  assert.deepEqual(
    told('fails')?.map(([result, name]) => [result, name]),
    [
      ['failed', 'a > b'],
      ['passed', 'a > c'],
    ],
  )
  assert.match(results['fails']?.outcomes[0]?.why ?? '', /1 !== 2/)
  assert.deepEqual(told('throws'), [['failed', '(the file)', 'ended with 1']])
  assert.match(results['throws']?.output ?? '', /at load/)
  assert.deepEqual(told('exits')?.at(-1), ['failed', '(the file)', 'ended with 3'])
  assert.deepEqual(told('empty'), [['failed', '(the file)', 'holds no test']])
  assert.deepEqual(told('hangs')?.at(-1), ['failed', '(the file)', 'still running after 4 s, killed'])
  // Its grandchild holds the output open: had it not been killed, this run would last 1000 s.
  assert.deepEqual(told('leaves'), [['passed', 'child', '']])
})
