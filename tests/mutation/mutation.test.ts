import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { mutantsOf } from './mutants.ts'
import { SURVIVORS } from './survivors.ts'
import { FOLDERS, nameOf, PROTOCOL, TARGETS } from './targets.ts'

test('every file of the rules is a target, with tests that exist', () => {
  const files = globSync(`{${FOLDERS.join(',')}}/*.ts`, { cwd: PROTOCOL })
  const wanted = files.filter((file) => !file.endsWith('.test.ts')).sort()
  const named = TARGETS.map(([file]) => file)
  assert.deepEqual(
    named.filter((file) => FOLDERS.some((folder) => file.startsWith(`${folder}/`))).sort(),
    wanted,
  )
  for (const [, tests] of TARGETS) for (const test of tests) assert.ok(readFileSync(PROTOCOL + test))
})

test('every explained survivor is a mutant of the code as it stands, named once', () => {
  const names = new Set(
    TARGETS.flatMap(([file]) =>
      mutantsOf(readFileSync(PROTOCOL + file, 'utf8')).map((mutant) => nameOf(file, mutant)),
    ),
  )
  const explained = SURVIVORS.map(({ mutant }) => mutant)
  assert.deepEqual(
    explained.filter((mutant) => !names.has(mutant)),
    [],
  )
  assert.equal(new Set(explained).size, explained.length)
  for (const { why } of SURVIVORS) assert.ok(why.length > 20, why)
})

const FULL = process.env['MYELIN_TEST_FULL'] === '1'

test('every mutant is killed by a test or explained', {
  skip: FULL ? false : 'it takes an hour: bin/test --full',
}, async (t) => {
  const run = fileURLToPath(new URL('run.ts', import.meta.url))
  const { code, said } = await new Promise<{ code: unknown; said: string }>((resolve) => {
    execFile(process.execPath, [run], { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, said: stdout + stderr }),
    )
  })
  t.diagnostic(said.trimEnd().split('\n').at(-1) ?? '')
  assert.equal(code, 0, said)
})
