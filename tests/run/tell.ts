import { writeSync } from 'node:fs'

/** The pipe that pool.ts opens for what a process of tests tells. */
const TOLD_FD = 3

/** In place of a test's name, where the whole file is meant: it did not load, a hook of it failed, its process died. */
export const WHOLE_FILE = '(the file)'

/** What became of one test. Durations are in milliseconds. */
export type Outcome = {
  result: 'passed' | 'failed' | 'skipped'
  name: string
  ms: number
  /** Why it failed, with the stack; or why it was skipped. */
  why: string
}

/** What a process of tests tells, one JSON value a line: a file begins or has ended, a test of it came to something. */
export type Told =
  | { readonly begins: string }
  | { readonly ends: string; readonly ms: number; readonly cpuMs: number }
  | { readonly file: string; readonly outcome: Outcome }

/** Not through standard output, which belongs to the tests; and at once, so that nothing is lost in a crash. */
export function tell(told: Told): void {
  writeSync(TOLD_FD, `${JSON.stringify(told)}\n`)
}
