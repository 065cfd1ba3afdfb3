/** What SyTest printed: the outcome of each test, and the file that it is in. */

export interface Outcome {
  readonly file: string
  readonly name: string
  readonly result: 'passed' | 'failed' | 'skipped'
  /** Why it was skipped. */
  readonly why: string | undefined
}

const RESULT = /^(ok|not ok) (\d+) (.*)$/

/** Outcomes in order. `tap` is the standard output of one run with `-O tap`, `progress` its standard error. */
export function outcomesOf(tap: string, progress: string): Outcome[] {
  const files = filesOf(progress)
  const outcomes: Outcome[] = []
  for (const line of tap.split('\n')) {
    const found = RESULT.exec(line)
    if (!found) continue
    const [, word, number, rest] = found
    const at = rest!.indexOf(' # skip ')
    const name = (at < 0 ? rest! : rest!.slice(0, at)).replace(/ \(\d+ subtests\)$/, '')
    outcomes.push({
      file: files.get(number!) ?? '?',
      name,
      result: at >= 0 ? 'skipped' : word === 'ok' ? 'passed' : 'failed',
      why: at < 0 ? undefined : rest!.slice(at + ' # skip '.length),
    })
  }
  return outcomes
}

/** The file of each test number: the progress names a file, then the tests in it. */
function filesOf(progress: string): Map<string, string> {
  const files = new Map<string, string>()
  let file = '?'
  for (const line of progress.split('\n')) {
    const head = /^(tests\/\S+\.pl):$/.exec(line)
    if (head) file = head[1]!
    const test = /^ {4}Test (\d+) /.exec(line)
    if (test) files.set(test[1]!, file)
  }
  return files
}
