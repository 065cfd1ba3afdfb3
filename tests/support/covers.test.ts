import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const COVERS = new URL('./covers.ts', import.meta.url).href

/** What a run says in which every claim is shown. */
const HOLDS = /^(?!.*failing tests).*pass 1\n/s
const LACKS = /pass 1\n.*failing tests.*without these tests/s

/** Runs a test file that claims coverage and makes `calls`; returns the runner's report. */
function run(calls: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-covers-'))
  try {
    const file = join(folder, 'a.test.ts')
    writeFileSync(
      file,
      `import { test } from 'node:test'
import { called, covers, serves } from '${COVERS}'
covers('GET /_matrix/client/v3/rooms/{roomId}/members', 'POST /_synapse/admin/v1/reset/{userId}')
test('calls', () => { ${calls} })
`,
    )
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
    return spawnSync(process.execPath, ['--test', '--test-isolation=none', file], { env, encoding: 'utf8' })
      .stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a file that claims what it never called with success fails', () => {
  const members = `called('GET', '/_matrix/client/r0/rooms/!a:b/members?at=1', 200)`
  const admin = `called('POST', '/_synapse/admin/v1/reset/@a:b', 200)`
  assert.match(run(`${members}; ${admin}`), HOLDS)
  for (const calls of ['', members, admin, `${members}; ${admin.replace('200', '403')}`])
    assert.match(run(calls), LACKS, calls)
})

test('where the routes are known, missing rights and bad input are asked for as well', () => {
  const routes = `serves([
    { method: 'GET', path: '/_matrix/client/v3/rooms/:room/members', auth: 'guest', query: {} },
    { method: 'POST', path: '/_synapse/admin/v1/reset/:user', auth: 'sharedSecret', body: {} },
  ])`
  const answer = (what: string, status: number, code = '') => `called(${what}, ${status}, '${code}')`
  const members = `'GET', '/_matrix/client/v3/rooms/!a:b/members'`
  const admin = `'POST', '/_synapse/admin/v1/reset/@a:b'`
  const all = [
    answer(members, 200),
    answer(members, 403, 'M_FORBIDDEN'),
    answer(members, 400, 'M_INVALID_PARAM'),
    answer(admin, 200),
    answer(admin, 413, 'M_TOO_LARGE'),
  ]
  assert.match(run([routes, ...all].join('; ')), HOLDS)
  for (const [i, call] of all.entries())
    assert.match(run([routes, ...all.toSpliced(i, 1)].join('; ')), LACKS, call)
  const token = answer(members, 401, 'M_MISSING_TOKEN')
  assert.match(run([routes, token, ...all.toSpliced(1, 1)].join('; ')), /members: missing rights/)
})
