import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Outcome } from './reporter.ts'

/** What one test file came to. */
export type FileResult = { file: string; ms: number; outcomes: Outcome[]; output: string }

export interface PoolOptions {
  /** Files at a time. */
  readonly jobs: number
  readonly fileMsMax: number
  readonly signal: AbortSignal
  readonly done: (result: FileResult) => void
  /** Further environment of the tests, and what their results are called after. */
  readonly variant?: { readonly name: string; readonly env: Readonly<Record<string, string>> }
}

/** How much of what a failing file printed is kept, in characters. */
const OUTPUT_KEPT_MAX = 20_000

/**
 * Runs test files, each in a process (and process group) of its own, `jobs` at a time.
 * A file that runs longer than `fileMsMax` is killed with all its children and counts as failed; so does one
 * that ends badly or holds no test. Aborting the signal kills what runs and starts nothing more.
 */
export async function runFiles(files: string[], options: PoolOptions): Promise<void> {
  const waiting = [...files]
  const work = async () => {
    for (let file = waiting.shift(); file && !options.signal.aborted; file = waiting.shift())
      options.done(await runFile(file, options))
  }
  await Promise.all(Array.from({ length: options.jobs }, work))
}

async function runFile(
  file: string,
  { fileMsMax: msMax, signal, variant }: PoolOptions,
): Promise<FileResult> {
  const started = performance.now()
  /* A failed hook may leave a server open; what holds connections would then not end. */
  const ends = variant ? ['--test-force-exit'] : []
  const args = [...ends, '--test-reporter=./tests/run/reporter.ts', '--test-reporter-destination=stdout', file]
  // Under `node --test` this variable would replace the reporter.
  const env = { ...process.env, ...variant?.env, NODE_TEST_CONTEXT: undefined }
  const child = spawn(process.execPath, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const kill = () => killGroup(child.pid)
  let late = false
  const timer = setTimeout(() => {
    late = true
    kill()
  }, msMax)
  signal.addEventListener('abort', kill, { once: true })

  let output = ''
  const keep = (chunk: string) => {
    output = (output + chunk).slice(-OUTPUT_KEPT_MAX)
  }
  child.stdout?.setEncoding('utf8').on('data', keep)
  child.stderr?.setEncoding('utf8').on('data', keep)
  const outcomes: Outcome[] = []
  createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => outcomes.push(JSON.parse(line)))

  const closed = once(child, 'close')
  // A grandchild left behind may hold the pipes open: the exit of the test itself decides, then all go.
  const [code, deadly] = (await once(child, 'exit')) as [number | null, string | null]
  clearTimeout(timer)
  signal.removeEventListener('abort', kill)
  kill()
  await closed

  const ms = performance.now() - started
  const fail = (why: string) => outcomes.push({ result: 'failed', name: '(the file)', ms, why })
  if (late) fail(`still running after ${Math.round(msMax / 1000)} s, killed`)
  else if (signal.aborted) fail('interrupted')
  else if (code !== 0 && !outcomes.some((o) => o.result === 'failed')) fail(`ended with ${deadly ?? code}`)
  else if (outcomes.length === 0) fail('holds no test')
  return { file: variant ? `${file} (${variant.name})` : file, ms, outcomes, output }
}

/** Ends a process group; one that is gone already is fine. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
