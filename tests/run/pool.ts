import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type Outcome, type Told, WHOLE_FILE } from './tell.ts'

/** What one test file came to: its time, and the processor time of it and of its children as far as known. */
export type FileResult = { file: string; ms: number; cpuMs: number; outcomes: Outcome[]; output: string }

export type PoolOptions = {
  /** Processes at a time. */
  jobs: number
  fileMsMax: number
  signal: AbortSignal
  done: (result: FileResult) => void
  /** What a batch waits for before it starts. */
  ready?: (files: readonly string[]) => Promise<unknown> | undefined
  /** Further environment of the tests. */
  env?: Readonly<Record<string, string>>
}

/** How much of what a failing process printed is kept, in characters. */
const OUTPUT_KEPT_MAX = 20_000

/**
 * Runs batches of test files, each batch in a process (and process group) of its own, `jobs` at a time, in the given
 * order, and takes them out of the list, so that calls can share one. A file that runs longer than `fileMsMax` is killed with its process and all children and counts as failed; so
 * does one that ends its process badly or holds no test. The files of a batch that ended badly run again, each alone,
 * so that the one at fault is known. Aborting the signal kills what runs and starts nothing more.
 */
export async function runFiles(batches: string[][], options: PoolOptions): Promise<void> {
  const work = async () => {
    for (let batch = batches.shift(); batch && !options.signal.aborted; batch = batches.shift()) {
      await options.ready?.(batch)
      if (!options.signal.aborted) await runBatch(batch, options)
    }
  }
  await Promise.all(Array.from({ length: options.jobs }, work))
}

async function runBatch(files: string[], options: PoolOptions): Promise<void> {
  const { results, bad } = await runProcess(files, options)
  if (bad === undefined || files.length === 1 || options.signal.aborted) {
    for (const result of results) {
      if (bad?.file === result.file) result.outcomes.push(failure(bad.why, result.ms))
      // An interruption leaves files that were never begun.
      if (result.outcomes.length > 0) options.done(result)
    }
    return
  }
  let found = false
  for (const file of files)
    await runBatch([file], {
      ...options,
      done: (result) => {
        found ||= result.outcomes.some((outcome) => outcome.result === 'failed')
        const blame = file === files.at(-1) && !found
        if (blame) result.outcomes.push(failure(`${bad.why} in one process: ${files.join(' ')}`, 0))
        options.done(result)
      },
    })
}

/** The results by file, and the reason why the process as a whole is a failure, with the file that ran then. */
type Ended = { results: FileResult[]; bad: { file: string; why: string } | undefined }

async function runProcess(files: string[], { fileMsMax, signal, env }: PoolOptions): Promise<Ended> {
  const begun = performance.now()
  const child = startProcess(files, env)
  const kill = () => killGroup(child.pid)
  let late = false
  const expire = () => {
    late = true
    kill()
  }
  let timer = setTimeout(expire, fileMsMax)
  signal.addEventListener('abort', kill, { once: true })

  let output = ''
  const keep = (chunk: string) => {
    output = (output + chunk).slice(-OUTPUT_KEPT_MAX)
  }
  child.stdout?.setEncoding('utf8').on('data', keep)
  child.stderr?.setEncoding('utf8').on('data', keep)
  const heard = new Heard(files)
  createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
    if (!heard.hear(JSON.parse(line))) return
    clearTimeout(timer)
    timer = setTimeout(expire, fileMsMax)
  })

  const closed = once(child, 'close')
  // A grandchild left behind may hold the pipes open: the exit of the test itself decides, then all go.
  const [code, deadly] = (await once(child, 'exit')) as [number | null, string | null]
  clearTimeout(timer)
  signal.removeEventListener('abort', kill)
  kill()
  await closed

  const results = heard.results.map((result) => ({ ...result, output }))
  const [only] = results
  // With one file the start of the process belongs to it.
  if (only && results.length === 1) only.ms = performance.now() - begun
  const ended = (why: string) => ({ results, bad: { file: heard.running, why } })
  if (late) return ended(`still running after ${Math.round(fileMsMax / 1000)} s, killed`)
  if (signal.aborted) return ended('interrupted')
  if (code !== 0 && !heard.explains(code)) return ended(`ended with ${deadly ?? code}`)
  for (const { outcomes } of results) if (outcomes.length === 0) outcomes.push(failure('holds no test', 0))
  return { results, bad: undefined }
}

function startProcess(files: string[], more: PoolOptions['env']): ChildProcess {
  // A failed hook may leave a server open, whose connections would hold the process.
  const ends = more ? ['--test-force-exit'] : []
  const own = ['--import', './src/base/own-modules.ts']
  const args = [
    ...ends,
    ...own,
    '--test-reporter=./tests/run/reporter.ts',
    '--test-reporter-destination=stdout',
  ]
  return spawn(process.execPath, [...args, 'tests/run/batch.ts', ...files], {
    // Under `node --test` this variable would replace the reporter.
    env: { ...process.env, ...more, NODE_TEST_CONTEXT: undefined },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  })
}

/** What a process has told of its files. */
class Heard {
  readonly #results: Map<string, Omit<FileResult, 'output'>>
  readonly #ended = new Set<string>()
  /** The file that began last. */
  running: string

  constructor(files: readonly string[]) {
    this.running = files[0] ?? ''
    this.#results = new Map(files.map((file) => [file, { file, ms: 0, cpuMs: 0, outcomes: [] }]))
  }

  get results(): Omit<FileResult, 'output'>[] {
    return [...this.#results.values()]
  }

  /** @returns whether a file begins. */
  hear(told: Told): boolean {
    if ('begins' in told) this.running = told.begins
    else if ('ends' in told) {
      this.#ended.add(told.ends)
      Object.assign(this.#results.get(told.ends) ?? {}, { ms: told.ms, cpuMs: told.cpuMs })
    } else this.#results.get(told.file)?.outcomes.push(told.outcome)
    return 'begins' in told
  }

  /** Whether an exit with `code` is that of Node after failed tests: all files came to their end, and a test failed. */
  explains(code: number | null): boolean {
    const over = ({ file, outcomes }: Omit<FileResult, 'output'>) =>
      this.#ended.has(file) || outcomes.some(({ name }) => name === WHOLE_FILE)
    return code === 1 && this.results.every(over) && this.results.some(hasFailed)
  }
}

const hasFailed = ({ outcomes }: Pick<FileResult, 'outcomes'>) =>
  outcomes.some(({ result }) => result === 'failed')

const failure = (why: string, ms: number): Outcome => ({ result: 'failed', name: WHOLE_FILE, ms, why })

/** Ends a process group; one that is gone already is fine. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
