/**
 * Flips each comparison, boolean and constant of the authorisation rules and of redaction, runs their tests, and lists
 * the mutants that survive. Fails if one survives that survivors.ts does not explain, or if an explained one is gone.
 *
 *     node tests/mutation/run.ts [part of a file name] [--from=N]
 *
 * One process per mutant, one at a time: about half an hour for all of them.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Mutant, mutantsOf } from './mutants.ts'
import { SURVIVORS } from './survivors.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const AUTH_TESTS = ['auth/rules.test.ts', 'auth/member.test.ts', 'auth/power-levels.test.ts']
/** Each file with the tests that guard it, the likeliest to notice first. */
const TARGETS: readonly [file: string, tests: readonly string[]][] = [
  ['auth/check-auth-events.ts', AUTH_TESTS],
  ['auth/check-auth-rules.ts', AUTH_TESTS],
  ['auth/check-create.ts', AUTH_TESTS],
  ['auth/check-member.ts', ['auth/member.test.ts', 'auth/rules.test.ts']],
  ['auth/check-power-levels.ts', ['auth/power-levels.test.ts', 'auth/rules.test.ts']],
  ['auth/level.ts', ['auth/power-levels.test.ts', 'auth/rules.test.ts', 'auth/member.test.ts']],
  ['auth/numbering.ts', ['auth/rules.test.ts', 'auth/member.test.ts', 'auth/power-levels.test.ts']],
  ['auth/power-levels.ts', ['auth/power-levels.test.ts', 'auth/rules.test.ts', 'auth/member.test.ts']],
  ['auth/redaction-applies.ts', ['auth/rules.test.ts']],
  ['auth/select.ts', ['auth/rules.test.ts']],
  ['auth/third-party.ts', ['auth/member.test.ts']],
  ['event/redact.ts', ['event/redact.test.ts']],
  [
    'room-version/rules.ts',
    ['event/redact.test.ts', 'event/event.test.ts', 'event/verify.test.ts', ...AUTH_TESTS],
  ],
]
const TIMEOUT_MS = 120_000

/** How a survivor is named: stable against changes elsewhere in the file. */
function nameOf(file: string, mutant: Mutant): string {
  return `${file} | ${mutant.text} | ${mutant.from.trim()} -> ${mutant.to.trim()}`
}

function survives(file: string, tests: readonly string[], mutant: Mutant): boolean {
  const env = { ...process.env, MUTANT: JSON.stringify({ ...mutant, file: `${ROOT}src/protocol/${file}` }) }
  return tests.every((test) => {
    const args = ['--import', `${ROOT}tests/mutation/hook.ts`, `${ROOT}src/protocol/${test}`]
    return spawnSync(process.execPath, args, { env, timeout: TIMEOUT_MS, stdio: 'ignore' }).status === 0
  })
}

const only = process.argv.slice(2).find((arg) => !arg.startsWith('--')) ?? ''
const survivors: string[] = []
let total = 0
for (const [file, tests] of TARGETS.filter(([name]) => name.includes(only))) {
  const mutants = mutantsOf(readFileSync(`${ROOT}src/protocol/${file}`, 'utf8'))
  total += mutants.length
  let killed = 0
  for (const mutant of mutants) {
    if (survives(file, tests, mutant)) survivors.push(nameOf(file, mutant))
    else killed++
  }
  console.log(`${file}: ${killed} of ${mutants.length} killed`)
}
const explained = new Map(SURVIVORS.map(({ mutant, why }) => [mutant, why]))
for (const name of survivors) console.log(`survives: ${name}\n    ${explained.get(name) ?? 'NOT EXPLAINED'}`)
const unexplained = survivors.filter((name) => !explained.has(name))
const gone = SURVIVORS.filter(({ mutant }) => mutant.includes(only) && !survivors.includes(mutant))
for (const { mutant } of gone) console.log(`explained, but killed or gone: ${mutant}`)
console.log(
  `${total - survivors.length} of ${total} mutants killed, ${unexplained.length} survivors without a reason`,
)
process.exitCode = unexplained.length > 0 || gone.length > 0 ? 1 : 0
