import assert from 'node:assert/strict'
import { mkdtempDisposableSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sentenceOf } from '#/base/system-error.ts'
import { writePrivateFile } from './write-private.ts'

function refusal(path: string, text = 'text'): string {
  try {
    writePrivateFile(path, text)
  } catch (error) {
    return sentenceOf(error)
  }
  throw new Error('it was written')
}

test('private files: folders are made, nothing is replaced, nothing half is left', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'private-'))
  const path = join(folder.path, 'a', 'b', 'key')
  writePrivateFile(path, 'first')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(join(folder.path, 'a')).mode & 0o777, 0o700)
  assert.equal(refusal(path), `${path}: it exists already and is not replaced`)
  assert.equal(readFileSync(path, 'utf8'), 'first')
  assert.deepEqual(readdirSync(join(folder.path, 'a', 'b')), ['key'])
  const file = join(folder.path, 'file')
  writeFileSync(file, '')
  assert.match(refusal(join(file, 'key')), /it is a file, not a folder/)
})

test('a folder that can never be made ends with a sentence', () => {
  assert.match(refusal('/proc/nothing/key'), /^\/proc\/nothing: /)
})
