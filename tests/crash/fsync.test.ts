/** A `kill -9` loses nothing that the kernel holds, so it proves no fsync. The system calls do. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { tempFolder } from '../support/filled-database.ts'
import type { ChildTask } from './child.ts'

const WRITES = 25

/** Debian's package strace. Where tests must not be left out, its absence is a failure. */
const missing = spawnSync('strace', ['-V']).status === 0 ? false : 'strace is not installed (Debian: strace)'
if (missing && process.env['CI']) throw new Error(missing)

let folder: string
before(() => {
  folder = tempFolder('fsync')
})
after(() => rmSync(folder, { recursive: true }))

/** Runs one writer under strace; gives its system calls in the order in which they ended. */
async function callsOf(name: string, node: readonly string[]): Promise<string[]> {
  const log = join(folder, `${name}.strace`)
  const path = join(folder, `${name}.db`)
  const task: ChildTask = { database: { engine: 'sqlite', path }, life: 1, writers: 1, writes: WRITES }
  const child = spawn(
    'strace',
    ['-f', '-y', '-s', '200', '-e', 'trace=fdatasync,fsync,write,pwrite64', '-e', 'signal=none', '-o', log]
      .concat([process.execPath, ...node])
      .concat([new URL('./child.ts', import.meta.url).pathname, JSON.stringify(task)]),
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  return finished(readFileSync(log, 'utf8'))
}

/* A call during which another thread had its turn is logged in two halves; it counts where it ended. */
function finished(log: string): string[] {
  const begun = new Map<string, string>()
  const calls: string[] = []
  for (const line of log.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (rest.endsWith('<unfinished ...>'))
      begun.set(thread, rest.slice(0, -'<unfinished ...>'.length).trimEnd())
    else if (rest.startsWith('<...')) calls.push(`${begun.get(thread)}${rest.slice(rest.indexOf('>') + 1)}`)
    else calls.push(rest)
  }
  return calls
}

interface Proof {
  readonly acknowledged: number
  /** Acknowledgements without a sync of the log between its last write and them. */
  readonly unproven: number
}

/** Goes through the calls: each acknowledgement needs a write to the log since the one before, and a sync after it. */
function prove(calls: readonly string[]): Proof {
  let acknowledged = 0
  let unproven = 0
  let ready = false
  let written = false
  let synced = false
  for (const call of calls) {
    if (/^pwrite64\(\d+<[^>]*-wal>/.test(call)) {
      written = true
      synced = false
    } else if (/^f(data)?sync\(\d+<[^>]*-wal>\) += 0/.test(call)) synced = written
    else if (/^write\(1<.*\\"ready\\"/.test(call)) ready = true
    else if (ready && /^write\(1<.*\\"event\\"/.test(call)) {
      acknowledged++
      if (!synced) unproven++
      written = false
      synced = false
    }
  }
  return { acknowledged, unproven }
}

describe('between write and acknowledgement', { skip: missing }, () => {
  it('the write-ahead log is synced', async () => {
    const proof = prove(await callsOf('synced', []))
    assert.equal(proof.acknowledged, WRITES, `${proof.acknowledged} acknowledgements were seen`)
    assert.equal(proof.unproven, 0)
  })

  it('and a store that does not sync is caught', async () => {
    const preload = new URL('./no-fsync.ts', import.meta.url).pathname
    const proof = prove(await callsOf('unsynced', ['--import', preload]))
    assert.equal(proof.acknowledged, WRITES, `${proof.acknowledged} acknowledgements were seen`)
    assert.equal(proof.unproven, proof.acknowledged)
  })
})
