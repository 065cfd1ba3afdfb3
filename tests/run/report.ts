import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { FileResult } from './pool.ts'

const SLOWEST_SHOWN = 10
const TIMES_FILE = '.cache/test-times.json'

/** Collects what the run came to, tells failures at once and the rest at the end. */
export class Report {
  readonly #say: (line: string) => void
  readonly #results: FileResult[] = []
  readonly #faults: string[] = []
  readonly #notices: string[] = []
  readonly #times: Record<string, number>

  constructor(say: (line: string) => void) {
    this.#say = say
    this.#times = readTimes()
  }

  /** True once anything failed: a test, a static check, or the run itself. */
  get failed(): boolean {
    return this.#faults.length > 0 || this.#count('failed') > 0
  }

  /** Something that everybody should see at the end, but that is no failure. */
  notice(line: string): void {
    this.#notices.push(line)
  }

  /** A failure outside the tests. */
  fault(name: string, output = ''): void {
    this.#faults.push(name)
    this.#say(`FAILED ${name}\n${output.trimEnd()}`)
  }

  /** One test file is done. */
  file(result: FileResult): void {
    this.#results.push(result)
    this.#times[result.file] = Math.round(result.ms)
    const failures = result.outcomes.filter((outcome) => outcome.result === 'failed')
    const skips = result.outcomes.filter((outcome) => outcome.result === 'skipped').length
    const counts = `${result.outcomes.length} tests${skips > 0 ? `, ${skips} skipped` : ''}`
    this.#say(`${failures.length > 0 ? 'FAILED' : 'ok'} ${result.file} (${counts}, ${seconds(result.ms)})`)
    for (const { name, why } of failures) this.#say(`  ${name}\n${indent(why)}`)
    if (failures.length > 0 && result.output.trim() !== '')
      this.#say(`  its output:\n${indent(result.output.trimEnd())}`)
  }

  /** Sorts by the durations of the last run, unknown ones first, so that no long file starts last. */
  longestFirst(files: string[]): string[] {
    const ms = (file: string) => this.#times[file] ?? Number.MAX_SAFE_INTEGER
    return files.toSorted((a, b) => ms(b) - ms(a))
  }

  /** Tells skips with their reasons, the slowest files, failures again by name, and the counts. */
  end(totalMs: number, minutesMax: number | undefined): void {
    mkdirSync('.cache', { recursive: true })
    writeFileSync(TIMES_FILE, JSON.stringify(this.#times))
    this.#list('slowest files', this.#slowest())
    this.#list(
      'skipped',
      this.#named('skipped', (why) => `: ${why}`),
    )
    this.#list('failed', this.#faults.concat(this.#named('failed', () => '')))
    this.#list('notice', this.#notices)
    const late = minutesMax !== undefined && totalMs > minutesMax * 60_000
    this.#say(
      `\ntotal ${seconds(totalMs)}${late ? `, LONGER THAN THE ${minutesMax} MINUTES IT MAY TAKE` : ''}`,
    )
    const failed = this.#count('failed') + this.#faults.length
    this.#say(`${this.#count('passed')} passed, ${failed} failed, ${this.#count('skipped')} skipped`)
  }

  #slowest(): string[] {
    const byTime = this.#results.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST_SHOWN)
    return byTime.map(({ file, ms }) => `${seconds(ms).padStart(8)} ${file}`)
  }

  #named(result: 'skipped' | 'failed', tail: (why: string) => string): string[] {
    return this.#results.flatMap(({ file, outcomes }) =>
      outcomes.filter((o) => o.result === result).map((o) => `${file}: ${o.name}${tail(o.why)}`),
    )
  }

  #list(title: string, lines: string[]): void {
    if (lines.length > 0) this.#say(`\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`)
  }

  #count(result: 'passed' | 'skipped' | 'failed'): number {
    return this.#results.reduce(
      (sum, { outcomes }) => sum + outcomes.filter((o) => o.result === result).length,
      0,
    )
  }
}

/** Durations of the last run in milliseconds by file; none when there was none. */
function readTimes(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(TIMES_FILE, 'utf8'))
  } catch {
    return {}
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const indent = (text: string) => text.replace(/^/gm, '    ')
