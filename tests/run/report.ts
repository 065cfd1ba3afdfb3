import type { FileResult } from './pool.ts'

const SLOWEST_SHOWN = 12

/** Collects what the run came to, tells failures at once and the rest at the end. */
export class Report {
  readonly #say: (line: string) => void
  readonly #results: FileResult[] = []
  readonly #faults: string[] = []
  readonly #notices: string[] = []

  constructor(say: (line: string) => void) {
    this.#say = say
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
    const failures = result.outcomes.filter((outcome) => outcome.result === 'failed')
    const skips = result.outcomes.filter((outcome) => outcome.result === 'skipped').length
    const counts = `${result.outcomes.length} tests${skips > 0 ? `, ${skips} skipped` : ''}`
    this.#say(`${failures.length > 0 ? 'FAILED' : 'ok'} ${result.file} (${counts}, ${times(result)})`)
    for (const { name, why } of failures) this.#say(`  ${name}\n${indent(why)}`)
    if (failures.length > 0 && result.output.trim() !== '')
      this.#say(`  its output:\n${indent(result.output.trimEnd())}`)
  }

  /** Tells skips with their reasons, the slowest files, failures again by name, and the counts. */
  end(totalMs: number, minutesMax: number | undefined): void {
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
    return byTime.map(
      (result) => `${seconds(result.ms).padStart(8)} ${result.file} (cpu ${seconds(result.cpuMs)})`,
    )
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

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const times = ({ ms, cpuMs }: FileResult) => `${seconds(ms)}, cpu ${seconds(cpuMs)}`
const indent = (text: string) => text.replace(/^/gm, '    ')
