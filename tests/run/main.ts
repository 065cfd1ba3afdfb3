/** Runs every check and test of the project. Started by bin/test, from the root of the checkout. */
import { execFile } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs, promisify } from 'node:util'
import { orderOf, WAITING_JOBS } from './order.ts'
import { runFiles } from './pool.ts'
import { Report } from './report.ts'
import { prepare } from './requirements.ts'
import { startServices } from './services.ts'

const HELP = `bin/test [--full] [file or folder ...]
  Without files: format and lint (biome), types (tsc), then every test of src and tests.
  With files or folders: those tests alone.
  --full   larger budgets (MYELIN_TEST_FULL=1), for as long as it takes; the tests of the API on PostgreSQL too
Environment: MATRIX_SPEC_DIR, CI, MYELIN_TEST_JOBS (processes that work at a time); CONTRIBUTING.md tells more.
`
const FILE_MINUTES_MAX = { ordinary: 4, full: 120 }
/** An ordinary run that takes longer is told so: it must stay a thing one does before every commit. */
const TOTAL_MINUTES_MAX = 7
/** The store of test servers is SQLite in memory, unless this is said. */
const ON_POSTGRES = { MYELIN_TEST_ENGINE: 'postgres' }

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { full: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
})
if (flags.help) {
  process.stdout.write(HELP)
  process.exit(0)
}
process.exitCode = await main()

async function main(): Promise<number> {
  const started = performance.now()
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      // Asked twice: leave at once, the keeper of the services cleans up by itself.
      if (interrupted.signal.aborted) process.exit(130)
      interrupted.abort(signal)
    })

  const files = testFiles(positionals)
  const { requirements, clients } = prepare(say)
  const report = new Report(say)
  const { begun, checked } = checks(report, positionals.length === 0, clients)
  const { programs, specDir, missing } = await requirements
  if (missing.length > 0) {
    cannotRun([...missing, ...(await clients)])
    await checked
    return 1
  }
  if (!specDir)
    report.notice('the specification is absent: set MATRIX_SPEC_DIR to check responses against it')
  await using services = await startServices(programs)
  Object.assign(process.env, {
    MYELIN_TEST_POSTGRES: services.postgres,
    MYELIN_TEST_REDIS: services.redis,
    MYELIN_TEST_PYTHON: programs.python,
    MYELIN_TEST_CHROMIUM: programs.chromium,
    ...(specDir && { MATRIX_SPEC_DIR: specDir }),
    ...(flags.full && { MYELIN_TEST_FULL: '1' }),
  })
  await begun
  const sinceStart = () => `${((performance.now() - started) / 1000).toFixed(1)} s`
  say(`services started after ${sinceStart()}`)
  const installed = clients.then((missing) => {
    if (missing.length === 0) return
    cannotRun(missing)
    interrupted.abort('what is missing')
  })
  // What waits for clients leaves the cores to their installation and to the checks, beside what works.
  const prepared = Promise.all([installed, checked]).then(() =>
    say(`installed and checked after ${sinceStart()}`),
  )

  const fileMsMax = (flags.full ? FILE_MINUTES_MAX.full : FILE_MINUTES_MAX.ordinary) * 60_000
  const done = report.file.bind(report)
  const ready = (batch: readonly string[]) => (batch.some(needsClients) ? installed : undefined)
  const run = (batches: string[][], jobs: number) =>
    runFiles(batches, { jobs, fileMsMax, signal: interrupted.signal, done, ready })
  const { working, waiting, solo } = orderOf(files)
  const jobs = Number(process.env['MYELIN_TEST_JOBS']) || Math.min(availableParallelism(), 8)
  await Promise.all([
    run(working, jobs),
    // When nothing waits any more, one more works: no file keeps a core busy all the time.
    prepared.then(() => run(waiting, WAITING_JOBS)).then(() => run(working, 1)),
  ])
  await run(solo, 1)
  if (flags.full) {
    await runFiles(
      files.filter((file) => file.startsWith('tests/api/')).map((file) => [file]),
      {
        jobs,
        fileMsMax,
        signal: interrupted.signal,
        done: (result) => done({ ...result, file: `${result.file} (PostgreSQL)` }),
        env: ON_POSTGRES,
      },
    )
  }
  if (interrupted.signal.aborted) report.fault(`interrupted by ${interrupted.signal.reason}`)
  report.end(
    performance.now() - started,
    flags.full || positionals.length > 0 ? undefined : TOTAL_MINUTES_MAX,
  )
  return report.failed ? 1 : 0
}

function needsClients(file: string): boolean {
  return file.startsWith('tests/interop/')
}

function cannotRun(missing: readonly string[]): void {
  say(`cannot run, missing:\n${missing.map((line) => `  - ${line}`).join('\n')}`)
}

/**
 * Biome and tsc. `begun`: the program has started once, so that several servers at a time find their code compiled;
 * tests may begin.
 */
function checks(
  report: Report,
  all: boolean,
  clients: Promise<unknown>,
): { begun: Promise<void>; checked: Promise<void> } {
  const begun = firstStart(report)
  const biome = () => check(report, 'biome', ['node_modules/@biomejs/biome/bin/biome', 'check', '.'])
  // The tests of tests/interop have the types of the libraries that they drive.
  const tsc = async () => {
    await clients
    await check(report, 'tsc', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--checkers', '1'])
  }
  const checked = Promise.all([begun, ...(all ? [biome(), tsc()] : [])]).then(() => {})
  return { begun, checked }
}

/** Runs one of the static checks; its output is shown when it fails. */
async function check(report: Report, name: string, args: string[]): Promise<void> {
  const started = performance.now()
  try {
    await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 26 })
    say(`${name}: no findings (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string }
    report.fault(name, `${stdout}${stderr}` || message)
  }
}

/** Lets the program fill its compile cache. */
async function firstStart(report: Report): Promise<void> {
  const env = { ...process.env, NODE_COMPILE_CACHE: undefined }
  try {
    await promisify(execFile)('bin/myelin', ['--version'], { env })
  } catch (error) {
    report.fault('bin/myelin --version', String(error))
  }
}

/** All test files, or those under the named files and folders. A name without any test is an error. */
function testFiles(named: string[]): string[] {
  const under = (folder: string) =>
    globSync(`${folder.replace(/\/+$/, '')}/**/*.test.ts`, { exclude: ['**/node_modules/**'] })
  if (named.length === 0) return [...under('src'), ...under('tests')].sort()
  return named.flatMap((path) => {
    const files = statSync(path).isDirectory() ? under(path).sort() : [path]
    if (files.length === 0) throw new Error(`no *.test.ts under ${path}`)
    return files
  })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
