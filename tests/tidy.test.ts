import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check, patternsOf } from './tidy/check.ts'
import { PROTOCOL_PATTERNS } from './tidy/rules.ts'
import { projectFiles } from './tidy/tree.ts'

test('the tree obeys the rules of tests/tidy/rules.ts', () => {
  const files = projectFiles()
  assert.ok(files.length > 100, `only ${files.length} files found`)
  assert.deepEqual(check(files), [])
})

const long = (lines: number) => 'const a = 1\n'.repeat(lines)

/** Path, text and what the checker must say of it. */
const PLANTED: [string, string, RegExp][] = [
  ['src/services/rooms/a.ts', `import { x } from '#/storage/x.ts'`, /services must not import storage/],
  ['src/services/rooms/a.ts', `import type { X } from '#/http/x.ts'`, /services must not import http/],
  ['src/services/rooms/a.ts', `export { x } from "#/app/x.ts"`, /services must not import app/],
  ['src/services/rooms/a.ts', `await import('#/storage/x.ts')`, /services must not import storage/],
  ['src/protocol/a.ts', `import { x } from '#/base/x.ts'`, /protocol must not import base/],
  ['src/protocol/a.ts', `import { x } from '#/protocol/x.ts'`, /inside a layer are relative/],
  ['src/base/a.ts', `import { x } from '#/protocol/x.ts'`, /base must not import protocol/],
  ['src/ports/a.ts', `import { x } from '#/services/x.ts'`, /ports must not import services/],
  ['src/ports/a.ts', `export const x = 1`, /types alone/],
  ['src/http/a.ts', `import { x } from '#/services/x.ts'`, /http must not import services/],
  ['src/api/a.ts', `import { x } from '#/ports/x.ts'`, /api must not import ports/],
  ['src/identity/a.ts', `import { x } from '#/services/x.ts'`, /identity must not import services/],
  ['src/overlay/a.ts', `import { x } from '#/protocol/x.ts'`, /overlay must not import protocol/],
  ['src/storage/a.ts', `import { x } from '#/services/x.ts'`, /storage must not import services/],
  ['src/adapters/a.ts', `import { x } from '#/services/x.ts'`, /adapters must not import services/],
  ['src/importer/a.ts', `import { x } from '#/api/x.ts'`, /importer must not import api/],
  ['src/app/a.ts', `import { x } from '#/cli/x.ts'`, /app must not import cli/],
  ['src/cli/a.ts', `import { x } from '#/services/x.ts'`, /cli must not import services/],
  ['src/extra/a.ts', '', /src\/extra is no layer/],
  ['src/api/a.ts', `import { x } from '../http/x.ts'`, /leaves the layer/],
  ['src/api/a.ts', `import { x } from './x'`, /ends in \.ts/],
  ['src/services/rooms/a.ts', `import { x } from '../sync/x.ts'`, /must not import services\/sync/],
  ['src/services/rooms/a.ts', `import { x } from '../novel/x.ts'`, /novel has no place/],
  ['src/services/rooms/a.ts', `import pg from 'pg'`, /pg may be imported in storage\/postgres/],
  ['src/storage/queries/a.ts', `import pg from 'pg'`, /pg may be imported in storage\/postgres/],
  ['src/storage/queries/a.ts', `import { x } from 'node:sqlite'`, /node:sqlite may be imported/],
  ['src/http/a.ts', `import { pino } from 'pino'`, /pino may be imported in adapters/],
  ['src/adapters/a.ts', `import { Type } from 'typebox/compile'`, /typebox may be imported in http, api/],
  ['src/app/a.ts', `import { parse } from 'yaml'`, /yaml may be imported in app\/config/],
  ['src/app/a.ts', `import x from 'left-pad'`, /left-pad is not in the table/],
  ['src/app/a.ts', `import x from '@scope/name/part'`, /@scope\/name is not in the table/],
  ['src/services/rooms/a.ts', `import { x } from 'node:fs/promises'`, /services must not import node:fs/],
  ['src/services/rooms/a.ts', `import { x } from 'node:worker_threads'`, /worker_threads may be imported/],
  ['src/protocol/a.ts', `import { x } from 'node:net'`, /node:net may be imported/],
  ...[
    'Date.now()',
    'new Date()',
    'performance.now()',
    'Math.random()',
    'setTimeout(f, 1)',
    'setInterval(f, 1)',
    'setImmediate(f)',
    'process.env.HOME',
    'console.log(1)',
    'crypto.subtle.digest()',
    'randomBytes(3)',
    'randomUUID()',
  ].map((use): [string, string, RegExp] => ['src/storage/a.ts', `f(${use})`, /come from World/]),
  ['src/protocol/a.ts', 'if (/(a+)+b/.test(text)) return', /linear patterns/],
  ['src/protocol/a.ts', 'const x = text.split(/[/,]+/u)', /linear patterns/],
  ['src/protocol/a.ts', 'return new RegExp(text)', /linear patterns/],
  ['src/storage/a.ts', long(601), /601 lines/],
  ['tests/a.ts', long(601), /601 lines/],
  ['src/storage/aB.ts', '', /kebab-case/],
  ['tests/a_b.ts', '', /kebab-case/],
  ['src/storage/a.ts', 'export default 1', /default export/],
  ['src/storage/a.ts', 'export enum A {}', /enum/],
  ['bench/a.ts', 'const enum A {}', /enum/],
  ['src/storage/a.ts', `export * from './b.ts'`, /barrel/],
  ['docs/a.md', 'This is a TODO.', /unfinished work/],
  ['src/storage/a.test.ts', '// FIXME', /unfinished work/],
  ['README.md', 'written with Cl\u0061ude', /speaks of tools/],
  ['bin/a', 'cd /work/\u006dain', /speaks of tools/],
]

test('each rule finds its planted violation', () => {
  for (const [path, text, expected] of PLANTED)
    assert.match(check([{ path, text }]).join('\n'), expected, `${path}: ${text.slice(0, 60)}`)
})

test('what is allowed is not reported', () => {
  const allowed: [string, string][] = [
    ['src/services/sync/a.ts', `import { x } from '../rooms/x.ts'\nimport type { E } from '#/ports/e.ts'`],
    ['src/storage/postgres/a.ts', `import pg from 'pg'\nimport { readFile } from 'node:fs/promises'`],
    ['src/protocol/a.ts', `import { createHash } from 'node:crypto'\nimport { x } from './x.ts'`],
    ['src/protocol/b.ts', `const der = Buffer.from('302e', 'hex')`],
    ['src/base/world.ts', 'Date.now() + Math.random()'],
    ['src/adapters/a.ts', 'setTimeout(f, process.env.X)'],
    ['src/storage/a.ts', '// never Date.now() here\n/** nor console.log */\nconst newDate = update(now)'],
    ['src/storage/a.test.ts', `import { x } from '#/app/x.ts'\nDate.now()`],
    ['src/app/a.ts', `import { x } from '#/services/rooms/x.ts'`],
    ['tests/a.ts', `import { x } from '#/services/rooms/x.ts'`],
    ['src/storage/a.ts', long(600)],
    ['docs/a.md', 'todo, hacker, XXXL, the user agent and its completeness'],
  ]
  for (const [path, text] of allowed) assert.deepEqual(check([{ path, text }]), [])
})

test('the protocol core has no regular expression that can backtrack', () => {
  for (const pattern of PROTOCOL_PATTERNS) {
    // The braces of a Unicode property repeat nothing.
    assert.doesNotMatch(pattern.replaceAll(/\\p\{[\w=]+\}/g, ''), /[*+?{|(]/, pattern)
  }
  const used = new Set(
    projectFiles()
      .filter(({ path }) => path.startsWith('src/protocol/') && /(?<!\.test)\.ts$/.test(path))
      .flatMap(({ text }) => patternsOf(text)),
  )
  // The list is no longer than needed, and the search finds what there is.
  assert.deepEqual([...used].sort(), [...PROTOCOL_PATTERNS].sort())
})
