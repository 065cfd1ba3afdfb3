import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAccounts } from '#/api/client/accounts/create-accounts.ts'
import { createRelations } from '#/api/client/relations/create-relations.ts'
import { roomRoutes } from '#/api/index.ts'
import { healthRoute, metricsRoute } from '#/http/ops-routes.ts'
import { operations } from '../spec/operations.ts'
import { coveredBy } from '../support/covers.ts'
import { type Coverage, endpointsDoc, type RouteFacts, unknownCoverage, wrongLinks } from './endpoints.ts'

/** Stands for every service, option and limit: declaring a route calls none of them. */
const ANYTHING: unknown = new Proxy(class {}, {
  get: (_, key) => {
    if (key === Symbol.iterator) return [][Symbol.iterator]
    if (key === Symbol.toPrimitive) return () => 1
    return key === 'then' ? undefined : ANYTHING
  },
  apply: () => ANYTHING,
  construct: () => ANYTHING as object,
})
// Named, because they are copied from object to object there.
const ACCOUNTS = Object.fromEntries(
  'store world passwords options discovery limits hooks'.split(' ').map((name) => [name, ANYTHING]),
)
const ROUTES: RouteFacts[] = [
  ...createAccounts(ACCOUNTS as never).routes,
  ...createRelations(ANYTHING as never).routes,
  ...roomRoutes(ANYTHING as never),
  healthRoute(ANYTHING as never),
  metricsRoute(ANYTHING as never),
]

const ROOT = join(import.meta.dirname, '../..')
const FILE = join(ROOT, 'docs/endpoints.md')
const UPDATE = 'UPDATE_DOCS=1 node --test tests/docs/endpoints.test.ts'

const COVERAGE: Coverage = new Map()
for (const file of globSync('tests/api/**/*.test.ts', { cwd: ROOT }).sort())
  for (const endpoint of coveredBy(readFileSync(join(ROOT, file), 'utf8')))
    COVERAGE.set(endpoint, [...(COVERAGE.get(endpoint) ?? []), file])

test('docs/endpoints.md is what the specification, the routes and the tests say', () => {
  const text = endpointsDoc(operations(), ROUTES, COVERAGE)
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, text)
  assert.ok(readFileSync(FILE, 'utf8') === text, `docs/endpoints.md is out of date; run: ${UPDATE}`)
})

test('every route of an operation links to its text', () => {
  assert.deepEqual(wrongLinks(operations(), ROUTES), [])
})

test('covers() names endpoints that exist', () => {
  assert.deepEqual(unknownCoverage(operations(), ROUTES, COVERAGE), [])
})
