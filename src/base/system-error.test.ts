import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { reasonOf, sentenceOf } from './system-error.ts'

function caught(fn: () => unknown): unknown {
  try {
    fn()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

test('failures of files are sentences that name the file', () => {
  const absent = caught(() => readFileSync('/nothing/here'))
  assert.equal(sentenceOf(absent), '/nothing/here: there is no such file or folder')
  assert.equal(reasonOf(absent), 'there is no such file or folder')
  const file = import.meta.filename
  assert.equal(
    sentenceOf(caught(() => writeFileSync(file, '', { flag: 'wx' }))),
    `${file}: it exists already and is not replaced`,
  )
  assert.equal(sentenceOf(caught(() => mkdirSync(file))), `${file}: it is a file, not a folder`)
  assert.equal(sentenceOf(caught(() => readFileSync(tmpdir()))), 'it is a folder, not a file')
  assert.equal(sentenceOf(new Error('its own words')), 'its own words')
  assert.equal(sentenceOf('text'), 'text')
})

test('failures to listen say where, and what to do', async () => {
  const listen = (where: object): Promise<unknown> =>
    new Promise((resolve) => createServer().once('error', resolve).listen(where))
  const first = createServer()
  await new Promise<void>((resolve) => first.listen({ port: 0, host: '127.0.0.1' }, resolve))
  const { port } = first.address() as { port: number }
  assert.match(
    sentenceOf(await listen({ port, host: '127.0.0.1' })),
    new RegExp(`^address already in use 127\\.0\\.0\\.1:${port}: another program`),
  )
  first.close()
  assert.match(
    sentenceOf(await listen({ port: 1, host: '192.0.2.7' })),
    /192\.0\.2\.7:1: this machine does not/,
  )
  assert.match(
    sentenceOf(await listen({ path: '/nothing/here/a.sock' })),
    /\/nothing\/here\/a\.sock: its folder/,
  )
})
