import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const COVERS = new URL('./covers.ts', import.meta.url).href

/** Runs a test file that claims coverage and makes `calls`; returns its exit code and output. */
function run(calls: string): { status: number | null; stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-covers-'))
  try {
    const file = join(folder, 'a.test.ts')
    writeFileSync(
      file,
      `import { test } from 'node:test'
import { called, covers } from '${COVERS}'
covers('GET /_matrix/client/v3/rooms/{roomId}/members', 'POST /_synapse/admin/v1/reset/{userId}')
test('calls', () => { ${calls} })
`,
    )
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
    const { status, stdout } = spawnSync(process.execPath, [file], { env, encoding: 'utf8' })
    return { status, stdout }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a file that claims what it never called with success fails', () => {
  const members = `called('GET', '/_matrix/client/r0/rooms/!a:b/members?at=1', 200)`
  const admin = `called('POST', '/_synapse/admin/v1/reset/@a:b', 200)`
  assert.equal(run(`${members}; ${admin}`).status, 0)
  for (const calls of ['', members, admin, `${members}; ${admin.replace('200', '403')}`]) {
    const { status, stdout } = run(calls)
    assert.equal(status, 1, calls)
    assert.match(stdout, /never called with success/)
  }
})
