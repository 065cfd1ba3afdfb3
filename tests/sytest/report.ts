/** Writes docs/sytest.md from the results of tests/sytest/run and the reasons in reasons.txt. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Outcome, outcomesOf } from './results.ts'

/** Tests that fail for one reason; a name may end in `*`. */
interface Reason {
  readonly text: string
  readonly names: readonly string[]
}

function reasonsOf(text: string): Reason[] {
  const reasons: { text: string; names: string[] }[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('# ')) reasons.push({ text: line.slice(2), names: [] })
    else if (line !== '') reasons.at(-1)?.names.push(line)
  }
  return reasons
}

function isNamed(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

function countsTable(outcomes: readonly Outcome[]): string[] {
  const count = (some: readonly Outcome[], result: Outcome['result']): number =>
    some.filter((outcome) => outcome.result === result).length
  const row = (file: string, some: readonly Outcome[]): string =>
    `| ${file} | ${count(some, 'passed')} | ${count(some, 'failed')} | ${count(some, 'skipped')} |`
  const files = Map.groupBy(outcomes, (outcome) => outcome.file)
  return [
    '| File | Passed | Failed | Skipped |',
    '|---|---|---|---|',
    ...[...files].map(([file, some]) => row(`\`${file.replace('tests/', '')}\``, some)),
    row('**all**', outcomes),
  ]
}

function failures(outcomes: readonly Outcome[], reasons: readonly Reason[]): string[] {
  const failed = outcomes.filter((outcome) => outcome.result !== 'passed')
  const told = new Set<Outcome>()
  const lines: string[] = []
  for (const { text, names } of reasons) {
    const here = failed.filter(
      (outcome) => !told.has(outcome) && names.some((name) => isNamed(outcome.name, name)),
    )
    if (here.length === 0) continue
    for (const outcome of here) told.add(outcome)
    lines.push('', `**${text}** (${here.length})`, '', ...here.map(line))
  }
  const rest = failed.filter((outcome) => !told.has(outcome))
  const skipped = rest.filter((outcome) => outcome.result === 'skipped')
  if (skipped.length > 0)
    lines.push(
      '',
      `**Skipped, because a test before them failed** (${skipped.length})`,
      '',
      ...skipped.map(line),
    )
  const open = rest.filter((outcome) => outcome.result === 'failed')
  if (open.length > 0) lines.push('', `**Not looked into yet** (${open.length})`, '', ...open.map(line))
  return lines
}

function line({ name, file, result, why }: Outcome): string {
  return `- ${name} (\`${file.replace('tests/', '')}\`${result === 'skipped' ? `, skipped: ${why}` : ''})`
}

const HEAD = `# SyTest

How this server does in [SyTest](https://github.com/matrix-org/sytest), the test suite of servers from before the
specification had versions. Its groups for federation, media and application services are left out until there is
something to test. Written by \`SYTEST=<its checkout> SYTEST_PLUGINS=<the plugin> tests/sytest/run\`, reasons from
\`tests/sytest/reasons.txt\`; rooms are of version 10. Tests depend on those before them, so files are run in groups.`

const [folder] = process.argv.slice(2)
if (folder === undefined)
  throw new Error('usage: node tests/sytest/report.ts <folder with .tap and .err files>')
const outcomes = readdirSync(folder)
  .filter((name) => name.endsWith('.tap'))
  .sort()
  .flatMap((name) => {
    const progress = readFileSync(join(folder, name.replace(/tap$/, 'err')), 'utf8')
    return outcomesOf(readFileSync(join(folder, name), 'utf8'), progress)
  })
const reasons = reasonsOf(readFileSync(join(import.meta.dirname, 'reasons.txt'), 'utf8'))
const text = [
  HEAD,
  '',
  ...countsTable(outcomes),
  '',
  '## What fails, and why',
  ...failures(outcomes, reasons),
  '',
]
writeFileSync(join(import.meta.dirname, '../../docs/sytest.md'), text.join('\n'))
