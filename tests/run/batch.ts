/**
 * Runs test files one after the other in this process, each as a suite of its own, so that what all of them load and
 * warm up is paid once. Started by pool.ts with the files; tells it what begins and what ends.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { after, before, describe } from 'node:test'
import { forgetCalls } from '../support/covers.ts'
import { tell } from './tell.ts'

/** Milliseconds of one tick in /proc. */
const TICK_MS = 10

const load = createRequire(import.meta.url)

for (const file of process.argv.slice(2))
  describe(file, () => {
    const started = { ms: 0, cpuMs: 0 }
    // Both before the file's own hooks, which are declared when it loads and may fail.
    before(() => {
      tell({ begins: file })
      forgetCalls()
      Object.assign(started, { ms: performance.now(), cpuMs: cpuMs() })
    })
    after(() => tell({ ends: file, ms: performance.now() - started.ms, cpuMs: cpuMs() - started.cpuMs }))
    load(resolve(file))
  })

/** Processor time of this process with its threads, and of its children that have ended (on Linux). */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000 + childrenTicks() * TICK_MS
}

function childrenTicks(): number {
  if (process.platform !== 'linux') return 0
  // Behind the program's name in brackets, which may hold spaces: state is field 3, cutime 16 and cstime 17.
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return Number(fields[13]) + Number(fields[14])
}
