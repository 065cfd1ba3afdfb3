/** The files that are mutated, each with the tests that guard it, the likeliest to notice first. */
import { fileURLToPath } from 'node:url'
import type { Mutant } from './mutants.ts'

export const PROTOCOL = fileURLToPath(new URL('../../src/protocol/', import.meta.url))

/** Folders whose every file must be a target, but for tests and what helps them. */
export const FOLDERS = ['auth', 'state', 'visibility'] as const

const AUTH_TESTS = ['auth/rules.test.ts', 'auth/member.test.ts', 'auth/power-levels.test.ts']
const STATE_TESTS = ['state/state-resets.test.ts', 'state/resolve-random.test.ts', 'state/resolve.test.ts']

export const TARGETS: readonly [file: string, tests: readonly string[]][] = [
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
  ['state/auth-graph.ts', STATE_TESTS],
  ['state/facts.ts', STATE_TESTS],
  ['state/heap.ts', ['state/heap.test.ts']],
  ['state/iterative-auth.ts', STATE_TESTS],
  ['state/limits.ts', ['state/resolve.test.ts']],
  ['state/mainline.ts', STATE_TESTS],
  ['state/power-order.ts', STATE_TESTS],
  ['state/resolve-v1.ts', ['state/resolve.test.ts', 'state/resolve-random.test.ts']],
  ['state/resolve-v2.ts', STATE_TESTS],
  ['state/resolve.ts', STATE_TESTS],
  ['state/separate.ts', STATE_TESTS],
  ['state/state-map.ts', STATE_TESTS],
  ['visibility/history-visibility.ts', ['visibility/history-visibility.test.ts']],
]

/** How a mutant is named: stable against changes elsewhere in the file. */
export function nameOf(file: string, mutant: Mutant): string {
  return `${file} | ${mutant.text} | ${mutant.from.trim()} -> ${mutant.to.trim()}`
}
