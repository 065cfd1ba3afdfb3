/**
 * Flips each comparison, boolean and constant of the authorisation rules, redaction, visibility and state resolution,
 * runs the tests that guard the file, and lists the mutants that survive. Fails if one survives that survivors.ts does
 * not explain, or if an explained one is gone. `bin/test --full` runs it whole.
 *
 *     node tests/mutation/run.ts [--file=<part of a file name>] [--jobs=1]
 *
 * One process for a mutant and a test file, which ends at its first failure. targets.ts names files and tests.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Mutant, mutantsOf } from './mutants.ts'
import { SURVIVORS } from './survivors.ts'
import { nameOf, PROTOCOL, TARGETS } from './targets.ts'

const HOOK = fileURLToPath(new URL('hook.ts', import.meta.url))
/** The slowest test file takes two seconds; a mutant that needs this long runs in a circle. */
const TIMEOUT_MS = 25_000
/** Seeds instead of a time budget: the same rooms for every mutant, on every machine. */
const RANDOM_ROOMS = '600'

const { values: flags } = parseArgs({
  options: { file: { type: 'string', default: '' }, jobs: { type: 'string', default: '1' } },
})
process.exitCode = await main(flags.file, Number(flags.jobs))

async function main(only: string, jobs: number): Promise<number> {
  const chosen = TARGETS.filter(([name]) => name.includes(only))
  if (chosen.length === 0) throw new Error(`no file with ${only} in its name`)
  const survivors: string[] = []
  let total = 0
  let circles = 0
  for (const [file, tests] of chosen) {
    const { count, ends } = await testAll(file, tests, jobs)
    const alive = ends.filter(([, end]) => end === 'survives').map(([name]) => name)
    total += count
    circles += ends.filter(([, end]) => end === 'endless').length
    survivors.push(...alive)
    console.log(`${file}: ${count - alive.length} of ${count} killed`)
  }
  const explained = new Map(SURVIVORS.map(({ mutant, why }) => [mutant, why]))
  for (const name of survivors)
    console.log(`survives: ${name}\n    ${explained.get(name) ?? 'NOT EXPLAINED'}`)
  const unexplained = survivors.filter((name) => !explained.has(name))
  const files = chosen.map(([file]) => file)
  const gone = SURVIVORS.map(({ mutant }) => mutant).filter(
    (mutant) => files.includes(mutant.split(' | ')[0]!) && !survivors.includes(mutant),
  )
  for (const mutant of gone) console.log(`explained, but killed or gone: ${mutant}`)
  console.log(
    `${total - survivors.length} of ${total} mutants killed (${circles} by running in a circle), ` +
      `${survivors.length} survive, ${unexplained.length} of them without a reason`,
  )
  return unexplained.length > 0 || gone.length > 0 ? 1 : 0
}

type End = 'killed' | 'endless' | 'survives'

/** Runs all mutants of a file, some at a time, and says how each ended, in the order of the text. */
async function testAll(
  file: string,
  tests: readonly string[],
  jobs: number,
): Promise<{ count: number; ends: [name: string, end: End][] }> {
  if ((await endOf(file, tests, undefined)) !== 'survives') throw new Error(`${file}: tests fail unchanged`)
  const mutants = mutantsOf(readFileSync(PROTOCOL + file, 'utf8'))
  const ends: [string, End][] = []
  const queue = [...mutants.entries()]
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [i, mutant] = next
      ends[i] = [nameOf(file, mutant), await endOf(file, tests, mutant)]
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return { count: mutants.length, ends }
}

async function endOf(file: string, tests: readonly string[], mutant: Mutant | undefined): Promise<End> {
  for (const test of tests) {
    const end = await runTest(file, test, mutant)
    if (end !== 'survives') return end
  }
  return 'survives'
}

function runTest(file: string, test: string, mutant: Mutant | undefined): Promise<End> {
  const { promise, resolve, reject } = Promise.withResolvers<End>()
  const change = mutant ?? { at: 0, from: '', to: '' }
  const env = {
    ...process.env,
    MUTANT: JSON.stringify({ ...change, file: PROTOCOL + file }),
    MYELIN_RANDOM_ROOMS: RANDOM_ROOMS,
    // A test file started by another must report in its own words.
    NODE_TEST_CONTEXT: undefined,
  }
  const child = spawn(process.execPath, ['--import', HOOK, PROTOCOL + test], {
    env,
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    stdio: 'ignore',
  })
  child.on('error', reject)
  child.on('exit', (code, signal) => {
    if (code === 0) resolve('survives')
    else resolve(signal === 'SIGKILL' ? 'endless' : 'killed')
  })
  return promise
}
