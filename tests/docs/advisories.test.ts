import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '../..')
const STATES = ['tested', 'federation', 'encryption', 'media', 'mail', 'web pages', 'none here']

const table = new Map(
  [
    ...readFileSync(join(ROOT, 'docs/security/advisories.md'), 'utf8').matchAll(
      /^\| adv-(\d+) \|.*\| ([^|]+) \|$/gm,
    ),
  ].map(([, number, state]) => [Number(number), state!] as const),
)

/** Numbers in the names of tests and of groups of them. */
const named = new Set<number>()
for (const file of globSync(['src/**/*.test.ts', 'tests/**/*.test.ts'], { cwd: ROOT })) {
  const text = readFileSync(join(ROOT, file), 'utf8')
  for (const [, name = ''] of text.matchAll(/\b(?:test|it|describe)\(\s*(['"`].*)/g))
    for (const [, number] of name.matchAll(/adv-(\d+)/g)) named.add(Number(number))
}

test('the table of advisories has every number, in order, with a state that there is', () => {
  assert.deepEqual(
    [...table.keys()],
    Array.from({ length: 90 }, (_, i) => i + 1),
  )
  for (const [number, state] of table) assert.ok(STATES.includes(state), `adv-${number}: ${state}`)
})

test('an advisory counts as tested when a test carries its number, and only then', () => {
  const claimed = [...table].filter(([, state]) => state === 'tested').map(([number]) => number)
  assert.deepEqual(
    claimed.filter((number) => !named.has(number)),
    [],
    'claimed, and no test has the number',
  )
  assert.deepEqual(
    [...named].filter((number) => table.get(number) !== 'tested'),
    [],
    'a test has the number: write "tested" into docs/security/advisories.md',
  )
})
